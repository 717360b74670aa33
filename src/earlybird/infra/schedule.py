"""Periodic jobs: what runs on which schedule, kept as a list that wiring fills and the worker runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from earlybird.infra.db import Engine
from earlybird.kernel.ctx import Ctx


@dataclass(frozen=True, slots=True)
class Periodic:
    """One job: its name (`slice.verb`), when (cron, in UTC) and what it does. It opens its own transactions.

    Most jobs do whatever is to be done by now, so that one run makes up for all that were missed. Where every due
    instant counts for itself, `each` is called for it instead, the newest `most` of those that were missed.
    """

    name: str
    cron: str
    run: Callable[[Engine, Ctx], object]
    each: Callable[[Engine, Ctx, datetime], object] | None = None
    most: int = 12

    @property
    def catch_up(self) -> str:
        """What makes up for missed runs: one run for all of them (`latest`), or one for each of them (`each`)."""
        return "latest" if self.each is None else "each"
