"""A customer's login holds the role of a customer."""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind

CHECK = Check(
    number=45,
    name="login_of_wrong_role",
    title="Is every customer's login in the role of a customer?",
    severity=Severity.error,
    kind=Kind.live,
    sql="""
    SELECT u.id::text AS subject,
           format('The login of %s is a customer''s and holds %s', u.name,
                  coalesce((SELECT string_agg(DISTINCT m.role, ', ') FROM memberships m
                            WHERE m.user_id = u.id AND m.ended_at IS NULL), 'no role')) AS title,
           NULL::bigint AS money_minor, NULL::text AS currency, u.customer_id, jsonb_build_object('user_id', u.id,
             'customer_id', u.customer_id) AS facts
    FROM users u JOIN customers c ON c.id = u.customer_id
    WHERE u.archived_at IS NULL AND u.state <> 'disabled' AND c.archived_at IS NULL
      AND NOT EXISTS (SELECT FROM memberships m WHERE m.user_id = u.id AND m.role = 'customer' AND m.ended_at IS NULL)
""",
)
