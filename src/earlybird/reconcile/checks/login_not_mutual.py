"""A login that names a customer is a member of that customer, and the reverse holds for its own login."""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind

CHECK = Check(
    number=44,
    name="login_not_mutual",
    title="Do every login and its customer name each other?",
    severity=Severity.error,
    kind=Kind.live,
    sql="""
    SELECT u.id::text AS subject,
           format('The login of %s names a customer that does not name it', u.name) AS title,
           NULL::bigint AS money_minor, NULL::text AS currency, u.customer_id, jsonb_build_object('user_id', u.id,
             'customer_id', u.customer_id) AS facts
    FROM users u
    WHERE u.customer_id IS NOT NULL AND u.archived_at IS NULL
      AND EXISTS (SELECT FROM customers c WHERE c.id = u.customer_id)
      AND EXISTS (SELECT FROM memberships m WHERE m.user_id = u.id AND m.role = 'customer' AND m.ended_at IS NULL)
      AND NOT EXISTS (SELECT FROM memberships m WHERE m.user_id = u.id AND m.customer_id = u.customer_id
                        AND m.role = 'customer' AND m.ended_at IS NULL)
""",
)
