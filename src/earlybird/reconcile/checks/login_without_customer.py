"""A login of the role customer belongs to one that exists."""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind

CHECK = Check(
    number=17,
    name="login_without_customer",
    title="Does every customer's login name its customer?",
    severity=Severity.warning,
    kind=Kind.live,
    sql="""
    SELECT u.id::text AS subject, format('The login of %s names no customer', u.name) AS title, NULL::bigint
      AS money_minor,
           NULL::text AS currency, u.customer_id, jsonb_build_object('user_id', u.id) AS facts
    FROM users u
    WHERE u.archived_at IS NULL AND NOT EXISTS (SELECT FROM customers c WHERE c.id = u.customer_id)
      AND (u.customer_id IS NOT NULL
           OR EXISTS (SELECT FROM memberships m WHERE m.user_id = u.id AND m.role = 'customer' AND m.ended_at IS NULL
                        AND NOT EXISTS (SELECT FROM customers c WHERE c.id = m.customer_id)))
""",
)
