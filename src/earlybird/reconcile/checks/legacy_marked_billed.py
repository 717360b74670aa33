"""An old order that was marked as billed is on an old bill.

The old system leaves out what is marked; where the month shows no one-time order at all, the mark was a loss.
"""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind

CHECK = Check(
    number=63,
    name="legacy_marked_billed",
    title="Which old orders were marked as billed and stand on no bill?",
    severity=Severity.warning,
    kind=Kind.takeover,
    sql="""
    SELECT coalesce(o.customer_id::text, 'nobody') || ':' || to_char(o.service_on, 'YYYY-MM') AS subject,
           format('%s old orders of %s were marked as billed and are on no bill', count(*), to_char(o.service_on,
             'YYYY-MM'))
             AS title,
           sum((d.facts->'legacy'->>'value_minor')::bigint)::bigint AS money_minor, min(b.currency) AS currency,
             o.customer_id,
           jsonb_build_object('count', count(*), 'order_ids', (array_agg(o.id ORDER BY o.id))[1:20]) AS facts
    FROM legacy_documents d
    JOIN orders o ON o.id = d.id
    JOIN businesses b ON b.id = o.seller_id
    WHERE d.collection = 'orders' AND d.verdict = 'imported' AND (d.facts->>'billed_mark')::boolean
      AND d.facts->>'status' IN ('delivered', 'partially_delivered')
      AND NOT EXISTS (SELECT FROM legacy_bills x WHERE x.customer_id = o.customer_id
                        AND x.month = to_char(o.service_on, 'YYYY-MM') AND x.one_time_minor <> 0)
    GROUP BY o.customer_id, to_char(o.service_on, 'YYYY-MM')
""",
)
