"""Run what is due, once for each due instant, whoever asks and however often; tell what was missed and what failed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

import structlog

from earlybird.audit import service as audit
from earlybird.audit.states import Severity
from earlybird.infra.db import Engine, Session, rehearsal, run, transaction, tried_alone
from earlybird.infra.schedule import Periodic
from earlybird.jobs import queries, rules
from earlybird.jobs.errors import RunsAlready
from earlybird.jobs.queries import LOCK
from earlybird.jobs.states import Outcome, Standing
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.errors import Failure
from earlybird.kernel.ids import new_id

MISSED = "job_missed"
FAILED = "job_failed"

log = structlog.get_logger("jobs")


@dataclass(frozen=True, slots=True)
class Run:
    """One run: of which job, for which due instant, and what came of it (`row_count` as the job counts)."""

    job: str
    due_at: datetime
    outcome: Outcome
    row_count: int | None
    error: str | None


def run_due(engine: Engine, jobs: Sequence[Periodic], ctx: Ctx) -> list[Run]:
    """Run every job that fell due since it last ran, in the order of the list; return the runs.

    A job that makes up for everything in one run is run once, for its newest due instant; one of which each instant
    counts is run for each, the oldest first. What another process runs at this moment is left to it. A run that
    fails is told as a finding and tried again, ever later, whenever this is called; the other jobs go on.
    """
    return [made for job in jobs for made in _run_due(engine, job, ctx)]


def run_now(engine: Engine, job: Periodic, ctx: Ctx) -> list[Run]:
    """Run one job whether or not it is due; refuse while it runs elsewhere. What it missed is made up for thereby."""
    with tried_alone(engine, LOCK + job.name) as is_ours:
        if not is_ours:
            raise RunsAlready(job=job.name)
        missed = _look(engine, job, ctx, is_asked_for=True) if job.each else []
        return _run_all(engine, job, ctx, missed) or [_run(engine, job, ctx, ctx.now, job.run)]


def catch_up(engine: Engine, jobs: Sequence[Periodic], ctx: Ctx) -> list[Run]:
    """Run the jobs that are late or failed, in the order of the list; what is on time is left to its own moment."""
    with rehearsal(engine) as session:
        found = queries.standings(session, jobs, ctx.now)
    late = {row["name"] for row in found if row["missed_since_at"] or row["state"] == Standing.failed}
    return run_due(engine, [job for job in jobs if job.name in late], ctx)


def watch(jobs: Sequence[Periodic]) -> Periodic:
    """Return the job that each minute makes up for what the others missed, a stopped server's days included."""
    return Periodic("jobs.catch_up", "* * * * *", lambda engine, ctx: len(catch_up(engine, jobs, ctx)))


def forget(jobs: Sequence[Periodic]) -> Periodic:
    """Return the job that each night drops runs older than 30 days; each job keeps its newest."""

    def call(engine: Engine, ctx: Ctx) -> int:
        with transaction(engine) as session:
            return run(
                session,
                "DELETE FROM job_runs r WHERE (started_at < :old OR (outcome = 'done' AND started_at < :recent "
                "AND job = ANY(:frequent))) AND due_at < (SELECT max(n.due_at) FROM job_runs n WHERE n.job = r.job)",
                {
                    "old": ctx.now - rules.KEPT,
                    "recent": ctx.now - rules.KEPT_OF_FREQUENT,
                    "frequent": [job.name for job in jobs if rules.is_frequent(job.cron, ctx.now)],
                },
            )

    return Periodic("jobs.forget", "50 20 * * *", call)


def _run_due(engine: Engine, job: Periodic, ctx: Ctx) -> list[Run]:
    with tried_alone(engine, LOCK + job.name) as is_ours:
        return _run_all(engine, job, ctx, _look(engine, job, ctx)) if is_ours else []


def _run_all(engine: Engine, job: Periodic, ctx: Ctx, due: Sequence[datetime]) -> list[Run]:
    """Run the job for due instants, the oldest first; the first that fails is the last."""
    made: list[Run] = []
    for due_at in due:
        if made and made[-1].outcome != Outcome.done:
            break
        call = job.run if job.each is None else partial(_call_each, job.each, due_at)
        made.append(_run(engine, job, ctx, due_at, call))
    return made


def _call_each(each: Callable[[Engine, Ctx, datetime], object], due_at: datetime, engine: Engine, ctx: Ctx) -> object:
    return each(engine, ctx, due_at)


def _look(engine: Engine, job: Periodic, ctx: Ctx, *, is_asked_for: bool = False) -> list[datetime]:
    """Return the due instants to run now, the oldest first, once those who died and what was missed are told of."""
    with transaction(engine) as session:
        known = queries.standing_of_ours(session, job, ctx.now)
        run(
            session,
            "INSERT INTO job_clocks (job, covered_until_at) VALUES (:job, :at) ON CONFLICT DO NOTHING",
            {"job": job.name, "at": known["covered_until_at"]},
        )
        _bury(session, ctx, job)
        due = rules.newest_due(job.cron, known["covered_until_at"], ctx.now, most=1 if job.each is None else job.most)
        if not due:
            return []
        last = queries.last_try(session, job.name, due[0])
        if last and last["outcome"] == Outcome.failed and not is_asked_for:
            is_early = ctx.now < last["finished_at"] + rules.wait(last["tries"])
            if is_early:
                return []
        if known["missed_since_at"] is not None:
            _tell_missed(session, ctx, job, known["missed_since_at"], due)
        return due


def _bury(session: Session, ctx: Ctx, job: Periodic) -> None:
    """Note the runs whose worker died: whoever holds the job's lock knows that nobody else runs it."""
    dead = run(
        session,
        "UPDATE job_runs SET outcome = :died, finished_at = :now, error = :error "
        "WHERE job = :job AND outcome = :running",
        {
            "job": job.name,
            "now": ctx.now,
            "died": Outcome.died,
            "running": Outcome.running,
            "error": "The worker died while it ran.",
        },
    )
    if dead:
        _tell_failed(session, ctx, job, f"A worker died while {job.name} ran.")


def _tell_missed(session: Session, ctx: Ctx, job: Periodic, first: datetime, due: Sequence[datetime]) -> None:
    """Keep a finding about the first due instant that passed unused, and one about those too old to be made up for."""
    audit.report(
        session,
        ctx,
        MISSED,
        f"{job.name} {first:%Y-%m-%dT%H:%M:%SZ}",
        f"{job.name} did not run from {first:%Y-%m-%d %H:%M} to {due[-1]:%Y-%m-%d %H:%M} UTC.",
        severity=Severity.warning,
        facts={"job": job.name, "due_at": first.isoformat(), "until_at": due[-1].isoformat()},
    )
    if job.each is not None and first < due[0]:
        lost = f"{job.name} was never run for {first:%Y-%m-%d %H:%M} UTC and after; it is left to a person."
        facts = {"job": job.name, "due_at": first.isoformat(), "before_at": due[0].isoformat(), "is_lost": True}
        audit.report(session, ctx, MISSED, f"{job.name} {first:%Y-%m-%dT%H:%M:%SZ} lost", lost, facts=facts)


def _tell_failed(session: Session, ctx: Ctx, job: Periodic, title: str) -> None:
    audit.report(session, ctx, FAILED, job.name, title, facts={"job": job.name})


def _run(engine: Engine, job: Periodic, ctx: Ctx, due_at: datetime, call: Callable[[Engine, Ctx], object]) -> Run:
    """Run a job of which we hold the lock, and note it before and after."""
    with transaction(engine) as session:
        run(
            session,
            "INSERT INTO job_runs (job, due_at, started_at) VALUES (:job, :due_at, :now) "
            "ON CONFLICT (job, due_at) DO UPDATE SET started_at = :now, finished_at = NULL, outcome = 'running', "
            "tries = job_runs.tries + 1, row_count = NULL, error = NULL",
            {"job": job.name, "due_at": due_at, "now": ctx.now},
        )
    own = replace(ctx, trace_id=new_id().hex)
    begun = time.monotonic()
    count, error = None, None
    try:
        found = call(engine, own)
    except Exception as failure:
        log.exception("failed", job=job.name, due=due_at.isoformat(), trace_id=own.trace_id)
        error = failure.message if isinstance(failure, Failure) else type(failure).__name__
        error = f"{error} (trace {own.trace_id} in the log)"
    else:
        count = found if isinstance(found, int) and not isinstance(found, bool) else None
    made = Run(job.name, due_at, Outcome.done if error is None else Outcome.failed, count, error)
    with transaction(engine) as session:
        _note(session, ctx.at(ctx.now + timedelta(seconds=time.monotonic() - begun)), job, made)
    return made


def _note(session: Session, ctx: Ctx, job: Periodic, made: Run) -> None:
    """Note what came of a run; one that went well covers every due instant before it and closes what was told."""
    facts = {
        "job": job.name,
        "due_at": made.due_at,
        "now": ctx.now,
        "outcome": made.outcome,
        "count": made.row_count,
        "error": made.error,
    }
    run(
        session,
        "UPDATE job_runs SET finished_at = :now, outcome = :outcome, row_count = :count, error = :error "
        "WHERE job = :job AND due_at = :due_at",
        facts,
    )
    if made.error is not None:
        _tell_failed(session, ctx, job, f"{job.name} failed: {made.error}")
        return
    run(
        session,
        "INSERT INTO job_clocks (job, covered_until_at) VALUES (:job, :due_at) ON CONFLICT (job) "
        "DO UPDATE SET covered_until_at = greatest(job_clocks.covered_until_at, excluded.covered_until_at)",
        facts,
    )
    for check_name in (MISSED, FAILED):
        audit.resolve_many(session, ctx, check_name, queries.open_subjects(session, check_name, job.name))
