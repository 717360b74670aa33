"""The injected clock, and the worker's jobs on it: each runs when its schedule says so, by that clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from croniter import croniter

from earlybird.infra.db import DatabaseDown, Engine
from earlybird.infra.schedule import Periodic
from earlybird.kernel.ctx import SYSTEM, Ctx

ZONE = ZoneInfo("Asia/Kolkata")


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
    """Runs every job that came due since it last looked, once, in the order they are listed."""

    engine: Engine
    clock: Clock
    jobs: tuple[Periodic, ...]
    looked_at: datetime
    runs: int = 0
    again: int = 0
    kill: Callable[[Periodic], bool] = field(default=lambda _job: False)
    """Runs a job in a process that dies under it, where one is to die; says whether it did."""

    def work(self) -> None:
        """Do what is due; what died is done again, as the next worker would."""
        since, self.looked_at = self.looked_at, self.clock.now
        for job in self.jobs:
            if croniter(job.cron, since).get_next(datetime) > self.clock.now:
                continue
            self.again += self.kill(job)
            try:
                job.run(self.engine, self._ctx())
            except DatabaseDown:
                self.again += 1
                job.run(self.engine, self._ctx())
            self.runs += 1

    def _ctx(self) -> Ctx:
        return Ctx(actor=SYSTEM, now=self.clock.now, via="job")
