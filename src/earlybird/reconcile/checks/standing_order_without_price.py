"""What runs has a price today: agreed, the customer's own, or of the list."""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind

CHECK = Check(
    number=53,
    name="standing_order_without_price",
    title="Has every running standing order a price?",
    severity=Severity.error,
    kind=Kind.live,
    sql="""
    WITH running AS (
        SELECT DISTINCT ON (s.id) s.id, s.customer_id, c.name, c.code, c.site_id, c.area_id, c.driver_id AS own_driver_id,
               v.product_id, v.agreed_price, v.shift, v.driver_id, v.quantity, v.valid_from
        FROM subscriptions s
        JOIN customers c ON c.id = s.customer_id AND c.archived_at IS NULL
        JOIN subscription_versions v ON v.subscription_id = s.id AND v.valid_from <= greatest(s.starts_on, CAST(CAST(:now AS timestamptz) AS date))
        WHERE s.state = 'active' AND (s.stops_on IS NULL OR s.stops_on > CAST(CAST(:now AS timestamptz) AS date))
        ORDER BY s.id, v.valid_from DESC
    )
    SELECT r.id::text AS subject, format('The standing order of %s for %s has no price', r.name, p.name) AS title,
           NULL::bigint AS money_minor, NULL::text AS currency, r.customer_id, jsonb_build_object('subscription_id', r.id, 'product_id', r.product_id) AS facts
    FROM running r JOIN products p ON p.id = r.product_id
    WHERE r.agreed_price IS NULL AND r.quantity > 0
      AND NOT EXISTS (SELECT FROM prices x WHERE x.product_id = r.product_id
                        AND x.valid_from <= greatest(r.valid_from, CAST(CAST(:now AS timestamptz) AS date))
                        AND (x.customer_id IS NULL OR x.customer_id = r.customer_id))
""",
)
