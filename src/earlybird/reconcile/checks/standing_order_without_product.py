"""What runs is of a product that is still sold."""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind

CHECK = Check(
    number=54,
    name="standing_order_without_product",
    title="Is every running standing order of a product still sold?",
    severity=Severity.warning,
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
    SELECT r.id::text AS subject, format('The standing order of %s is for %s, which is no longer sold', r.name, p.name)
             AS title,
           NULL::bigint AS money_minor, NULL::text AS currency, r.customer_id, jsonb_build_object('subscription_id', r.id, 'product_id', r.product_id) AS facts
    FROM running r JOIN products p ON p.id = r.product_id
    WHERE p.archived_at IS NOT NULL AND p.archived_at <= :now
""",
)
