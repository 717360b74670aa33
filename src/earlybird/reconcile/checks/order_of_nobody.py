"""Every order, and every standing order, is of a customer: never of a login's id, never of nobody."""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind

CHECK = Check(
    number=35,
    name="order_of_nobody",
    title="Is every order a customer's?",
    severity=Severity.error,
    kind=Kind.live,
    sql="""
    SELECT o.id::text AS subject, format('The order of %s names no customer', coalesce(o.service_on::text, 'no date'))
             AS title, NULL::bigint AS money_minor, NULL::text AS currency, NULL::uuid AS customer_id,
           jsonb_build_object('order_id', o.id, 'named', o.customer_id,
                              'user_id', (SELECT u.id FROM users u WHERE u.id = o.customer_id)) AS facts
    FROM orders o
    WHERE NOT EXISTS (SELECT FROM customers c WHERE c.id = o.customer_id)
    UNION ALL
    SELECT s.id::text, format('A standing order from %s names no customer', s.starts_on), NULL, NULL, NULL,
           jsonb_build_object('subscription_id', s.id, 'named', s.customer_id,
                              'user_id', (SELECT u.id FROM users u WHERE u.id = s.customer_id))
    FROM subscriptions s
    WHERE NOT EXISTS (SELECT FROM customers c WHERE c.id = s.customer_id)
""",
)
