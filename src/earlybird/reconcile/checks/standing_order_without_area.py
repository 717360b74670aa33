"""Where customers stand in areas, everybody with a running standing order does."""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind

CHECK = Check(
    number=56,
    name="standing_order_without_area",
    title="Has every running standing order an area?",
    severity=Severity.info,
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
    SELECT r.customer_id::text AS subject, format('%s (%s) stands in no area', min(r.name), min(r.code)) AS title,
           NULL::bigint AS money_minor, NULL::text AS currency, r.customer_id, jsonb_build_object('customer_id', r.customer_id, 'subscription_ids', array_agg(r.id)) AS facts
    FROM running r
    WHERE r.area_id IS NULL AND EXISTS (SELECT FROM customers c WHERE c.site_id = r.site_id AND c.area_id IS NOT NULL)
    GROUP BY r.customer_id
""",
)
