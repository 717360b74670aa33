"""The charges of a line sum to unit price × delivered quantity, rounded once, half up."""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind, major, scale

CHECK = Check(
    number=3,
    name="wrong_amount",
    title="Is each line charged at its price?",
    severity=Severity.error,
    kind=Kind.live,
    sql=f"""
    SELECT dl.id::text AS subject,
           format('%s %s of %s on %s cost %s, charged %s', trim_scale(x.quantity), ol.unit, ol.product_name,
                  dl.service_on, {major("due.minor", "ol.currency")}, {major("x.charged", "ol.currency")}) AS title,
           (x.charged - due.minor)::bigint AS money_minor, ol.currency, dl.customer_id,
           jsonb_build_object('delivery_line_id', dl.id, 'order_line_id', ol.id, 'charge_ids', x.charge_ids,
                              'service_on', dl.service_on, 'unit_price', ol.unit_price, 'quantity', x.quantity,
                              'charged_minor', x.charged, 'due_minor', due.minor) AS facts
    FROM (SELECT e.delivery_line_id, sum(e.delta_quantity) AS quantity, sum(h.amount_minor) AS charged,
                 sum(h.quantity) AS charged_quantity, min(h.currency) AS currency, array_agg(h.id) AS charge_ids
          FROM delivery_event_lines e
          LEFT JOIN charges h ON h.event_line_id = e.id
          GROUP BY e.delivery_line_id
          HAVING bool_and(h.id IS NOT NULL OR e.delta_quantity = 0) AND count(h.id) > 0) x
    JOIN delivery_lines dl ON dl.id = x.delivery_line_id
    JOIN order_lines ol ON ol.id = dl.order_line_id
    CROSS JOIN LATERAL (SELECT round(ol.unit_price * x.quantity * {scale("ol.currency")})::bigint AS minor) due
    WHERE x.charged <> due.minor OR x.charged_quantity <> x.quantity OR x.currency <> ol.currency
""",
)
