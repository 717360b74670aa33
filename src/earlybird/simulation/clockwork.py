"""The injected clock, and the worker's jobs on it: each runs when its schedule says so, by that clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from earlybird.infra.db import DatabaseDown, Engine
from earlybird.infra.schedule import Periodic
from earlybird.jobs import service
from earlybird.jobs.states import Outcome
from earlybird.kernel.ctx import SYSTEM, Ctx

ZONE = ZoneInfo("Asia/Kolkata")
PAUSE = timedelta(minutes=3)
TRIES = 5


@dataclass
class Clock:
    """What time it is, for everybody."""

    now: datetime

    def __call__(self) -> datetime:
        """Return the instant, in UTC."""
        return self.now

    def today(self) -> date:
        """Return what day it is at the depot."""
        return self.now.astimezone(ZONE).date()


def at(day: date, hour: int, minute: int = 0) -> datetime:
    """Return the instant of a time of day at the depot."""
    return datetime.combine(day, time(hour, minute), ZONE).astimezone(UTC)


@dataclass
class Worker:
    """Runs what is due whenever it is woken, as the worker does: each job once, whatever died is done again."""

    engine: Engine
    clock: Clock
    jobs: tuple[Periodic, ...]
    hurt: Callable[[tuple[Periodic, ...]], int] = field(default=lambda _jobs: 0)
    """Called before each time; says how many processes died under a job."""
    runs: int = 0
    again: int = 0

    def work(self) -> None:
        """Do what is due; what failed is tried again minutes later, by the clock."""
        self.again += self.hurt(self.jobs)
        for _ in range(TRIES):
            if self._run_due():
                return
            self.clock.now += PAUSE
            self.again += 1

    def _run_due(self) -> bool:
        """Run what is due; say whether all of it went well."""
        try:
            made = service.run_due(self.engine, self.jobs, Ctx(actor=SYSTEM, now=self.clock.now, via="job"))
        except DatabaseDown:
            return False
        self.runs += len(made)
        return all(run.outcome == Outcome.done for run in made)
