"""The shapes of businesses, sites, shifts, closures, areas and policies at the door."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StringConstraints

from earlybird.infra.shapes import WHOLE, Currency, Day, Hour, Note, Strict, Word, unsent
from earlybird.territory.states import Shift, SiteKind

ID = "019bc1f4-5e00-7a61-8c3e-2f6b1d0a4e77"
AT = "2026-01-15T12:00:00Z"

Country = Annotated[
    str, StringConstraints(pattern=r"^[A-Z]{2}$"), Field(examples=["IN"], description="ISO 3166, two letters.")
]
Zone = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9_+/-]{1,64}$"),
    Field(examples=["Asia/Kolkata"], description="A name of the IANA time zone database."),
]
Phone = Annotated[str, StringConstraints(pattern=r"^\+?[0-9][0-9 ()-]{4,24}$"), Field(examples=["+91 80 4000 1234"])]
UpiId = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9._-]{2,200}@[A-Za-z][A-Za-z0-9.-]{1,50}$"),
    Field(examples=["sunrise@okbank"], description="Where bills ask to be paid."),
]
PostalCode = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 -]{1,10}$"), Field(examples=["560001"])]
TaxIdName = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9 ]{0,19}$")]
TaxId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 /.-]{0,39}$")]
Terms = Annotated[
    int,
    Field(strict=True, ge=0, le=365, examples=[7], description="Days from a bill's date to the day it is due."),
    WHOLE,
]
Latitude = Annotated[float, Field(ge=-90, le=90, description="Degrees north.", examples=[12.9716])]
Longitude = Annotated[float, Field(ge=-180, le=180, description="Degrees east.", examples=[77.5946])]
Weekday = Annotated[int, Field(strict=True, ge=0, le=6, description="0 is Monday.", examples=[0]), WHOLE]


class BusinessIn(Strict):
    """A new legal entity; it gets a depot with two shifts."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"name": "Sunrise Dairy", "currency": "INR", "country": "IN", "zone": "Asia/Kolkata"}]
        }
    )

    name: Word = Field(examples=["Sunrise Dairy"])
    currency: Currency
    country: Country
    zone: Zone


class BusinessChange(Strict):
    """What is to be different; fields that are not sent stay. Currency, country and zone are history."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"upi_id": "sunrise@okbank", "tax_ids": {"GSTIN": "29ABCDE1234F1Z5"}}]}
    )

    name: Word = Field(default_factory=unsent, examples=["Sunrise Dairy"])
    legal_name: Word | None = Field(default_factory=unsent, examples=["Sunrise Dairy Private Limited"])
    tax_ids: dict[TaxIdName, TaxId] = Field(
        default_factory=unsent,
        max_length=10,
        json_schema_extra={"additionalProperties": False},
        description="All of its tax ids, as bills print them; a GSTIN is held to its form.",
        examples=[{"GSTIN": "29ABCDE1234F1Z5"}],
    )
    upi_id: UpiId | None = Field(default_factory=unsent, description="Where bills ask to be paid.")
    phone: Phone | None = Field(default_factory=unsent)
    address: Note | None = Field(default_factory=unsent, examples=["12 Temple Road, Bengaluru"])
    terms_days: Terms = Field(default_factory=unsent)


class BusinessOut(BaseModel):
    """A legal entity: it owns numbers, money and tax ids."""

    id: UUID = Field(examples=[ID])
    name: str = Field(examples=["Sunrise Dairy"])
    legal_name: str | None = Field(examples=["Sunrise Dairy Private Limited"])
    currency: Currency
    country: Country
    zone: str = Field(examples=["Asia/Kolkata"], description="The zone its dates are counted in.")
    tax_ids: dict[str, Any] = Field(description="As bills print them.", examples=[{"GSTIN": "29ABCDE1234F1Z5"}])
    upi_id: str | None = Field(description="Where bills ask to be paid.", examples=["sunrise@okbank"])
    phone: str | None = Field(examples=["+91 80 4000 1234"])
    address: str | None = Field(examples=["12 Temple Road, Bengaluru"])
    invoice_prefix: str = Field(description="How the numbers of its bills begin.", examples=["INV"])
    terms_days: int = Field(description="Days from a bill's date to the day it is due.", examples=[7])
    prices_include_tax: bool = Field(description="Whether the tax is in a price or beside it.", examples=[True])
    rounds_to_major: bool = Field(description="Whether bills are rounded to whole rupees.", examples=[False])
    cutover_on: date | None = Field(description="The day it was taken over from another system.", examples=[None])
    created_at: datetime = Field(examples=[AT])


class SiteIn(Strict):
    """A new depot, shop or warehouse. A depot delivers once it has shifts."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"kind": "depot", "name": "Depot North"}]})

    business_id: UUID | None = Field(None, description="Not needed where there is only one.", examples=[ID])
    kind: SiteKind = Field(examples=["depot"])
    name: Word = Field(examples=["Depot North"])
    zone: Zone | None = Field(None, description="The zone of its dates; that of the business where not given.")


class SiteChange(Strict):
    """What is to be different; fields that are not sent stay. Kind and zone are history."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Depot North", "latitude": 12.9716, "longitude": 77.5946}]}
    )

    name: Word = Field(default_factory=unsent, examples=["Depot North"])
    latitude: Latitude | None = Field(default_factory=unsent, description="Where rounds begin; both or neither.")
    longitude: Longitude | None = Field(default_factory=unsent)


class SiteOut(BaseModel):
    """A depot, shop or warehouse."""

    id: UUID = Field(examples=[ID])
    business_id: UUID = Field(examples=[ID])
    kind: SiteKind = Field(examples=["depot"])
    name: str = Field(examples=["Depot North"])
    zone: str = Field(examples=["Asia/Kolkata"], description="The zone its dates are counted in.")
    latitude: Latitude | None = Field(description="Where rounds begin and end.")
    longitude: Longitude | None
    archived_at: datetime | None = Field(description="Since when nothing happens there.", examples=[None])


class ShiftIn(Strict):
    """When a shift runs, and until when its orders may change."""

    starts: Hour = Field(examples=["05:00"])
    ends: Hour = Field(examples=["08:00"])
    cutoff: Hour = Field(description="The time of day of the cut-off.", examples=["20:00"])
    cutoff_days_before: Annotated[int, Field(strict=True, ge=0, le=14), WHOLE] = Field(
        1, description="How many days before the service date the cut-off is.", examples=[1]
    )


class ShiftOut(BaseModel):
    """When a shift runs, and until when its orders may change."""

    shift: Shift = Field(examples=["morning"])
    starts: Hour = Field(examples=["05:00"])
    ends: Hour = Field(examples=["08:00"])
    cutoff: Hour = Field(description="The time of day of the cut-off.", examples=["20:00"])
    cutoff_days_before: int = Field(description="How many days before the service date the cut-off is.", examples=[1])


class ClosureIn(Strict):
    """Why a site does not deliver."""

    reason: Word = Field(examples=["Diwali"])


class ClosureOut(BaseModel):
    """A day on which a site does not deliver."""

    closed_on: date = Field(examples=["2026-01-19"])
    reason: str = Field(examples=["Diwali"])


class AreaIn(Strict):
    """A new part of town."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"site_id": ID, "name": "Malleshwaram", "postal_code": "560003"}]}
    )

    site_id: UUID = Field(description="The site that serves it.", examples=[ID])
    name: Word = Field(examples=["Malleshwaram"])
    postal_code: PostalCode | None = None


class AreaChange(Strict):
    """What is to be different; fields that are not sent stay."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Malleshwaram", "postal_code": "560003"}]})

    name: Word = Field(default_factory=unsent, examples=["Malleshwaram"])
    postal_code: PostalCode | None = Field(default_factory=unsent)


class AreaOut(BaseModel):
    """A part of town."""

    id: UUID = Field(examples=[ID])
    site_id: UUID = Field(description="The site that serves it.", examples=[ID])
    name: str = Field(examples=["Malleshwaram"])
    postal_code: str | None = Field(examples=["560003"])
    archived_at: datetime | None = Field(description="Since when it is out of use.", examples=[None])


class AssignmentIn(Strict):
    """Who is to serve an area on a shift from a day on."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"shift": "morning", "driver_id": ID, "valid_from": "2026-02-01"}]}
    )

    shift: Shift = Field(examples=["morning"])
    weekday: Weekday | None = Field(None, description="Only on that day, 0 is Monday; on every day where not given.")
    driver_id: UUID = Field(description="A user who works as a driver.", examples=[ID])
    valid_from: Day = Field(description="The first day it holds: today or later.")


class AssignmentOut(BaseModel):
    """Who serves an area on a shift from a day on, until the next entry of the same shift and weekday."""

    id: UUID = Field(examples=[ID])
    shift: Shift = Field(examples=["morning"])
    weekday: Weekday | None = Field(description="0 is Monday; null: every day that has no entry of its own.")
    driver_id: UUID = Field(examples=[ID])
    driver_name: str = Field(examples=["Prakash"])
    valid_from: date = Field(description="The first day it holds.", examples=["2026-01-19"])
    is_in_force: bool = Field(description="Whether it is the one that holds today.", examples=[True])


class DriverShiftsIn(Strict):
    """Which shifts a driver works."""

    shift: Literal["morning", "evening", "both"] = Field(description="Both means both.", examples=["both"])

    def shifts(self) -> frozenset[Shift]:
        """Return the shifts that are meant."""
        return frozenset(Shift) if self.shift == "both" else frozenset({Shift(self.shift)})


class DriverShiftsOut(BaseModel):
    """Which shifts a driver works."""

    driver_id: UUID = Field(examples=[ID])
    shift: Literal["morning", "evening", "both"] = Field(examples=["both"])


class PolicyIn(Strict):
    """The value of a policy: a switch takes true or false, a number a whole number."""

    value: StrictBool | Annotated[StrictInt, WHOLE] = Field(examples=[True])


class PolicyOut(BaseModel):
    """A rule of the house that may be switched."""

    name: str = Field(examples=["check_dates"])
    about: str = Field(description="What it rules.", examples=["Delivered one-time orders are charged."])
    value: StrictBool | StrictInt = Field(description="What holds now.", examples=[True])
    default: StrictBool | StrictInt = Field(description="What holds where nobody set it.", examples=[True])
    set_at: datetime | None = Field(description="When it was set last.", examples=[None])
    set_by: str | None = Field(description="Who set it last.", examples=[None])
