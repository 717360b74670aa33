"""An order, its lines, its stops, their events and charges are of one customer."""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind

CHECK = Check(
    number=36,
    name="customer_differs",
    title="Is everything of an order one customer's?",
    severity=Severity.error,
    kind=Kind.live,
    sql="""
    SELECT 'order_line:' || l.id AS subject,
           format('The line of %s on %s is another customer''s than its order', l.product_name, l.service_on)
             AS title,
           NULL::bigint AS money_minor, NULL::text AS currency, o.customer_id, jsonb_build_object('order_id', o.id,
             'order_line_id', l.id, 'named', l.customer_id)
             AS facts
    FROM order_lines l JOIN orders o ON o.id = l.order_id
    WHERE l.customer_id <> o.customer_id
    UNION ALL
    SELECT 'delivery:' || d.id, format('The stop of %s is another customer''s than its order', d.planned_on), NULL,
      NULL,
           o.customer_id, jsonb_build_object('order_id', o.id, 'delivery_id', d.id, 'named', d.customer_id)
    FROM deliveries d JOIN orders o ON o.id = d.order_id
    WHERE d.customer_id <> o.customer_id
    UNION ALL
    SELECT 'stop_line:' || x.id, format('A line of the stop of %s is another customer''s than the stop', x.service_on),
           NULL, NULL, d.customer_id, jsonb_build_object('delivery_id', d.id, 'delivery_line_id', x.id, 'named',
             x.customer_id)
    FROM delivery_lines x JOIN deliveries d ON d.id = x.delivery_id
    WHERE d.customer_id <> x.customer_id
    UNION ALL
    SELECT 'cash:' || k.id, format('Cash of %s is another customer''s than the stop', k.taken_on), k.amount_minor,
           k.currency, d.customer_id, jsonb_build_object('delivery_id', d.id, 'cash_id', k.id, 'named', k.customer_id)
    FROM delivery_cash k JOIN deliveries d ON d.id = k.delivery_id
    WHERE d.customer_id <> k.customer_id
    UNION ALL
    SELECT 'event_line:' || y.id, format('What was told of %s is another customer''s than the word', y.service_on),
           NULL, NULL, e.customer_id, jsonb_build_object('event_id', e.id, 'event_line_id', y.id, 'named', y.customer_id)
    FROM delivery_event_lines y JOIN delivery_events e ON e.id = y.event_id
    WHERE e.customer_id <> y.customer_id
    UNION ALL
    SELECT 'event:' || e.id, format('A word about the stop of %s is another customer''s than the stop', e.service_on),
           NULL, NULL, d.customer_id, jsonb_build_object('delivery_id', d.id, 'event_id', e.id, 'named',
             e.customer_id)
    FROM delivery_events e JOIN deliveries d ON d.id = e.delivery_id
    WHERE d.customer_id <> e.customer_id
    UNION ALL
    SELECT 'charge:' || h.id, format('The charge for %s is another customer''s than its delivery', h.service_on),
           h.amount_minor, h.currency, e.customer_id,
           jsonb_build_object('charge_id', h.id, 'event_line_id', e.id, 'named', h.customer_id)
    FROM charges h JOIN delivery_event_lines e ON e.id = h.event_line_id
    WHERE h.customer_id <> e.customer_id
""",
)
