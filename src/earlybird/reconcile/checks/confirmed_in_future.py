"""A confirmation tells of what has been: its device's clock is right to five minutes, its day has come.

A service date may be confirmed the day before it.
"""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind

CHECK = Check(
    number=60,
    name="confirmed_in_future",
    title="Was nothing confirmed before its time?",
    severity=Severity.error,
    kind=Kind.live,
    sql="""
    SELECT e.id::text AS subject,
           format('The stop of %s was confirmed at %s by a clock that was ahead of ours', e.service_on, e.device_at)
             AS title,
           NULL::bigint AS money_minor, NULL::text AS currency, e.customer_id,
           jsonb_build_object('event_id', e.id, 'delivery_id', e.delivery_id, 'device_at', e.device_at,
                              'received_at', e.received_at) AS facts
    FROM delivery_events e
    WHERE e.via <> 'import'
      AND (e.device_at > e.received_at + interval '5 minutes'
           OR e.kind = 'confirm' AND e.service_on > CAST(e.device_at + interval '38 hours' AS date))
""",
)
