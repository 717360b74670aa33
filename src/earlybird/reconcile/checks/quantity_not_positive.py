"""What is ordered is more than nothing, and costs no less than nothing.

A quantity of nothing from a standing order is a wish (`0 means none`), not a mistake.
"""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind

CHECK = Check(
    number=42,
    name="quantity_not_positive",
    title="Is every ordered quantity and price a real one?",
    severity=Severity.error,
    kind=Kind.live,
    sql="""
    SELECT l.id::text AS subject,
           format('The line of %s on %s: %s at %s', l.product_name, l.service_on, trim_scale(l.quantity),
                  trim_scale(l.unit_price)) AS title,
           l.amount_minor AS money_minor, l.currency, l.customer_id,
           jsonb_build_object('order_line_id', l.id, 'quantity', l.quantity, 'unit_price', l.unit_price) AS facts
    FROM order_lines l
    WHERE l.quantity < 0 OR l.unit_price < 0
    UNION ALL
    SELECT p.id::text, format('A price from %s on is %s', p.valid_from, trim_scale(p.unit_price)), NULL, p.currency,
           p.customer_id, jsonb_build_object('price_id', p.id, 'product_id', p.product_id, 'unit_price', p.unit_price)
    FROM prices p WHERE p.unit_price < 0
""",
)
