"""Every customer has a login of their own."""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind

CHECK = Check(
    number=16,
    name="customer_without_login",
    title="Can every customer sign in?",
    severity=Severity.warning,
    kind=Kind.live,
    sql="""
    SELECT c.id::text AS subject, format('%s (%s) has no login', c.name, c.code) AS title, NULL::bigint AS money_minor,
           NULL::text AS currency, c.id AS customer_id, jsonb_build_object('customer_id', c.id, 'code', c.code) AS facts
    FROM customers c
    WHERE c.archived_at IS NULL AND NOT EXISTS (SELECT FROM users u WHERE u.customer_id = c.id)
""",
)
