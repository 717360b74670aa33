"""Periodic jobs: what runs on which schedule, kept as a list that wiring fills and the worker runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from earlybird.infra.db import Engine
from earlybird.kernel.ctx import Ctx


@dataclass(frozen=True, slots=True)
class Periodic:
    """One job: its name (`slice.verb`), when (cron, in UTC) and what it does. It opens its own transactions."""

    name: str
    cron: str
    run: Callable[[Engine, Ctx], object]
