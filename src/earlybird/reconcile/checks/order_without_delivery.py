"""Every line of a planned order has a line on a planned stop."""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind

CHECK = Check(
    number=13,
    name="order_without_delivery",
    title="Has every planned order its stop?",
    severity=Severity.error,
    kind=Kind.live,
    sql="""
    SELECT ol.id::text AS subject,
           format('%s %s of %s for %s is ordered, but no stop was planned for it', trim_scale(ol.quantity), ol.unit,
             ol.product_name,
                  ol.service_on) AS title,
           ol.amount_minor AS money_minor, ol.currency, ol.customer_id,
           jsonb_build_object('order_id', o.id, 'order_line_id', ol.id, 'service_on', ol.service_on, 'state', o.state)
             AS facts
    FROM order_lines ol
    JOIN orders o ON o.id = ol.order_id
    WHERE ol.cancelled_at IS NULL AND ol.quantity > 0 AND ol.service_on IS NOT NULL
      AND (o.state NOT IN ('placed', 'cancelled')
           OR o.state = 'placed' AND EXISTS (SELECT FROM plan_runs r WHERE r.site_id = o.site_id
                AND r.service_on = ol.service_on AND NOT (o.placed_at > r.planned_at AND o.placed_at <= :now)))
      AND NOT EXISTS (SELECT FROM delivery_lines dl JOIN deliveries d ON d.id = dl.delivery_id
                      WHERE dl.order_line_id = ol.id)
""",
)
