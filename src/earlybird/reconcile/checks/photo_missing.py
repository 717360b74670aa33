"""What a confirmation names as photographed arrives within a day: phones come back to where there is signal."""

from earlybird.audit.states import Severity
from earlybird.deliveries.queries.photos import MISSING
from earlybird.reconcile.rules import Check, Kind

CHECK = Check(
    number=25,
    name="photo_missing",
    title="Has every picture that a confirmation names arrived?",
    severity=Severity.warning,
    kind=Kind.live,
    sql=f"""
    SELECT m.event_id::text || ':' || m.name AS subject,
           format('A picture of the stop of %s was named and never sent', m.service_on) AS title,
           NULL::bigint AS money_minor, NULL::text AS currency, m.customer_id,
           jsonb_build_object('delivery_id', m.delivery_id, 'event_id', m.event_id, 'picture', m.name) AS facts
    FROM ({MISSING}) m
    WHERE m.received_at < CAST(:now AS timestamptz) - interval '1 day'
""",
)
