"""What the doors of standing rounds and windows are asked and show."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from earlybird.infra.shapes import WHOLE, Hour, Portion, Quantity, Strict, Word, unsent
from earlybird.territory.states import Shift

ID = "01976f3e-5b1c-7c4e-9d2a-0f4f6c1d2e3a"
AnId = Field(examples=[ID])
Minutes = Annotated[int, Field(strict=True, ge=0, le=240, description="Minutes one door takes.", examples=[2]), WHOLE]
Capacity = Annotated[Portion, Field(gt=0, description="How many packets fit on the van.", examples=["400"])]


class StandingRoundIn(Strict):
    """What a driver is to drive on a shift, day after day."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"site_id": ID, "shift": "morning", "driver_id": ID, "name": "Temple Road"}]}
    )

    site_id: UUID
    shift: Shift
    driver_id: UUID
    name: Word | None = Field(None, description="The driver's name where not given.", examples=["Temple Road"])
    capacity: Capacity | None = None
    service_minutes: Minutes = 2


class StandingRoundChange(Strict):
    """What is to be different; fields that are not sent stay."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Temple Road", "capacity": "400"}]})

    name: Word = Field(default_factory=unsent, examples=["Temple Road"])
    driver_id: UUID = Field(default_factory=unsent)
    capacity: Capacity | None = Field(default_factory=unsent)
    service_minutes: Minutes = Field(default_factory=unsent)


class DoorIn(Strict):
    """A door: a customer, and which of their addresses where it is known."""

    customer_id: UUID = Field(examples=[ID])
    address_id: UUID | None = None


class DoorsIn(Strict):
    """All doors of a standing round in the order that is to be remembered."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"doors": [{"customer_id": ID}]}]})

    doors: list[DoorIn] = Field(max_length=2000)


class StandingRoundRow(BaseModel):
    """What a driver drives on a shift, day after day."""

    id: Annotated[UUID, AnId]
    site_id: Annotated[UUID, AnId]
    site_name: str = Field(examples=["Depot"])
    shift: Shift
    name: str = Field(examples=["Prakash"])
    driver_id: Annotated[UUID, AnId]
    driver_name: str = Field(examples=["Prakash"])
    capacity: Quantity | None = Field(description="How many packets fit on the van.")
    service_minutes: int = Field(examples=[2])
    remembered_at: datetime | None = Field(description="When a whole order was remembered last.")
    doors: int = Field(description="How many doors it remembers.", examples=[96])
    made_at: datetime
    archived_at: datetime | None


class DoorOut(BaseModel):
    """A remembered door."""

    position: int = Field(examples=[1])
    customer_id: Annotated[UUID, AnId]
    customer_name: str = Field(examples=["Meena"])
    address_id: UUID | None
    line1: str | None = Field(examples=["12 Temple Road"])
    is_located: bool = Field(description="Whether its coordinates are known.")


class StandingRoundOut(StandingRoundRow):
    """A standing round with its doors in the order that is remembered."""

    in_order: list[DoorOut]


class WindowIn(Strict):
    """When a door may be rung, in local time, and how long it takes; all of it empty: at any time."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"opens": "05:30", "closes": "06:15"}]})

    address_id: UUID | None = Field(None, description="All doors of the customer where not given.")
    opens: Hour | None = Field(None, examples=["05:30"])
    closes: Hour | None = Field(None, examples=["06:15"])
    service_minutes: Minutes | None = None


class WindowOut(BaseModel):
    """When a door may be rung, in local time, and how long it takes."""

    address_id: UUID | None
    opens: Hour | None = Field(examples=["05:30"])
    closes: Hour | None = Field(examples=["06:15"])
    service_minutes: int | None = Field(examples=[2])
