"""A delivery of the old system told before its day is a promise, not a fact, and charged to nobody."""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind

CHECK = Check(
    number=69,
    name="legacy_told_early",
    title="Which old deliveries were told before their day?",
    severity=Severity.info,
    kind=Kind.takeover,
    sql="""
    SELECT coalesce(l.customer_id::text, 'nobody') AS subject,
           format('%s old deliveries were told before their day', count(*)) AS title,
           NULL::bigint AS money_minor, NULL::text AS currency, l.customer_id,
           jsonb_build_object('count', count(*), 'legacy_delivery_ids', (array_agg(l.id ORDER BY l.id))[1:20])
             AS facts
    FROM legacy_deliveries l
    WHERE l.is_early AND l.status IN ('delivered', 'partially_delivered')
    GROUP BY l.customer_id
""",
)
