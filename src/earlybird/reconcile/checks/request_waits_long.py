"""A request is decided within three days."""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind

CHECK = Check(
    number=59,
    name="request_waits_long",
    title="Is no request waiting for three days?",
    severity=Severity.warning,
    kind=Kind.live,
    sql="""
    SELECT r.id::text AS subject, format('A request (%s) for %s has been waiting since %s', r.kind, r.service_on,
                  CAST(r.made_at AS date)) AS title,
           NULL::bigint AS money_minor, NULL::text AS currency, r.customer_id, jsonb_build_object('request_id', r.id,
             'made_at', r.made_at) AS facts
    FROM requests r
    WHERE r.state = 'waiting' AND r.made_at < CAST(:now AS timestamptz) - interval '3 days'
""",
)
