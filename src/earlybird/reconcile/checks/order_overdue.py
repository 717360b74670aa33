"""An order is not left standing a week after its day: it was delivered, it failed, or it is cancelled.

Days before the cut-over are the old system's.
"""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind

CHECK = Check(
    number=43,
    name="order_overdue",
    title="Was something said of every order of a week ago?",
    severity=Severity.warning,
    kind=Kind.live,
    sql="""
    SELECT o.id::text AS subject, format('The order of %s is still %s', o.service_on, o.state) AS title,
           l.amount AS money_minor, l.currency, o.customer_id,
           jsonb_build_object('order_id', o.id, 'service_on', o.service_on, 'state', o.state) AS facts
    FROM orders o
    JOIN businesses b ON b.id = o.seller_id
    LEFT JOIN LATERAL (SELECT sum(x.amount_minor)::bigint AS amount, min(x.currency) AS currency
                       FROM order_lines x WHERE x.order_id = o.id AND x.cancelled_at IS NULL) l ON true
    WHERE o.state IN ('placed', 'planned', 'out') AND o.service_on < CAST(CAST(:now AS timestamptz) AS date) - 7
      AND (b.cutover_on IS NULL OR o.service_on >= b.cutover_on)
      AND o.state_at < CAST(:now AS timestamptz) - interval '7 days'
""",
)
