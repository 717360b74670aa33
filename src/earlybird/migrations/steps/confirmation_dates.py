"""Dates are real: a delivery is confirmed when it happened, within the days around its planned day.

The door reads the policy row `check_dates`: not in the future, and beyond the days around the planned one only as a
correction with a reason. The database itself refuses an instant a day after it was told, from the first batch on.
What was told before stands as it was told: the past is listed, never rewritten; and while a listed row breaks the
constraint it is left not validated. What an import brings is told of another house's door and is only listed.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from earlybird.infra.db import rows, run, value
from earlybird.kernel.ctx import Ctx
from earlybird.migrations import holding, residue
from earlybird.migrations.protocol import Batch, Kind

NUMBER = 27
NAME = "confirmation_dates"
TITLE = "Dates are real"
REASON = (
    "What is confirmed for a day that has not come, or long past, is billed in the wrong month, or was never there."
)
KIND = Kind.enforces
TOUCHES = ("policies",)
WARNING = "Reverting lets a delivery be confirmed for any day, past or to come, as the old system did."
OPENS_A_HOLE = "A delivery can be confirmed for any day, past or to come, without a reason."
SWITCHES = {"check_dates": False}
LOCKS = {"delivery_events": "AccessExclusiveLock"}

CONSTRAINT = "delivery_events_device_at_held_check"
HOLD = f"""
ALTER TABLE delivery_events ADD CONSTRAINT {CONSTRAINT}
CHECK (via = 'import' OR device_at <= received_at + interval '1 day') NOT VALID
"""
PROVE = f"ALTER TABLE delivery_events VALIDATE CONSTRAINT {CONSTRAINT}"
RELEASE = f"ALTER TABLE delivery_events DROP CONSTRAINT IF EXISTS {CONSTRAINT}"

BREAKS = """
SELECT EXISTS (SELECT FROM delivery_events WHERE via <> 'import' AND device_at > received_at + interval '1 day')
"""


def phases(session: Session) -> list[list[str]]:
    """Hold new rows, then switch the door's rule on, then look at the old rows."""
    del session
    return [["hold"], ["switch"], ["prove"]]


def apply(session: Session, ctx: Ctx, batch: Batch, chunk: str) -> None:
    """Do one of the three; only the policy is a row."""
    if chunk == "switch":
        residue.policy(session, ctx, batch, "check_dates", value=True)
        return
    is_proven = holding.constraints(session, "delivery_events").get(CONSTRAINT)
    if chunk == "hold" and is_proven is None:
        holding.settle(session)
        run(session, HOLD)
    if chunk == "prove" and not value(session, BREAKS) and is_proven is False:
        holding.settle(session)
        run(session, PROVE)


def revert(session: Session, ctx: Ctx) -> dict[str, int]:
    """Take the constraint away."""
    del ctx
    run(session, RELEASE)
    return {}


VERIFY = f"""
WITH held AS (
    SELECT convalidated, pg_get_constraintdef(oid) AS said FROM pg_constraint WHERE conname = '{CONSTRAINT}'
), ahead AS (
    SELECT count(*) AS many FROM delivery_events
    WHERE extract(epoch FROM device_at - received_at) > 86400
      AND via IN ('driver_app', 'link', 'console', 'api', 'file')
)
SELECT 'check_dates' AS id, 'the policy is off' AS what
WHERE NOT EXISTS (SELECT FROM policies WHERE name = 'check_dates' AND value = CAST('true' AS jsonb))
UNION ALL
SELECT '{CONSTRAINT}', 'the constraint is not there' WHERE NOT EXISTS (SELECT FROM held)
UNION ALL
SELECT '{CONSTRAINT}', 'the constraint holds another rule' FROM held
WHERE strpos(said, 'device_at') = 0 OR strpos(said, 'received_at') = 0
UNION ALL
SELECT '{CONSTRAINT}', 'the constraint is not validated, though no row breaks it' FROM held, ahead
WHERE NOT convalidated AND many = 0
UNION ALL
SELECT '{CONSTRAINT}', 'the constraint is validated, though a row breaks it' FROM held, ahead
WHERE convalidated AND many > 0
"""


def verify(session: Session) -> list[dict[str, Any]]:
    """Say where the rule does not hold what is told from now on; rows told before it are listed by `unclear`."""
    return rows(session, VERIFY)


UNCLEAR = """
WITH told AS (
    SELECT e.id, e.received_at, e.device_at, e.device_at - e.received_at > interval '5 minutes' AS is_ahead,
           abs(CAST(e.device_at AT TIME ZONE s.zone AS date) - d.planned_on) AS days, o.state,
           e.kind = 'correct' AND e.reason IS NOT NULL AS is_correction
    FROM delivery_events e JOIN deliveries d ON d.id = e.delivery_id
    JOIN orders o ON o.id = d.order_id JOIN sites s ON s.id = o.site_id
), window_of AS (
    SELECT coalesce((SELECT CAST(value AS integer) FROM policies WHERE name = 'confirm_window_days'), 1) AS days
)
SELECT t.id, CASE WHEN t.is_ahead THEN 'confirmed for a time to come' WHEN t.state = 'cancelled'
       THEN 'confirmed, and its order is cancelled'
       ELSE format('confirmed %s days from its planned day', t.days) END AS what, CAST(NULL AS jsonb) AS candidates
FROM told t, window_of w
WHERE t.is_ahead OR t.state = 'cancelled' OR (t.days > w.days AND NOT t.is_correction)
ORDER BY t.id LIMIT 1000
"""


def unclear(session: Session) -> list[dict[str, Any]]:
    """List what was confirmed at a time, or of an order, that the rule would refuse today; it stands as it was told."""
    return rows(session, UNCLEAR)
