"""Who acts, when, through which entrance, under which trace."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from earlybird.kernel.clock import aware
from earlybird.kernel.ids import new_id


@dataclass(frozen=True, slots=True)
class Actor:
    """A person, a link, a job or the command line; `role` is what it acts as."""

    kind: str
    name: str
    role: str
    id: UUID | None = None
    customer_id: UUID | None = None
    site_id: UUID | None = None


SYSTEM = Actor(kind="system", name="earlybird", role="system")


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
