"""What a driver's device sends when it has signal again, and what it is answered."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from earlybird.deliveries.schemas.asked import MOST, Told
from earlybird.deliveries.schemas.shown import AnId, DeliveryRow, VerdictOut
from earlybird.deliveries.schemas.told import Text
from earlybird.deliveries.states import RoundState
from earlybird.territory.states import Shift


class SyncIn(BaseModel):
    """A device's outbox, in its order, and the cursor of its last answer."""

    model_config = ConfigDict(extra="forbid")

    device_id: Annotated[Text, Field(description="The device's own name, made once.", examples=["phone-3f9a"])]
    cursor: Annotated[
        str | None,
        Field(
            max_length=400,
            description="The `cursor` of the last answer. Left out, or one that is not known, everything is sent.",
        ),
    ] = None
    confirmations: Annotated[list[Told], Field(max_length=MOST, description="What was told offline, perhaps nothing.")]

    def items(self) -> list[dict[str, Any]]:
        """Return the confirmations as told from this device."""
        return [{"device_id": self.device_id, **item} for item in self.confirmations]


class RoundRef(BaseModel):
    """A round of these days."""

    id: Annotated[UUID, AnId]
    site_id: Annotated[UUID, AnId]
    service_on: Annotated[date, Field(examples=["2026-02-17"])]
    shift: Shift
    name: Annotated[str, Field(examples=["North"])]
    driver_id: UUID | None
    substitute_id: UUID | None
    state: RoundState


class StopRef(BaseModel):
    """A stop that is on the list; what it holds stands in `changed`, or was sent before."""

    id: Annotated[UUID, AnId]
    planned_on: Annotated[date, Field(examples=["2026-02-17"])]
    round_id: UUID | None


class SyncStop(DeliveryRow):
    """A stop that changed, whole, with its place in its round."""

    round_id: UUID | None
    position: Annotated[int | None, Field(examples=[7])]
    is_locked: bool


class SyncOut(BaseModel):
    """The verdicts, and what changed of your rounds."""

    verdicts: list[VerdictOut]
    cursor: Annotated[
        str, Field(description="Send it with the next sync.", examples=["NDcxMXwyMDI2LTAyLTE2fDIwMjYtMD"])
    ]
    first_on: Annotated[date, Field(description="The first day the lists speak of.", examples=["2026-02-16"])]
    last_on: Annotated[date, Field(description="The last day, included.", examples=["2026-02-18"])]
    rounds: Annotated[list[RoundRef], Field(description="All your rounds of these days.")]
    stops: Annotated[
        list[StopRef],
        Field(description="All your stops of these days, in order; what is not here is not yours any more."),
    ]
    changed: Annotated[list[SyncStop], Field(description="The stops that changed since the cursor, whole.")]
