"""A line of a document asks the amount of its charge.

A wrong charge and a document that is not its lines are questions of their own.
"""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind, major, scale

CHECK = Check(
    number=24,
    name="line_not_its_charge",
    title="Does every bill ask what was charged?",
    severity=Severity.error,
    kind=Kind.live,
    sql=f"""
    SELECT l.id::text AS subject,
           format('Charged %s for %s, billed %s', {major("h.amount_minor", "h.currency")}, h.service_on,
                  {major("l.amount_minor", "h.currency")}) AS title,
           (l.amount_minor - h.amount_minor)::bigint AS money_minor, h.currency, h.customer_id,
           jsonb_build_object('invoice_line_id', l.id, 'invoice_id', l.invoice_id, 'charge_id', h.id) AS facts
    FROM invoice_lines l
    JOIN charges h ON h.id = l.charge_id
    JOIN invoices i ON i.id = l.invoice_id
    JOIN businesses b ON b.id = i.business_id
    WHERE l.amount_minor <> h.amount_minor
      AND (SELECT sum(x.amount_minor + CASE WHEN b.prices_include_tax THEN 0 ELSE x.tax_minor END) FROM invoice_lines x
           WHERE x.invoice_id = i.id) = i.total_minor - i.rounding_minor
      AND NOT EXISTS (SELECT FROM delivery_event_lines e
                      JOIN delivery_lines dl ON dl.id = e.delivery_line_id
                      JOIN order_lines ol ON ol.id = dl.order_line_id
                      WHERE e.id = h.event_line_id
                        AND (SELECT sum(y.amount_minor) FROM delivery_event_lines f
                          JOIN charges y ON y.event_line_id = f.id
                             WHERE f.delivery_line_id = dl.id)
                          <> round(ol.unit_price * {scale("ol.currency")} *
                                   (SELECT sum(f.delta_quantity) FROM delivery_event_lines f
                                     WHERE f.delivery_line_id = dl.id)))
""",
)
