"""A pause ends no sooner than it starts."""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind

CHECK = Check(
    number=50,
    name="pause_reversed",
    title="Does every pause end after it starts?",
    severity=Severity.error,
    kind=Kind.live,
    sql="""
    SELECT p.id::text AS subject, format('A pause starts on %s and ends on %s', p.starts_on, p.ends_on) AS title,
           NULL::bigint AS money_minor, NULL::text AS currency, s.customer_id,
           jsonb_build_object('pause_id', p.id, 'subscription_id', p.subscription_id) AS facts
    FROM subscription_pauses p JOIN subscriptions s ON s.id = p.subscription_id
    WHERE p.ends_on < p.starts_on AND p.cancelled_at IS NULL
""",
)
