"""Every stop of these days stands in a round, and its driver is the round's: days are cut each minute."""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind

CHECK = Check(
    number=26,
    name="stop_without_round",
    title="Stands every planned stop in a round of its driver?",
    severity=Severity.error,
    kind=Kind.live,
    sql="""
    SELECT d.id::text AS subject,
           CASE WHEN r.id IS NULL THEN format('A stop of %s stands in no round, so nobody drives there', d.planned_on)
                ELSE format('A stop of %s stands in a round of somebody who is not its driver', d.planned_on)
           END AS title,
           NULL::bigint AS money_minor, NULL::text AS currency, d.customer_id,
           jsonb_build_object('delivery_id', d.id, 'order_id', d.order_id, 'round_id', r.id, 'state', d.state) AS facts
    FROM deliveries d
    LEFT JOIN round_stops s ON s.delivery_id = d.id
    LEFT JOIN rounds r ON r.id = s.round_id
    WHERE d.planned_on >= CAST(CAST(:now AS timestamptz) AS date) - 1
      AND d.planned_on <= CAST(CAST(:now AS timestamptz) AS date) + 31
      AND d.shift IS NOT NULL AND d.state IN ('planned', 'out')
      AND d.state_at < CAST(:now AS timestamptz) - interval '15 minutes'
      AND (r.id IS NULL OR d.driver_id IS DISTINCT FROM r.driver_id)
""",
)
