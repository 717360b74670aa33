"""What all players share: the book of the reference, the doors, the clock, the people, and the dice."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from earlybird.infra.db import Engine
from earlybird.simulation.clockwork import Clock, Worker
from earlybird.simulation.crashes import Crashes
from earlybird.simulation.model import Book, Household, Stop, Tell
from earlybird.simulation.wire import Answer, Person, Wire

CRASH_SHARE = 0.08
"""How many of the requests that may crash do."""

DEEPEST = 14
"""Under which statement of a request, at most, its backend dies."""


@dataclass
class Driver:
    """Somebody with a round; `spare` is a second phone with the same login."""

    name: str
    person: Person
    spare: Person
    id: UUID
    area: int | None


@dataclass
class Told:
    """A confirmation on a phone: what is sent, and what it means for which stop; `is_right` says it must be taken."""

    body: dict[str, Any]
    stop: Stop | None
    tell: Tell | None
    is_right: bool = True


@dataclass
class Outbox:
    """Confirmations that wait on a phone for signal."""

    due: datetime
    person: Person
    items: list[Told]
    device: str


@dataclass
class Stage:
    """One simulation."""

    seed: int
    engine: Engine
    owner: Engine
    clock: Clock
    wire: Wire
    worker: Worker
    crashes: Crashes
    book: Book
    site_id: UUID
    admin: Person
    office: Person
    drivers: list[Driver] = field(default_factory=list)
    logins: dict[str, Person] = field(default_factory=dict)
    outboxes: list[Outbox] = field(default_factory=list)
    cursors: dict[str, str] = field(default_factory=dict)
    so_far: dict[str, int] = field(default_factory=dict)
    tally: Counter[str] = field(default_factory=Counter)
    _numbers: Counter[str] = field(default_factory=Counter)
    _decisions: Any = field(default_factory=hashlib.sha256)

    def dice(self, day: date, topic: str) -> random.Random:
        """Return the dice of one topic of one day: what another topic throws does not move them."""
        return random.Random(f"{self.seed} {day} {topic}")  # noqa: S311  # a game, no secret

    def number(self, kind: str) -> int:
        """Return the next number of a kind, from 1."""
        self._numbers[kind] += 1
        return self._numbers[kind]

    def decide(self, *words: object) -> None:
        """Put a decision on record."""
        self._decisions.update(f"{self.clock.now:%Y-%m-%dT%H:%M} {' '.join(map(str, words))}\n".encode())

    def digest(self) -> str:
        """Return the digest of all that was decided and of what came of it: equal for equal runs."""
        found = self._decisions.copy()
        for stop in sorted(self.book.stops.values(), key=lambda s: s.key):
            lines = ",".join(f"{line.key}={stop.delivered(line)}/{line.ordered}" for line in stop.lines.values())
            found.update(f"{stop.key} {stop.state()} {lines}\n".encode())
        for home in self.book.homes.values():
            found.update(f"{home.key} {home.billed} {home.paid}\n".encode())
        return str(found.hexdigest())

    def speaker(self, home: Household) -> Person:
        """Return who speaks for a household: itself where it uses the portal, else the office."""
        return self.logins.get(home.key, self.office)

    def write(self, dice: random.Random, by: Person, method: str, path: str, body: Any = None, **facts: Any) -> Answer:
        """Send a write under a key of its own; now and then the process that serves it dies under it."""
        if dice.random() < CRASH_SHARE:
            self.crashes.arm(dice.randint(1, DEEPEST))
        answer = self.wire.ask(by, method, path, body, key=f"s{self.seed}-{self.number('write')}", **facts)
        self.crashes.disarm()
        return answer
