"""An e-mail address, in whatever case, is one customer's and one login's."""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind

CHECK = Check(
    number=47,
    name="email_shared",
    title="Is every e-mail address one customer's?",
    severity=Severity.warning,
    kind=Kind.live,
    sql="""
    SELECT min(c.id::text) AS subject,
           format('%s customers have one e-mail address: %s', count(*), string_agg(c.code, ', ' ORDER BY c.code))
             AS title,
           NULL::bigint AS money_minor, NULL::text AS currency, min(c.id::text)::uuid AS customer_id,
           jsonb_build_object('customer_ids', array_agg(c.id ORDER BY c.id)) AS facts
    FROM customers c
    WHERE c.archived_at IS NULL AND btrim(c.email) <> ''
    GROUP BY lower(btrim(c.email)) HAVING count(*) > 1
    UNION ALL
    SELECT min(u.id::text), format('%s logins have one e-mail address', count(*)), NULL, NULL, NULL,
           jsonb_build_object('user_ids', array_agg(u.id ORDER BY u.id))
    FROM users u
    WHERE u.archived_at IS NULL AND btrim(u.email) <> ''
    GROUP BY lower(btrim(u.email)) HAVING count(*) > 1
""",
)
