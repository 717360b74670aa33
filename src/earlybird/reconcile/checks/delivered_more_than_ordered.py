"""What the events of a line hand over lies between nothing and what was ordered."""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind, scale

CHECK = Check(
    number=18,
    name="delivered_more_than_ordered",
    title="Was nothing delivered beyond its order?",
    severity=Severity.error,
    kind=Kind.live,
    sql=f"""
    SELECT dl.id::text AS subject,
           format('%s on %s: %s ordered, %s delivered', coalesce(ol.product_name, 'A line'), dl.service_on,
                  dl.ordered_quantity, x.quantity) AS title,
           round(ol.unit_price * (x.quantity - dl.ordered_quantity) * {scale("ol.currency")})::bigint AS money_minor,
           ol.currency, dl.customer_id,
           jsonb_build_object('delivery_line_id', dl.id, 'ordered', dl.ordered_quantity, 'delivered', x.quantity)
             AS facts
    FROM delivery_lines dl
    JOIN (SELECT delivery_line_id, sum(delta_quantity) AS quantity FROM delivery_event_lines GROUP BY 1) x
      ON x.delivery_line_id = dl.id
    LEFT JOIN order_lines ol ON ol.id = dl.order_line_id
    WHERE x.quantity > dl.ordered_quantity OR x.quantity < 0
""",
)
