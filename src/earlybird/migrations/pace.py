"""How fast a step may go: it holds back while others wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from sqlalchemy import Engine, text

WAITING = text(
    "SELECT count(*) FROM pg_stat_activity a WHERE datname = current_database() AND wait_event_type = 'Lock' "
    "AND pid <> pg_backend_pid() AND application_name <> 'earlybird steps' "
    "AND clock_timestamp() - query_start > interval '50 milliseconds'"
)

LOOK_EVERY = 0.1
"""Seconds between two looks at who waits."""

LEAST, MOST = 0.1, 4.0
"""The shortest and the longest rest, as a multiple of the batch before it."""


@dataclass(slots=True)
class Pace:
    """Rests between batches: none while nobody waits, up to four times the work while somebody does."""

    ratio: float = 0.0
    rested: float = 0.0
    slept: Callable[[float], None] = time.sleep
    _troubled: threading.Event = field(default_factory=threading.Event)

    def trouble(self) -> None:
        """Say that somebody waits for a lock, or that a look at the database took long."""
        self._troubled.set()

    def after(self, seconds: float) -> float:
        """Rest after a batch that took `seconds`; return how long."""
        if self._troubled.is_set():
            self._troubled.clear()
            self.ratio = min(max(self.ratio * 2, 0.5), MOST)
        else:
            self.ratio = self.ratio / 2 if self.ratio > LEAST else 0.0
        rest = seconds * self.ratio
        if rest:
            self.rested += rest
            self.slept(rest)
        return rest


class Watch:
    """Looks at the live side on a connection of its own while a step runs, and tells the pace."""

    def __init__(self, engine: Engine, pace: Pace) -> None:
        """Nothing is looked at before the block begins."""
        self.engine, self.pace = engine, pace
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        """Begin to look."""
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop looking."""
        self.over.set()
        self.thread.join()

    def _look(self) -> None:
        usual = None
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            while not self.over.wait(LOOK_EVERY):
                began = time.perf_counter()
                waiting = connection.execute(WAITING).scalar()
                took = time.perf_counter() - began
                usual = took if usual is None else min(usual * 1.05, took)
                if waiting or took > max(10 * usual, 0.05):
                    self.pace.trouble()
