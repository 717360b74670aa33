"""Plan what is due to be planned: each site's day after its last cut-off, days that were missed within bounds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.audit.states import Severity
from earlybird.deliveries.service import planning
from earlybird.infra.db import Engine, rehearsal, rows, transaction
from earlybird.kernel.clock import at_local, business_day, cutoff_at, days
from earlybird.kernel.ctx import Ctx

CATCH_UP_DAYS = 3
"""How many past days a run that was missed still plans; older ones are left to a person."""

LOOK_BACK_DAYS = 14
"""How far back a missed day is looked for."""

GRACE = timedelta(minutes=1)
"""How long after the cut-off what was taken in its last instant may still be on its way."""

MISSED = "plan_run_missed"

SITES = """
SELECT s.id, s.name, s.zone, b.cutover_on,
       (SELECT min(r.service_on) FROM plan_runs r WHERE r.site_id = s.id) AS first_on,
       jsonb_agg(jsonb_build_object('cutoff', p.cutoff, 'days_before', p.cutoff_days_before,
                                    'starts', p.starts)) AS shifts
FROM sites s JOIN businesses b ON b.id = s.business_id JOIN shifts p ON p.site_id = s.id
WHERE s.archived_at IS NULL GROUP BY s.id, b.id ORDER BY s.id"""

RUNS = """
SELECT site_id, service_on, planned_at FROM plan_runs
WHERE site_id = ANY(CAST(:sites AS uuid[])) AND service_on >= :first_on"""


@dataclass(frozen=True, slots=True)
class Due:
    """A day of a site that is to be planned, or that was missed for good."""

    site_id: UUID
    site: str
    service_on: date
    is_late: bool
    """Its first shift has begun, and it was never planned."""
    is_lost: bool
    """It lies too far back to be planned by itself."""


def plan_due(engine: Engine, ctx: Ctx) -> int:
    """Plan every day whose last cut-off has passed since it was planned; return how many. Runs every five minutes.

    A day that should have been planned and was not is planned late, up to three days back, and a finding tells
    of it; an older one is only told of. Each site's day is one transaction, so a crash loses none.
    """
    with rehearsal(engine) as session:
        todo = due(session, ctx.now)
    for day in todo:
        with transaction(engine) as session:
            if not day.is_lost:
                planning.plan_day(session, ctx, day.site_id, day.service_on)
            if day.is_late:
                _tell(session, ctx, day)
    return sum(not day.is_lost for day in todo)


def due(session: Session, now: datetime) -> list[Due]:
    """List the days that wait for being planned, the most urgent first: tomorrow's before those that were missed."""
    sites = rows(session, SITES)
    first_on = now.date() - timedelta(days=LOOK_BACK_DAYS + 1)
    runs = {
        (row["site_id"], row["service_on"]): row["planned_at"]
        for row in rows(session, RUNS, {"sites": [str(site["id"]) for site in sites], "first_on": first_on})
    }
    told = {
        row["subject"] for row in rows(session, "SELECT subject FROM findings WHERE check_name = :m", {"m": MISSED})
    }
    found = [day for site in sites for day in _of_site(site, runs, told, now)]
    return sorted(found, key=lambda day: (day.is_lost, day.is_late, -day.service_on.toordinal()))


def _of_site(site: dict[str, Any], runs: dict[tuple[UUID, date], datetime], told: set[str], now: datetime) -> list[Due]:
    today = business_day(now, site["zone"])
    ahead = max(shift["days_before"] for shift in site["shifts"])
    begins = max(today - timedelta(days=LOOK_BACK_DAYS), site["first_on"] or today, site["cutover_on"] or date.min)
    found = []
    for day in days(begins, today + timedelta(days=ahead)):
        last = max(_cutoff(day, shift, site["zone"]) for shift in site["shifts"])
        planned_at = runs.get((site["id"], day))
        if now < last + GRACE or (planned_at is not None and planned_at >= last + GRACE):
            continue
        has_begun = now > min(at_local(day, time.fromisoformat(s["starts"]), site["zone"]) for s in site["shifts"])
        is_over = day < today and planned_at is not None
        is_before_first = has_begun and site["first_on"] is None
        is_lost = day < today - timedelta(days=CATCH_UP_DAYS)
        if is_over or is_before_first or (is_lost and _subject(site["id"], day) in told):
            continue
        found.append(Due(site["id"], site["name"], day, has_begun and planned_at is None, is_lost))
    return found


def _cutoff(day: date, shift: dict[str, Any], zone: str) -> datetime:
    return cutoff_at(day, time.fromisoformat(shift["cutoff"]), shift["days_before"], zone)


def _subject(site_id: UUID, day: date) -> str:
    return f"{site_id} {day}"


def _tell(session: Session, ctx: Ctx, day: Due) -> None:
    """Keep a finding about a day that was planned late, or never."""
    late = f"The plan of {day.service_on} for {day.site} was made after its round began."
    lost = f"{day.service_on} was never planned for {day.site}; plan it by hand if it was delivered."
    audit.report(
        session,
        ctx,
        MISSED,
        _subject(day.site_id, day.service_on),
        lost if day.is_lost else late,
        severity=Severity.error if day.is_lost else Severity.warning,
        facts={"site_id": str(day.site_id), "service_on": str(day.service_on)},
    )
