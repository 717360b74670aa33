"""Where customers stand in areas, everybody with a running standing order does."""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import RUNNING, Check, Kind

CHECK = Check(
    number=56,
    name="standing_order_without_area",
    title="Has every running standing order an area?",
    severity=Severity.info,
    kind=Kind.live,
    sql=f"""
    WITH {RUNNING}
    SELECT r.customer_id::text AS subject, format('%s (%s) stands in no area', min(r.name), min(r.code)) AS title,
           NULL::bigint AS money_minor, NULL::text AS currency, r.customer_id, jsonb_build_object('customer_id',
             r.customer_id, 'subscription_ids', array_agg(r.id)) AS facts
    FROM running r
    WHERE r.area_id IS NULL AND EXISTS (SELECT FROM customers c WHERE c.site_id = r.site_id AND c.area_id IS NOT NULL)
    GROUP BY r.customer_id
""",
)
