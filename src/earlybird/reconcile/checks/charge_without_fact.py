"""Every charge stands on a line of a door event."""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind

CHECK = Check(
    number=2,
    name="charge_without_fact",
    title="Was everything charged delivered?",
    severity=Severity.error,
    kind=Kind.live,
    sql="""
    SELECT h.id::text AS subject,
           format('Charged for %s on %s, but nothing was recorded at the door', trim_scale(h.quantity), h.service_on)
             AS title,
           h.amount_minor AS money_minor, h.currency, h.customer_id,
           jsonb_build_object('charge_id', h.id, 'event_line_id', h.event_line_id, 'service_on', h.service_on,
                              'quantity', h.quantity) AS facts
    FROM charges h
    WHERE NOT EXISTS (SELECT FROM delivery_event_lines e WHERE e.id = h.event_line_id)
""",
)
