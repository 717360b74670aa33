"""The pauses of a standing order stand one after the other."""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind

CHECK = Check(
    number=49,
    name="pause_overlaps",
    title="Do no pauses overlap?",
    severity=Severity.warning,
    kind=Kind.live,
    sql="""
    SELECT p.id::text AS subject,
           format('The pause from %s on overlaps one from %s to %s', p.starts_on, p.before_from,
                  coalesce(NULLIF(p.before_to, 'infinity')::text, 'no end')) AS title,
           NULL::bigint AS money_minor, NULL::text AS currency, s.customer_id,
           jsonb_build_object('pause_id', p.id, 'subscription_id', p.subscription_id, 'starts_on', p.starts_on)
             AS facts
    FROM (SELECT x.*, max(coalesce(x.ends_on, 'infinity')) OVER before AS before_to,
                 max(x.starts_on) OVER before AS before_from
          FROM subscription_pauses x WHERE x.cancelled_at IS NULL AND (x.ends_on IS NULL OR x.ends_on >= x.starts_on)
          WINDOW before AS (PARTITION BY x.subscription_id ORDER BY x.starts_on, x.id
                            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) p
    JOIN subscriptions s ON s.id = p.subscription_id
    WHERE p.starts_on <= p.before_to AND s.state <> 'stopped'
""",
)
