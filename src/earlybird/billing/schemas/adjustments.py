"""Amounts that are not delivered lines, charges, and what is not asked for."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from earlybird.billing.states import AdjustmentKind, AdjustmentState
from earlybird.infra.shapes import Currency, Day, Minor, Word

Signed = Annotated[
    Decimal, WithJsonSchema({"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$", "examples": ["1.500"]})
]
"""A quantity that a correction may make negative; text in JSON."""


class Because(BaseModel):
    """Why it is done: kept with who did it."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "sour milk on Tuesday"}]})

    reason: Word = Field(description="Why, in a sentence.", examples=["sour milk on Tuesday"])


class ProposedKind(StrEnum):
    """What a person may propose."""

    fee = "fee"
    discount = "discount"
    deposit = "deposit"
    goodwill = "goodwill"
    recovery = "recovery"


class AdjustmentIn(BaseModel):
    """An amount proposed for a customer's next bill. It waits for somebody to approve or waive it."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "customer_id": "0191d2a4-0000-7000-8000-000000000001",
                    "kind": "goodwill",
                    "amount_minor": -5000,
                    "currency": "INR",
                    "effective_on": "2026-01-31",
                    "reason": "two late rounds",
                }
            ]
        },
    )

    customer_id: UUID = Field(description="Whose bill it goes on.")
    kind: ProposedKind = Field(
        description="Fees and recoveries ask, discounts and goodwill give back, deposits do either."
    )
    amount_minor: Minor = Field(description="Minor units; negative gives back; never zero.", examples=[-5000])
    currency: Currency = Field(description="The currency the customer is billed in.", examples=["INR"])
    effective_on: Day = Field(description="It goes on the bill of this day's month or later.", examples=["2026-01-31"])
    reason: Word = Field(description="What the bill will say.", examples=["two late rounds"])


class AdjustmentOut(BaseModel):
    """An amount that is not a delivered line."""

    id: UUID
    business_id: UUID
    customer_id: UUID
    customer_code: str = Field(examples=["C-7Q4K2M9P"])
    customer_name: str = Field(examples=["Meena Rao"])
    kind: AdjustmentKind
    amount_minor: Minor = Field(description="Minor units; negative gives back.", examples=[-5000])
    currency: Currency
    effective_on: date = Field(examples=["2026-01-31"])
    reason: str = Field(examples=["two late rounds"])
    state: AdjustmentState = Field(description="Only approved ones go on a bill.")
    state_at: datetime
    approver: str | None = Field(description="Who approved or waived it.", examples=["Asha"])
    made_at: datetime = Field(description="When it was proposed.")
    invoice_id: UUID | None = Field(description="The document it stands on.")


class ChargeOut(BaseModel):
    """The money of one event at the door; a correction is a second, negative charge."""

    id: UUID
    customer_id: UUID
    customer_code: str = Field(examples=["C-7Q4K2M9P"])
    event_line_id: UUID = Field(description="The fact at the door it stands on.")
    service_on: date = Field(examples=["2026-01-05"])
    product_name: str = Field(examples=["Toned Milk"])
    quantity: Signed = Field(description="How much was delivered, or taken back.")
    unit: str = Field(examples=["L"])
    amount_minor: Minor = Field(description="Minor units, signed.", examples=[6000])
    currency: Currency
    charged_at: datetime
    invoice_id: UUID | None = Field(description="The document it stands on.")
    waived_because: str | None = Field(description="Why it is not asked for.", examples=["sour milk on Tuesday"])


class WaiverOut(BaseModel):
    """A charge somebody decided not to ask for."""

    id: UUID
    charge_id: UUID
    reason: str = Field(examples=["sour milk on Tuesday"])
    approver: str = Field(description="Who decided.", examples=["Asha"])
    made_at: datetime
