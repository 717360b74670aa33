"""A confirmed stop is delivered, partly delivered or not delivered as its lines are."""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind, outcome

CHECK = Check(
    number=23,
    name="stop_state_differs",
    title="Does every stop stand where its lines do?",
    severity=Severity.error,
    kind=Kind.live,
    sql=f"""
    SELECT d.id::text AS subject,
           format('The stop of %s is %s, its lines say %s', d.planned_on, d.state, x.state) AS title,
           NULL::bigint AS money_minor, NULL::text AS currency, d.customer_id,
           jsonb_build_object('delivery_id', d.id, 'state', d.state, 'lines', x.state) AS facts
    FROM deliveries d
    JOIN LATERAL {outcome("d")} x ON true
    WHERE d.state <> x.state
""",
)
