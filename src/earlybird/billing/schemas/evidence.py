"""Explain my bill: from a line back to the wish, the rule, the price, the stop and the tap at the door."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from earlybird.billing.schemas.adjustments import Signed
from earlybird.billing.schemas.invoices import Exact, InvoiceLineOut
from earlybird.billing.states import AdjustmentKind, InvoiceKind, InvoiceState
from earlybird.infra.shapes import Currency, Minor


class EvidenceDocumentOut(BaseModel):
    """The document the line stands on."""

    id: UUID
    number: str | None = Field(examples=["INV/2025-26/17"])
    kind: InvoiceKind
    state: InvoiceState
    customer_id: UUID = Field(description="Who is to pay.")
    issued_on: date | None = Field(examples=["2026-02-01"])
    period_from: date = Field(examples=["2026-01-01"])
    period_to: date = Field(examples=["2026-01-31"])
    currency: Currency


class EvidenceDecisionOut(BaseModel):
    """The amount somebody proposed and somebody approved."""

    id: UUID
    kind: AdjustmentKind
    amount_minor: Minor = Field(description="Minor units.", examples=[-5000])
    effective_on: date = Field(examples=["2026-01-31"])
    reason: str = Field(examples=["two late rounds"])
    approver: str | None = Field(examples=["Asha"])
    made_at: datetime
    decided_at: datetime


class EvidenceWishOut(BaseModel):
    """The order the line comes from, and the rule that set its quantity."""

    order_id: UUID
    code: str | None = Field(examples=["EB-7Q4K2M9P"])
    source: str = Field(description="one_time or subscription.", examples=["subscription"])
    state: str = Field(examples=["delivered"])
    placed_at: datetime
    rule: str | None = Field(description="The rule that set the quantity.", examples=["daily"])
    quantity: Signed = Field(description="What was due.")
    base_quantity: Signed = Field(description="What would have been due without an override.")
    unit: str = Field(examples=["L"])
    amount_minor: Minor = Field(description="Minor units, if all of it is delivered.", examples=[6000])
    planned_at: datetime
    cutoff_at: datetime | None = Field(description="Until when that day could be changed.")


class EvidenceStandingOut(BaseModel):
    """The standing order, in the version that applied."""

    subscription_id: UUID
    starts_on: date = Field(examples=["2025-12-01"])
    stops_on: date | None
    valid_from: date = Field(description="Since when this version applies.", examples=["2025-12-01"])
    quantity: Signed
    pattern: str = Field(examples=["daily"])
    weekdays: list[int] | None = Field(description="0 is Monday.", examples=[[0, 2, 4]])
    every_n: int | None = Field(examples=[2])
    made_at: datetime
    made_by: str | None = Field(examples=["Asha"])
    via: str | None = Field(examples=["console"])


class EvidenceOverrideOut(BaseModel):
    """The quantity somebody asked for on that one day."""

    quantity: Signed | None
    made_at: datetime
    made_by: str | None = Field(examples=["Meena Rao"])
    via: str | None = Field(examples=["portal"])
    reason: str | None = Field(examples=["guests"])


class EvidencePauseOut(BaseModel):
    """Days of the document's period on which nothing was due."""

    starts_on: date = Field(examples=["2026-01-10"])
    ends_on: date | None = Field(examples=["2026-01-12"])
    reason: str | None = Field(examples=["away"])
    made_at: datetime
    made_by: str | None = Field(examples=["Meena Rao"])
    via: str | None = Field(examples=["portal"])


class EvidencePriceOut(BaseModel):
    """Where the price comes from."""

    unit_price: Exact = Field(description="Major units per unit, as sold.")
    currency: Currency
    source: str = Field(description="list, customer, or agreed for the standing order.", examples=["list"])
    price_id: UUID | None = Field(description="The price row.")
    valid_from: date | None = Field(description="Since when that price applies.", examples=["2025-10-01"])


class EvidenceStopOut(BaseModel):
    """The stop on a round."""

    delivery_id: UUID
    planned_on: date = Field(examples=["2026-01-05"])
    shift: str | None = Field(examples=["morning"])
    attempt: int = Field(examples=[1])
    state: str = Field(examples=["delivered"])
    driver: str | None = Field(examples=["Prakash"])
    ordered_quantity: Signed
    delivered_quantity: Signed


class EvidenceEventOut(BaseModel):
    """What somebody said about the line, and the money of it."""

    kind: str = Field(description="confirm, correct or return.", examples=["confirm"])
    quantity: Signed = Field(description="By how much the delivered quantity moved.")
    reason: str | None = Field(examples=["one packet leaked"])
    by: str = Field(examples=["Prakash"])
    by_kind: str = Field(examples=["user"])
    via: str = Field(examples=["driver_app"])
    device: str | None = Field(examples=["Redmi 9A"])
    device_at: datetime = Field(description="When, by the device's clock.")
    received_at: datetime
    address: str | None = Field(description="The network address it came from; for the office only.")
    place: dict[str, Any] | None = Field(description="Where the device was; for the office only.")
    charge_id: UUID | None
    amount_minor: Minor | None = Field(description="Minor units.", examples=[6000])
    charged_at: datetime | None
    waived_because: str | None = Field(examples=["sour milk on Tuesday"])
    number: str | None = Field(description="The document its charge stands on.", examples=["INV/2025-26/17"])


class ExplanationOut(BaseModel):
    """Everything a line of a bill stands on. What does not apply is null or empty."""

    line: InvoiceLineOut
    document: EvidenceDocumentOut
    adjustment: EvidenceDecisionOut | None
    wish: EvidenceWishOut | None
    standing_order: EvidenceStandingOut | None
    override: EvidenceOverrideOut | None
    pauses: list[EvidencePauseOut]
    price: EvidencePriceOut | None
    stop: EvidenceStopOut | None
    events: list[EvidenceEventOut]
