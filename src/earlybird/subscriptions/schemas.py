"""The shapes of standing orders, and of what is due when and why, at the door."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from earlybird.infra.shapes import WHOLE, Currency, Day, Note, Portion, Quantity, Strict, UnitPrice, Word, unsent
from earlybird.subscriptions.states import OverrideKind, Pattern, Rule, StandingShift, SubscriptionState
from earlybird.territory.states import Shift

ID = "019bc1f4-5e00-7a61-8c3e-2f6b1d0a4e77"
AT = "2026-01-15T12:00:00Z"
ON = "2026-01-19"

Weekday = Annotated[int, Field(strict=True, ge=0, le=6), WHOLE]
Weekdays = Annotated[
    list[Weekday],
    Field(min_length=1, max_length=7, description="For a weekly order: 0 is Monday.", examples=[[0, 2, 4]]),
]
EveryN = Annotated[
    int,
    Field(strict=True, ge=1, le=366, description="For every n-th day, counted from the start.", examples=[2]),
    WHOLE,
]
Wanted = Annotated[Portion, Field(description="In the product's unit; per shift where it is for both.")]
DriverId = Annotated[
    UUID | None, Field(description="Who delivers it, where it is not who usually does; for the office.", examples=[ID])
]


class SubscriptionIn(Strict):
    """A new standing order."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"customer_id": ID, "product_id": ID, "quantity": "1.5", "starts_on": ON, "pattern": "weekly",
                 "weekdays": [0, 2, 4], "shift": "morning"}
            ]
        }
    )  # fmt: skip

    customer_id: UUID = Field(description="Whose it is; a customer may name only themselves.", examples=[ID])
    product_id: UUID = Field(description="A product that is sold.", examples=[ID])
    quantity: Wanted
    starts_on: Day = Field(description="The first day; its cut-off must not have passed.")
    stops_on: Day | None = Field(None, description="The first day without, where that is known already.")
    pattern: Pattern = Field(Pattern.daily, description="How often.", examples=["weekly"])
    weekdays: Weekdays | None = None
    every_n: EveryN | None = None
    until_on: Day | None = Field(None, description="For a one-time order: its last day.")
    shift: StandingShift = Field(StandingShift.morning, examples=["morning"])
    address_id: UUID | None = Field(
        None, description="An address of the customer; their usual one where not given.", examples=[ID]
    )
    driver_id: DriverId = None


class SubscriptionChange(Strict):
    """What is wanted instead from a day on; fields that are not sent stay."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"valid_from": ON, "quantity": "2"}]})

    valid_from: Day = Field(description="The first day of the change; its cut-off must not have passed.")
    product_id: UUID = Field(default_factory=unsent, description="A product that is sold.", examples=[ID])
    quantity: Wanted = Field(default_factory=unsent)
    pattern: Pattern = Field(default_factory=unsent, description="How often.", examples=["weekly"])
    weekdays: Weekdays | None = Field(default_factory=unsent)
    every_n: EveryN | None = Field(default_factory=unsent)
    until_on: Day | None = Field(default_factory=unsent, description="For a one-time order: its last day.")
    shift: StandingShift = Field(default_factory=unsent, examples=["morning"])
    driver_id: DriverId = Field(default_factory=unsent)


class AgreedPrice(Strict):
    """A unit price agreed for one standing order from a day on."""

    valid_from: Day = Field(description="The first day it holds; its cut-off must not have passed.")
    agreed_price: UnitPrice | None = Field(
        description="Major units per unit, in the currency of the business; null: the list price again."
    )


class PauseIn(Strict):
    """Days without delivery."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"starts_on": ON, "ends_on": "2026-01-25"}]})

    starts_on: Day = Field(description="The first day without; its cut-off must not have passed.")
    ends_on: Day | None = Field(None, description="The last day without; until resumed where not given.")
    reason: Note | None = Field(None, examples=["on holiday"])


class ResumeIn(Strict):
    """From when deliveries go on."""

    on: Day = Field(description="The first day with delivery; its cut-off must not have passed.")
    reason: Note | None = Field(None, examples=["back early"])


class StopIn(Strict):
    """From when on nothing is delivered any more."""

    stops_on: Day = Field(description="The first day without; its cut-off must not have passed.")
    reason: Word = Field(examples=["moving away"])


class ReactivateIn(Strict):
    """From when deliveries begin again."""

    on: Day = Field(description="The first day with delivery; its cut-off must not have passed.")


class OverrideIn(Strict):
    """What holds on one date instead of the usual; what is not sent is as usual."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"quantity": "3"}, {"quantity": "0"}]})

    quantity: Portion | None = Field(None, description="0 is none.")
    shift: Shift | None = Field(None, description="The one shift it is for on that date.", examples=["evening"])
    driver_id: DriverId = None
    reason: Note | None = Field(None, examples=["guests"])


class VersionOut(BaseModel):
    """What is wanted from a day on, until the next version."""

    id: UUID = Field(examples=[ID])
    valid_from: date = Field(description="The first day it holds.", examples=[ON])
    product_id: UUID = Field(examples=[ID])
    product_name: str = Field(examples=["Toned Milk"])
    unit_code: str = Field(description="The unit the quantity counts in.", examples=["L"])
    quantity: Quantity = Field(description="Per shift where it is for both.")
    pattern: Pattern = Field(description="How often.", examples=["weekly"])
    weekdays: list[int] | None = Field(description="0 is Monday.", examples=[[0, 2, 4]])
    every_n: int | None = Field(description="Every so many days from the start on.", examples=[None])
    until_on: date | None = Field(description="The last day of a one-time order.", examples=[None])
    agreed_price: UnitPrice | None = Field(description="Major units per unit, where a price was agreed.")
    currency: Currency
    shift: StandingShift = Field(examples=["morning"])
    driver_id: UUID | None = Field(description="Who delivers it, where it is not who usually does.", examples=[None])
    made_at: datetime = Field(examples=[AT])
    made_by: str | None = Field(examples=["Meena"])
    via: str | None = Field(description="Through which entrance.", examples=["api"])


class PauseOut(BaseModel):
    """Days without delivery, both ends included."""

    id: UUID = Field(examples=[ID])
    starts_on: date = Field(examples=[ON])
    ends_on: date | None = Field(description="Null: until resumed.", examples=["2026-01-25"])
    reason: str | None = Field(examples=["on holiday"])
    made_at: datetime = Field(examples=[AT])
    made_by: str | None = Field(examples=["Meena"])
    via: str | None = Field(description="Through which entrance.", examples=["api"])


class OverrideOut(BaseModel):
    """What holds on one date instead of the usual."""

    id: UUID = Field(examples=[ID])
    service_on: date = Field(examples=[ON])
    kind: OverrideKind = Field(examples=["override"])
    quantity: Quantity | None = Field(description="0 is none; null is as usual.")
    shift: Shift | None = Field(description="The one shift it is for; null is as usual.", examples=["evening"])
    driver_id: UUID | None = Field(description="Null is as usual.", examples=[None])
    reason: str | None = Field(examples=["guests"])
    made_at: datetime = Field(examples=[AT])
    made_by: str | None = Field(examples=["Meena"])
    via: str | None = Field(description="Through which entrance.", examples=["api"])


class SubscriptionOut(BaseModel):
    """A standing order as it is today."""

    id: UUID = Field(examples=[ID])
    customer_id: UUID = Field(examples=[ID])
    customer_code: str = Field(examples=["C-7Q4K2M9P"])
    customer_name: str = Field(examples=["Meena"])
    area_id: UUID | None = Field(description="Where the customer lives.", examples=[ID])
    address_id: UUID | None = Field(description="Null: the customer's usual address.", examples=[None])
    starts_on: date = Field(description="The first day.", examples=[ON])
    stops_on: date | None = Field(description="The first day without.", examples=[None])
    state: SubscriptionState = Field(examples=["active"])
    state_at: datetime = Field(examples=[AT])
    stop_reason: str | None = Field(examples=[None])
    is_paused: bool = Field(description="Whether a pause covers today.", examples=[False])
    wanted: VersionOut | None = Field(description="The version in force today, or the first to come.")
    created_at: datetime = Field(examples=[AT])


class SubscriptionDetail(SubscriptionOut):
    """A standing order with its history."""

    versions: list[VersionOut] = Field(description="Every version, newest first.")
    pauses: list[PauseOut] = Field(description="Every pause that was not cancelled, newest first.")
    overrides: list[OverrideOut] = Field(description="What holds on single dates: the latest 100, newest first.")


class CalendarLine(BaseModel):
    """How much of a standing order is due on a date and shift, and why; also where nothing is."""

    subscription_id: UUID = Field(examples=[ID])
    shift: Shift = Field(examples=["morning"])
    product_id: UUID = Field(examples=[ID])
    product_name: str = Field(examples=["Toned Milk"])
    unit_code: str = Field(description="The unit the quantities count in.", examples=["L"])
    quantity: Quantity = Field(description="What is due; 0 where nothing is.")
    base_quantity: Quantity = Field(description="What the pattern alone would give.")
    rule: Rule = Field(description="The rule that decided.", examples=["override"])
    why: str = Field(description="The same as a sentence.", examples=["It was said for this date."])
    version_id: UUID = Field(description="The version in force.", examples=[ID])
    override_id: UUID | None = Field(description="What was said for the date, where that decided.", examples=[ID])
    pause_id: UUID | None = Field(description="The pause, where that decided.", examples=[None])
    price_id: UUID | None = Field(description="The price in force; null for an agreed one.", examples=[ID])
    unit_price: UnitPrice | None = Field(description="Major units per unit; null where no price is in force.")
    currency: Currency
    amount_minor: int = Field(description="Quantity × unit price in minor units, rounded once.", examples=[9000])
    cutoff_at: datetime | None = Field(
        description="Until when the date may be changed; null where the shift has no cut-off.",
        examples=["2026-01-18T14:30:00Z"],
    )
    is_changeable: bool = Field(description="Whether the date may be changed now.", examples=[True])


class CalendarDay(BaseModel):
    """One date."""

    service_on: date = Field(examples=[ON])
    closed: str | None = Field(description="Why the site does not deliver on it; null where it does.", examples=[None])
    lines: list[CalendarLine] = Field(description="One per standing order and shift it is for.")


class CalendarOut(BaseModel):
    """What is due when and why."""

    customer_id: UUID = Field(examples=[ID])
    first_on: date = Field(examples=[ON])
    last_on: date = Field(examples=["2026-02-15"])
    zone: str = Field(description="The zone the dates are counted in.", examples=["Asia/Kolkata"])
    days: list[CalendarDay]
