"""What the doors of rounds are asked and show."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from earlybird.deliveries.schemas.shown import DeliveryLineOut
from earlybird.deliveries.states import DeliveryState, RoundState
from earlybird.infra.shapes import WHOLE, Currency, Day, Minor, Quantity, Strict, Word
from earlybird.territory.states import Shift

ID = "01976f3e-5b1c-7c4e-9d2a-0f4f6c1d2e3a"
OTHER = "01976f3e-5b1c-7c4e-9d2a-0f4f6c1d2e3b"
AnId = Field(examples=[ID])
Driver = Annotated[UUID | None, Field(description="Somebody who drives for the site on that shift; null: nobody.")]
Stops = Annotated[list[UUID], Field(max_length=2000, examples=[[ID]], description="Deliveries of the round.")]


class DayIn(Strict):
    """The day of a site."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"site_id": ID, "service_on": "2026-01-19"}]})

    site_id: UUID
    service_on: Day


class DriverIn(Strict):
    """Who is to drive."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"driver_id": ID}]})

    driver_id: Driver


class OtherRoundIn(Strict):
    """Another round of the same site and day."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"other_id": OTHER}]})

    other_id: UUID


class SplitIn(Strict):
    """Which stops become a round of their own: those named, or all from one on, or both."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"delivery_ids": [ID], "driver_id": None}]})

    delivery_ids: Stops = Field(default_factory=list)
    from_delivery_id: UUID | None = None
    driver_id: Driver = None
    name: Word | None = Field(None, examples=["Temple Road"])


class OrderIn(Strict):
    """All stops of a round in their new order."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"delivery_ids": [ID], "remember": False}]})

    delivery_ids: Stops
    remember: bool = Field(default=False, description="Let it be the order of the days to come, too.")


class SequenceIn(Strict):
    """How an order is looked for."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"fresh": False}]})

    fresh: bool = Field(
        default=False, description="Look for the shortest tour whatever the order now; else at most three stops move."
    )
    remember: bool = Field(default=False, description="Let it be the order of the days to come, too.")


class PositionIn(Strict):
    """Where a stop is to stand."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"position": 3}]})

    position: Annotated[int, Field(strict=True, ge=1, le=100_000, description="1 is the first."), WHOLE]


class RoundRow(BaseModel):
    """A round and how far it is."""

    id: Annotated[UUID, AnId]
    site_id: Annotated[UUID, AnId]
    site_name: str = Field(examples=["Depot"])
    service_on: date = Field(examples=["2026-01-19"])
    shift: Shift
    name: str = Field(examples=["Prakash"])
    driver_id: UUID | None
    driver_name: str | None = Field(examples=["Prakash"])
    substitute_id: UUID | None = Field(description="Who drives it in the driver's place today.")
    substitute_name: str | None
    usual_driver_id: UUID | None = Field(description="Whose stops the plan puts here.")
    standing_round_id: UUID | None
    merged_into_id: UUID | None
    state: RoundState
    state_at: datetime
    stops: int = Field(description="How many stops it has.", examples=[96])
    open: int = Field(description="How many of them are still to be made.", examples=[12])
    delivered: int = Field(examples=[80])
    partially_delivered: int = Field(examples=[2])
    not_delivered: int = Field(examples=[2])


class RoundStopOut(BaseModel):
    """A stop of a round as the driver needs it."""

    position: int = Field(examples=[1])
    is_locked: bool
    is_held: bool = Field(description="A person gave it to its driver.")
    delivery_id: Annotated[UUID, AnId]
    order_id: Annotated[UUID, AnId]
    order_code: str | None = Field(examples=["EB-7Q4K2M9P"])
    customer_id: Annotated[UUID, AnId]
    customer_name: str = Field(examples=["Meena"])
    customer_phone: str | None
    address: dict[str, Any] | None = Field(examples=[{"line1": "12 Temple Road", "city": "Bengaluru"}])
    instructions: str | None = Field(examples=["Second gate, ring twice."])
    note: str | None
    driver_id: UUID | None
    attempt: int = Field(examples=[1])
    state: DeliveryState
    state_at: datetime
    lines: list[DeliveryLineOut]


class RoundOut(RoundRow):
    """A round with its stops in the order they are driven."""

    in_order: list[RoundStopOut]


class CutOut(BaseModel):
    """What cutting a day changed."""

    site_id: Annotated[UUID, AnId]
    service_on: date = Field(examples=["2026-01-19"])
    opened: int = Field(description="Rounds that are new.", examples=[12])
    placed: int = Field(description="Stops that were given a place.", examples=[412])
    left: int = Field(description="Cancelled stops that left.", examples=[0])


class OrderedOut(BaseModel):
    """What an order that was looked for came to, by great circles."""

    round_id: Annotated[UUID, AnId]
    metres_before: int = Field(examples=[36540])
    metres: int = Field(examples=[35290])
    moved: int = Field(description="The fewest stops that must jump from one order to the other.", examples=[2])
    is_changed: bool


class LoadedProduct(BaseModel):
    """So much of a product goes on the van."""

    product_id: Annotated[UUID, AnId]
    product_name: str = Field(examples=["Toned Milk"])
    unit: str = Field(examples=["L"])
    pack_size: Quantity
    quantity: Quantity
    packets: int = Field(description="Whole packets, rounded up at each stop.", examples=[84])
    crates: int = Field(examples=[5])


class LoadedLine(BaseModel):
    """So much of a product for one stop."""

    product_name: str = Field(examples=["Toned Milk"])
    unit: str = Field(examples=["L"])
    quantity: Quantity
    packets: int = Field(examples=[2])


class LoadedStop(BaseModel):
    """What one stop gets."""

    position: int = Field(examples=[1])
    delivery_id: Annotated[UUID, AnId]
    customer_id: Annotated[UUID, AnId]
    customer_name: str = Field(examples=["Meena"])
    packets: int = Field(examples=[2])
    lines: list[LoadedLine]


class Empties(BaseModel):
    """Containers that stand at the doors of the round."""

    container: str = Field(examples=["bottle"])
    quantity: int = Field(examples=[37])


class LoadSheetOut(BaseModel):
    """What a round loads, brings and takes back."""

    round_id: Annotated[UUID, AnId]
    products: list[LoadedProduct]
    packets: int = Field(examples=[240])
    crates: int = Field(examples=[12])
    units_per_crate: int = Field(examples=[20])
    capacity: Quantity | None = Field(description="How many packets fit, where the standing round says so.")
    is_over_capacity: bool
    empties: list[Empties] = Field(description="What its customers still have, so what may come back.")
    cash_expected_minor: Minor = Field(description="What its customers owe by the books, in minor units.")
    currency: Currency
    stops: list[LoadedStop]
