"""The queue's way in: runs what is due in the background, each periodic job once however many workers there are."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime

import procrastinate
import structlog
from sqlalchemy import Engine

from earlybird import wiring
from earlybird.infra.db import conninfo
from earlybird.infra.queue import OnDemand
from earlybird.infra.schedule import Periodic
from earlybird.infra.settings import Settings
from earlybird.jobs import service as jobs
from earlybird.kernel.ctx import SYSTEM, Ctx

log = structlog.get_logger("worker")

STOPS = (signal.SIGINT, signal.SIGTERM)
"""What tells a worker to stop."""


def circumstances() -> Ctx:
    """Return the system as actor, now."""
    return Ctx(actor=SYSTEM, now=Settings().now or datetime.now(UTC), via="job")


def create_queue(engine: Engine, settings: Settings) -> procrastinate.App:
    """Return the queue on the same database, as the same role, with every job registered, periodic and on demand."""
    queue = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=conninfo(engine)))
    for job in wiring.periodic(settings):
        register(queue, engine, job)
    for wanted in wiring.on_demand(settings):
        answer(queue, engine, wanted)
    return queue


def register(queue: procrastinate.App, engine: Engine, job: Periodic) -> None:
    """Let the queue run `job` on its schedule; one that is still waiting is not queued again.

    What is due is what the notes of its runs say, not what the queue says: a clock that stands still is always due.
    """

    def call(timestamp: int) -> None:
        ctx = circumstances()
        for run in jobs.run_due(engine, [job], ctx) if Settings().now is None else jobs.run_now(engine, job, ctx):
            log.info("ran", job=run.job, due=run.due_at.isoformat(), tick=timestamp, outcome=str(run.outcome))

    task = queue.task(name=job.name, queueing_lock=job.name, pass_context=False)(call)
    queue.periodic(cron=job.cron)(task)


def answer(queue: procrastinate.App, engine: Engine, job: OnDemand) -> None:
    """Let the queue run `job` whenever a commit asked for it."""

    def call() -> None:
        job.run(engine, circumstances())
        log.info("ran", job=job.name)

    queue.task(name=job.name, pass_context=False)(call)


def serve(engine: Engine, settings: Settings, told: Sequence[int] = ()) -> None:
    """Work until told to stop (SIGINT, SIGTERM); what is running is finished first.

    `told` holds the signals that came before there was anything to stop; whoever fills it has its own handlers.
    """
    asyncio.run(_work(create_queue(engine, settings), told))


async def _work(queue: procrastinate.App, told: Sequence[int]) -> None:
    async with queue.open_async():
        work = asyncio.ensure_future(
            queue.run_worker_async(
                concurrency=2, delete_jobs="successful", shutdown_graceful_timeout=10, install_signal_handlers=False
            )
        )
        for number in STOPS:
            asyncio.get_running_loop().add_signal_handler(number, work.cancel)
        if told:
            work.cancel()
        with suppress(asyncio.CancelledError):
            await work
