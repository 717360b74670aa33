"""Every stop and every line of it points at an order that exists.

A line still to be delivered whose standing order lost its order line is the question `due_without_order`.
"""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind

CHECK = Check(
    number=14,
    name="delivery_without_order",
    title="Does every stop name its order?",
    severity=Severity.error,
    kind=Kind.live,
    sql="""
    SELECT d.id::text AS subject,
           format('The stop of %s names an order that is not there', d.planned_on) AS title,
           NULL::bigint AS money_minor, NULL::text AS currency, d.customer_id,
           jsonb_build_object('delivery_id', d.id, 'order_id', d.order_id) AS facts
    FROM deliveries d
    WHERE NOT EXISTS (SELECT FROM orders o WHERE o.id = d.order_id)
    UNION ALL
    SELECT dl.delivery_id::text, format('A line of the stop of %s names an order line that is not there',
      dl.service_on),
           sum(h.amount_minor)::bigint, min(h.currency), dl.customer_id,
           jsonb_build_object('delivery_id', dl.delivery_id, 'delivery_line_ids', array_agg(DISTINCT dl.id))
    FROM delivery_lines dl
    JOIN deliveries d ON d.id = dl.delivery_id
    JOIN orders o ON o.id = d.order_id
    LEFT JOIN delivery_event_lines e ON e.delivery_line_id = dl.id
    LEFT JOIN charges h ON h.event_line_id = e.id
    WHERE NOT EXISTS (SELECT FROM order_lines ol WHERE ol.id = dl.order_line_id)
      AND (dl.delivered_quantity > 0 OR o.source <> 'subscription')
    GROUP BY dl.delivery_id, dl.customer_id, dl.service_on
""",
)
