"""Who acts, when, through which entrance, under which trace."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from earlybird.kernel.clock import aware
from earlybird.kernel.ids import new_id


@dataclass(frozen=True, slots=True)
class Reach:
    """How far one role of an actor reaches with the present action: the scope, and what it is counted from.

    A shared link reaches one round or one order.
    """

    role: str
    scope: str
    site_id: UUID | None = None
    customer_id: UUID | None = None
    round_id: UUID | None = None
    order_id: UUID | None = None


EVERYWHERE = (Reach(role="system", scope="all"),)
"""The reach of the command line, of jobs and of nobody else."""


@dataclass(frozen=True, slots=True)
class Actor:
    """A person, a link, a key, a job or the command line; `role` is what it acts as, `reaches` how far.

    Without a reach an actor sees no rows at all.
    """

    kind: str
    name: str
    role: str
    id: UUID | None = None
    customer_id: UUID | None = None
    site_id: UUID | None = None
    session_id: UUID | None = None
    reaches: tuple[Reach, ...] = ()

    @property
    def scopes(self) -> frozenset[str]:
        """The scopes this actor holds for the present action."""
        return frozenset(reach.scope for reach in self.reaches)


SYSTEM = Actor(kind="system", name="earlybird", role="system", reaches=EVERYWHERE)


@dataclass(frozen=True, slots=True)
class Ctx:
    """The circumstances of one command; `now` is the only clock a command knows."""

    actor: Actor
    now: datetime
    via: str
    address: str | None = None
    device: str | None = None
    trace_id: str = field(default_factory=lambda: new_id().hex)

    def __post_init__(self) -> None:
        """Hold `now` in UTC; a naive instant is refused."""
        object.__setattr__(self, "now", aware(self.now))

    def at(self, now: datetime) -> Ctx:
        """Return the same circumstances at another instant."""
        return replace(self, now=now)
