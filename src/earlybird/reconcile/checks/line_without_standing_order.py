"""A line whose source is a standing order names one that exists."""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind

CHECK = Check(
    number=22,
    name="line_without_standing_order",
    title="Does every line from a standing order name it?",
    severity=Severity.error,
    kind=Kind.live,
    sql="""
    SELECT ol.id::text AS subject,
           format('The line of %s on %s comes from a standing order that it does not name', ol.product_name,
             ol.service_on)
             AS title,
           ol.amount_minor AS money_minor, ol.currency, ol.customer_id,
           jsonb_build_object('order_line_id', ol.id, 'order_id', ol.order_id, 'subscription_id', ol.subscription_id)
             AS facts
    FROM order_lines ol
    WHERE ol.source = 'subscription' AND NOT EXISTS (SELECT FROM subscriptions s WHERE s.id = ol.subscription_id)
""",
)
