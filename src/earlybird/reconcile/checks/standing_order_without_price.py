"""What runs has a price today: agreed, the customer's own, or of the list."""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import RUNNING, TODAY, Check, Kind

CHECK = Check(
    number=53,
    name="standing_order_without_price",
    title="Has every running standing order a price?",
    severity=Severity.warning,
    kind=Kind.live,
    sql=f"""
    WITH {RUNNING}
    SELECT r.id::text AS subject, format('The standing order of %s for %s has no price', r.name, p.name) AS title,
           NULL::bigint AS money_minor, NULL::text AS currency, r.customer_id, jsonb_build_object('subscription_id',
             r.id, 'product_id', r.product_id) AS facts
    FROM running r JOIN products p ON p.id = r.product_id
    WHERE r.agreed_price IS NULL AND r.quantity > 0
      AND NOT EXISTS (SELECT FROM prices x WHERE x.product_id = r.product_id
                        AND x.valid_from <= greatest(r.valid_from, {TODAY})
                        AND (x.customer_id IS NULL OR x.customer_id = r.customer_id))
""",
)
