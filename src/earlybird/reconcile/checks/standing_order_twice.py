"""A customer has one running standing order of a product for the same days, shift and address."""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import RUNNING, TODAY, Check, Kind

CHECK = Check(
    number=57,
    name="standing_order_twice",
    title="Is no standing order there twice?",
    severity=Severity.warning,
    kind=Kind.live,
    sql=f"""
    WITH {RUNNING}
    SELECT min(r.id::text) AS subject, format('%s standing orders of %s for the same days and shift', count(*),
      min(p.name))
             AS title,
           NULL::bigint AS money_minor, NULL::text AS currency, r.customer_id, jsonb_build_object('subscription_ids',
             array_agg(r.id ORDER BY r.id)) AS facts
    FROM running r JOIN products p ON p.id = r.product_id
    WHERE r.pattern IN ('daily', 'weekly') AND r.quantity > 0
      AND NOT EXISTS (SELECT FROM subscription_pauses x WHERE x.subscription_id = r.id AND x.cancelled_at IS NULL
                        AND x.ends_on IS NULL AND x.starts_on <= {TODAY})
    GROUP BY r.customer_id, r.address_id, r.product_id, r.shift, r.pattern, r.weekdays HAVING count(*) > 1
""",
)
