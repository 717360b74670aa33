"""Up to when a job is looked after, how it stands, and how its runs went."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from earlybird.infra.db import Session, rows
from earlybird.infra.schedule import Periodic
from earlybird.jobs import rules
from earlybird.jobs.errors import NoSuchJob
from earlybird.jobs.states import Outcome, Standing

INSTALLATION = "installation"

LOCK = "jobs.run:"
"""How the advisory lock of a running job begins."""

KNOWN = """
WITH asked AS (
    SELECT name, place, hashtextextended(:lock || name, 0) AS lock_key
    FROM unnest(CAST(:names AS text[])) WITH ORDINALITY AS a (name, place)
)
SELECT a.name, coalesce(c.covered_until_at, least(i.covered_until_at, :now)) AS covered_at, r.due_at, r.started_at,
       r.finished_at, r.outcome, r.tries, r.row_count, r.error,
       EXISTS (SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
               AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
               AND (CAST(l.classid AS bigint) << 32) | CAST(l.objid AS bigint) = a.lock_key) AS is_running
FROM asked a
LEFT JOIN job_clocks c ON c.job = a.name
LEFT JOIN job_clocks i ON i.job = :installation
LEFT JOIN LATERAL (SELECT * FROM job_runs r WHERE r.job = a.name ORDER BY r.due_at DESC LIMIT 1) r ON true
ORDER BY a.place"""
"""Each job asked for: up to when it is covered (since the installation, where nobody has looked yet), its last run."""


def standings(session: Session, jobs: Sequence[Periodic], now: datetime) -> list[dict[str, Any]]:
    """Return how each job stands: its schedule, its last run, when it is next due, and by how many seconds it lags."""
    return [_standing(job, row, now) for job, row in zip(jobs, _known(session, jobs, now), strict=True)]


def standing_of_ours(session: Session, job: Periodic, now: datetime) -> dict[str, Any]:
    """Return how one job stands whose lock the caller holds, so that nobody runs it."""
    return _standing(job, _known(session, [job], now)[0] | {"is_running": False}, now)


def missed(session: Session, jobs: Sequence[Periodic], now: datetime) -> list[dict[str, Any]]:
    """Return the jobs that should have run by now and did not, whether or not a worker is there to notice."""
    return [found for found in standings(session, jobs, now) if found["missed_since_at"] is not None]


def named(jobs: Sequence[Periodic], name: str) -> Periodic:
    """Return the job of that name, or raise `NoSuchJob`."""
    found = next((job for job in jobs if job.name == name), None)
    if found is None:
        raise NoSuchJob(field="name", name=name)
    return found


def open_subjects(session: Session, check_name: str, job: str) -> list[str]:
    """Return what open findings about a job are about, but for what is left to a person."""
    found = rows(
        session,
        "SELECT subject FROM findings WHERE check_name = :check_name AND state = 'open' AND facts ->> 'job' = :job "
        "AND NOT coalesce(CAST(facts ->> 'is_lost' AS boolean), false)",
        {"check_name": check_name, "job": job},
    )
    return [row["subject"] for row in found]


def last_try(session: Session, job: str, due_at: datetime) -> dict[str, Any] | None:
    """Return how the run of one due instant went (outcome, tries, finished_at), if there was one."""
    found = rows(
        session,
        "SELECT outcome, tries, finished_at FROM job_runs WHERE job = :job AND due_at = :due_at",
        {"job": job, "due_at": due_at},
    )
    return found[0] if found else None


def _known(session: Session, jobs: Sequence[Periodic], now: datetime) -> list[dict[str, Any]]:
    facts = {"names": [job.name for job in jobs], "now": now, "lock": LOCK, "installation": INSTALLATION}
    return rows(session, KNOWN, facts)


def _standing(job: Periodic, row: dict[str, Any], now: datetime) -> dict[str, Any]:
    covered_at = row["covered_at"] or now
    is_done = row["outcome"] == Outcome.done
    first = rules.next_due(job.cron, max(covered_at, row["finished_at"]) if is_done else covered_at)
    is_missed = first <= now - rules.GRACE and not row["is_running"]
    state = Standing.waiting
    if row["is_running"]:
        state = Standing.running
    elif row["outcome"] is not None and not is_done:
        state = Standing.failed
    elif is_missed:
        state = Standing.missed
    return {
        "name": job.name,
        "cron": job.cron,
        "catch_up": job.catch_up,
        "state": str(state),
        "covered_until_at": covered_at,
        "missed_since_at": first if is_missed else None,
        "lag_seconds": int((now - first).total_seconds()) if is_missed else 0,
        "next_due_at": rules.next_due(job.cron, now),
        "last_due_at": row["due_at"],
        "last_started_at": row["started_at"],
        "last_finished_at": row["finished_at"],
        "last_outcome": row["outcome"],
        "tries": row["tries"],
        "row_count": row["row_count"],
        "error": row["error"],
    }
