"""Deliveries of the old system whose order nobody can prove: a work list, never charged silently."""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind

CHECK = Check(
    number=19,
    name="legacy_not_attributable",
    title="Which deliveries of the old system can be tied to no order?",
    severity=Severity.info,
    kind=Kind.takeover,
    sql="""
    SELECT coalesce(d.customer_id::text, d.user_id::text, d.customer_key, 'nobody') AS subject,
           format('%s old deliveries of %s are delivered, not attributable', count(*), coalesce(min(c.name),
             'nobody known'))
             AS title,
           NULL::bigint AS money_minor, NULL::text AS currency, d.customer_id,
           jsonb_build_object('count', count(*), 'first', min(d.service_on), 'last', max(d.service_on),
                              'legacy_delivery_ids', (array_agg(d.id))[1:20]) AS facts
    FROM legacy_deliveries d
    LEFT JOIN customers c ON c.id = d.customer_id
    WHERE d.status IN ('delivered', 'partially_delivered') AND (d.speaks_morning OR d.speaks_evening)
      AND NOT EXISTS (SELECT FROM delivery_events e WHERE e.legacy_delivery_id = d.id)
    GROUP BY d.customer_id, coalesce(d.customer_id::text, d.user_id::text, d.customer_key, 'nobody')
""",
)
