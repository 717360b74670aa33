"""How big a batch is: small units of work, joined to batches that take about a quarter of a second each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

K = TypeVar("K")

UNIT = 500
"""Rows a unit of work is cut to: a batch is one unit or several."""

TARGET = 0.25
"""Seconds a batch should take: so long at most somebody waits for a row of it."""

FIRST, MOST = 4, 64
"""Units in the first batch of a phase, and in the biggest."""


def units(weighed: Iterable[tuple[K, int]], least: int = UNIT) -> list[list[K]]:
    """Group keys, in their order, so that each group weighs `least` at least, the last one perhaps less."""
    found: list[list[K]] = []
    weight = least
    for key, own in weighed:
        if weight >= least:
            found.append([])
            weight = 0
        found[-1].append(key)
        weight += own
    return found


class OneByOne(list[Any]):
    """A phase whose batches write some row in common, so that they come one by one."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What one batch does: a chunk joined of `count` units, and the batch's number."""

    number: int
    chunk: Any
    count: int


class Cutter:
    """Hands out the units of a phase in their order, as many at once as fit a batch's time; threads may share it."""

    def __init__(
        self,
        phase: Sequence[Any],
        join: Callable[[Sequence[Any]], Any] | None,
        first: int,
        seconds: float = TARGET,
        size: int = FIRST,
    ) -> None:
        """Cut `phase`, numbering batches from `first`, to what takes `seconds`; without `join` each unit is a batch.

        The first batch takes `size` units, or more where batches may take longer than usual.
        """
        self.phase, self.join, self.next_number, self.seconds = phase, join, first, seconds
        self.size = int(size * max(seconds / TARGET, 1)) if join else 1
        self.place = 0
        self._guard = threading.Lock()

    def take(self) -> Piece | None:
        """Return the next batch, None where nothing is left."""
        with self._guard:
            taken = self.phase[self.place : self.place + self.size]
            if not taken:
                return None
            self.place += len(taken)
            self.next_number += 1
            chunk = self.join(taken) if self.join else taken[0]
            return Piece(self.next_number - 1, chunk, len(taken))

    def took(self, piece: Piece, seconds: float) -> None:
        """Say how long a batch took: the next are bigger or smaller, at most by half or double."""
        if self.join:
            fitting = int(piece.count * self.seconds / max(seconds, 0.001))
            with self._guard:
                self.size = min(max(fitting, piece.count // 2, 1), piece.count * 2, MOST)
