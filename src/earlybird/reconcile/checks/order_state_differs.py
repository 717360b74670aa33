"""An order's state is the outcome of its stops.

A stop whose own state is wrong is the question `stop_state_differs`. The few wrong ones are found before that is
asked of them: asked of all, PostgreSQL expects hardly any row of it and would go through all stops once for each.
"""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind, outcome

CHECK = Check(
    number=21,
    name="order_state_differs",
    title="Does every order stand where its stops do?",
    severity=Severity.error,
    kind=Kind.live,
    sql=f"""
    WITH stops AS (
        SELECT d.order_id, count(*) AS attempts,
               (array_agg(d.state ORDER BY d.attempt DESC))[1] AS last,
               bool_or(d.state IN ('delivered', 'partially_delivered')) AS some,
               bool_or(d.state = 'delivered') AS whole
        FROM deliveries d
        GROUP BY d.order_id
    ), wrong AS MATERIALIZED (
        SELECT o.id, o.service_on, o.state, o.customer_id, x.outcome
        FROM orders o
        JOIN stops s ON s.order_id = o.id
        CROSS JOIN LATERAL (SELECT CASE WHEN s.attempts = 1 OR s.last IN ('planned', 'out') THEN s.last
                                        WHEN s.some AND o.state = 'partially_delivered' THEN o.state
                                        WHEN s.whole THEN 'delivered' WHEN s.some THEN 'partially_delivered'
                                        ELSE 'not_delivered' END AS outcome) x
        WHERE o.state <> x.outcome
    )
    SELECT o.id::text AS subject,
           format('The order for %s is %s, its stops say %s', coalesce(o.service_on::text, 'no date'), o.state,
             o.outcome)
             AS title,
           NULL::bigint AS money_minor, NULL::text AS currency, o.customer_id,
           jsonb_build_object('order_id', o.id, 'state', o.state, 'stops', o.outcome) AS facts
    FROM wrong o
    WHERE NOT EXISTS (SELECT FROM deliveries d JOIN LATERAL {outcome("d")} y ON true
                      WHERE d.order_id = o.id AND y.state <> d.state)
""",
)
