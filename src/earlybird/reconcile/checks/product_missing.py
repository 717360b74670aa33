"""What is ordered, once or standing, is a product that exists."""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind

CHECK = Check(
    number=37,
    name="product_missing",
    title="Is everything ordered a product?",
    severity=Severity.error,
    kind=Kind.live,
    sql="""
    SELECT l.id::text AS subject,
           format('The line of %s on %s names a product that is not there', l.product_name, l.service_on) AS title,
           l.amount_minor AS money_minor, l.currency, l.customer_id,
           jsonb_build_object('order_line_id', l.id, 'product_id', l.product_id) AS facts
    FROM order_lines l
    WHERE NOT EXISTS (SELECT FROM products p WHERE p.id = l.product_id)
    UNION ALL
    SELECT v.id::text, format('A standing order from %s names a product that is not there', v.valid_from), NULL, NULL,
           s.customer_id, jsonb_build_object('subscription_id', s.id, 'product_id', v.product_id)
    FROM subscription_versions v JOIN subscriptions s ON s.id = v.subscription_id
    WHERE NOT EXISTS (SELECT FROM products p WHERE p.id = v.product_id)
""",
)
