"""A pause without an end is asked about after ninety days: the household may have left."""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind

CHECK = Check(
    number=51,
    name="pause_endless",
    title="Which pauses have no end?",
    severity=Severity.info,
    kind=Kind.live,
    sql="""
    SELECT p.id::text AS subject, format('Paused since %s, without an end', p.starts_on) AS title,
           NULL::bigint AS money_minor, NULL::text AS currency, s.customer_id,
           jsonb_build_object('pause_id', p.id, 'subscription_id', p.subscription_id, 'starts_on', p.starts_on)
             AS facts
    FROM subscription_pauses p JOIN subscriptions s ON s.id = p.subscription_id
    WHERE p.ends_on IS NULL AND p.cancelled_at IS NULL AND s.state = 'active'
      AND p.starts_on < CAST(CAST(:now AS timestamptz) AS date) - 90
""",
)
