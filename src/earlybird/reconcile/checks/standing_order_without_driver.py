"""Where areas are given to drivers, every running standing order has one.

The version's own driver, the customer's, or the area's in that shift.
"""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import RUNNING, Check, Kind

CHECK = Check(
    number=55,
    name="standing_order_without_driver",
    title="Has every running standing order a driver?",
    severity=Severity.warning,
    kind=Kind.live,
    sql=f"""
    WITH {RUNNING}
    SELECT r.id::text AS subject, format('Nobody drives the standing order of %s (%s) in the %s', r.name, r.code,
                  CASE r.shift WHEN 'both' THEN 'morning or the evening' ELSE r.shift END) AS title,
           NULL::bigint AS money_minor, NULL::text AS currency, r.customer_id, jsonb_build_object('subscription_id',
             r.id, 'area_id', r.area_id) AS facts
    FROM running r
    WHERE r.driver_id IS NULL AND r.own_driver_id IS NULL AND r.area_id IS NOT NULL
      AND EXISTS (SELECT FROM areas a JOIN area_drivers d ON d.area_id = a.id WHERE a.site_id = r.site_id)
      AND NOT EXISTS (SELECT FROM area_drivers d WHERE d.area_id = r.area_id
                        AND (r.shift = 'both' OR d.shift = r.shift))
      AND NOT EXISTS (SELECT FROM standing_stops t JOIN standing_rounds q ON q.id = t.standing_round_id
                      WHERE t.customer_id = r.customer_id AND q.archived_at IS NULL)
""",
)
