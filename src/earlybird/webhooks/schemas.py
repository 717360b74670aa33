"""The shapes of endpoints, tries and replays on the wire."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from earlybird.infra.shapes import ONE_LINE, TRIMMED, Moment, Note
from earlybird.webhooks.states import EndpointState, EventKind, HookState

Url = Annotated[
    str,
    StringConstraints(min_length=1, max_length=2000, pattern=ONE_LINE),
    TRIMMED,
    Field(examples=["https://shop.example.com/hooks/earlybird"], description="https on the public internet."),
]
Kinds = Annotated[list[EventKind], Field(min_length=1, max_length=len(EventKind), examples=[["order.placed"]])]


class EndpointIn(BaseModel):
    """A URL and what it is to be told of."""

    model_config = ConfigDict(extra="forbid")

    url: Url
    events: Kinds
    description: Note = ""


class EndpointChange(BaseModel):
    """What is to be different."""

    model_config = ConfigDict(extra="forbid")

    url: Url | None = None
    events: Kinds | None = None
    description: Note | None = None
    state: EndpointState | None = None


class EndpointOut(BaseModel):
    """An endpoint; its secret is shown when it is made or rotated, never again."""

    id: UUID
    url: str
    events: list[EventKind]
    description: str
    state: EndpointState
    state_at: AwareDatetime
    created_at: AwareDatetime
    failing_since_at: AwareDatetime | None = Field(description="Since when events were given up; null when it answers.")
    old_secret_until_at: AwareDatetime | None = Field(description="Until when the secret before the rotation signs.")
    waiting_count: int = Field(description="How many events wait to be sent.")


class Secret(BaseModel):
    """The secret that signs, shown this once."""

    secret: str = Field(description="whsec_ and 32 bytes in base64.")


class EndpointMade(EndpointOut, Secret):
    """A new endpoint with its secret, shown this once."""


class AttemptOut(BaseModel):
    """One try to send an event."""

    id: UUID
    event_id: UUID
    event: str = Field(examples=["order.placed"])
    state: HookState = Field(description="Where the event stands by now.")
    tried_at: AwareDatetime
    status: int | None = Field(description="What the endpoint answered; null when it did not.")
    error: str | None
    took_ms: int


class EventSent(BaseModel):
    """An event on its way."""

    event_id: UUID


class ReplayIn(BaseModel):
    """Which events to send again: one, those since an instant, or without either those that failed."""

    model_config = ConfigDict(extra="forbid")

    since: Moment | None = None
    event_id: UUID | None = None


class Replayed(BaseModel):
    """How many events will be sent again."""

    events: int
