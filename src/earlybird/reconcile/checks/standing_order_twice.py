"""A customer has one running standing order of a product, a shift and an address."""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind

CHECK = Check(
    number=57,
    name="standing_order_twice",
    title="Is no standing order there twice?",
    severity=Severity.warning,
    kind=Kind.live,
    sql="""
    WITH running AS (
        SELECT DISTINCT ON (s.id) s.id, s.customer_id, s.address_id, s.starts_on, v.product_id, v.shift, v.pattern,
               CASE v.pattern WHEN 'weekly' THEN v.weekdays::text ELSE '' END AS weekdays, v.quantity
        FROM subscriptions s
        JOIN subscription_versions v ON v.subscription_id = s.id AND v.valid_from <= greatest(s.starts_on, CAST(CAST(:now AS timestamptz) AS date))
        WHERE s.state = 'active' AND (s.stops_on IS NULL OR s.stops_on > CAST(CAST(:now AS timestamptz) AS date))
          AND NOT EXISTS (SELECT FROM subscription_pauses p WHERE p.subscription_id = s.id AND p.cancelled_at IS NULL
                            AND p.ends_on IS NULL AND p.starts_on <= CAST(CAST(:now AS timestamptz) AS date))
        ORDER BY s.id, v.valid_from DESC
    )
    SELECT min(r.id::text) AS subject, format('%s standing orders of %s for the same days and shift', count(*), min(p.name))
             AS title,
           NULL::bigint AS money_minor, NULL::text AS currency, r.customer_id, jsonb_build_object('subscription_ids', array_agg(r.id ORDER BY r.id)) AS facts
    FROM running r JOIN products p ON p.id = r.product_id
    WHERE r.pattern IN ('daily', 'weekly') AND r.quantity > 0
    GROUP BY r.customer_id, r.address_id, r.product_id, r.shift, r.pattern, r.weekdays HAVING count(*) > 1
""",
)
