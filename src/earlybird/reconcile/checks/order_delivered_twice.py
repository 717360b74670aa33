"""An order has one stop that is open, or one that brought all of it."""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind

CHECK = Check(
    number=41,
    name="order_delivered_twice",
    title="Is no order delivered twice?",
    severity=Severity.error,
    kind=Kind.live,
    sql="""
    SELECT d.order_id::text AS subject,
           format('The order of %s has %s stops that are open or delivered whole', min(d.planned_on), count(*))
             AS title,
           NULL::bigint AS money_minor, NULL::text AS currency, min(d.customer_id::text)::uuid AS customer_id,
           jsonb_build_object('order_id', d.order_id, 'delivery_ids', array_agg(d.id)) AS facts
    FROM deliveries d
    WHERE d.state IN ('planned', 'out', 'delivered')
    GROUP BY d.order_id
    HAVING count(*) FILTER (WHERE d.state = 'delivered') > 1
        OR count(*) FILTER (WHERE d.state IN ('planned', 'out')) > 1
        OR count(*) FILTER (WHERE d.state = 'delivered') > 0
           AND count(*) FILTER (WHERE d.state IN ('planned', 'out')) > 0 AND count(DISTINCT d.planned_on) = 1
""",
)
