"""Payments as they are answered."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel, Field

from earlybird.billing.states import PaymentState
from earlybird.infra.shapes import Currency, Minor


class PaymentOut(BaseModel):
    """Money received, and how much of it settles documents."""

    id: UUID
    business_id: UUID
    customer_id: UUID | None = Field(description="Who paid; null where an old system did not know.")
    customer_code: str | None = Field(examples=["C-7Q4K2M9P"])
    customer_name: str | None = Field(examples=["Meena Rao"])
    client_id: str = Field(description="The sender's own name for it.", examples=["upi-8812"])
    amount_minor: Minor = Field(description="Minor units.", examples=[125000])
    allocated_minor: Minor = Field(description="What settles documents, in minor units.", examples=[120000])
    unspent_minor: Minor = Field(description="What waits as the customer's advance, in minor units.", examples=[5000])
    currency: Currency
    method: str = Field(examples=["upi"])
    received_on: date = Field(description="The business date it came in.", examples=["2026-02-03"])
    reference: str | None = Field(examples=["UTR 402911"])
    note: str | None = Field(examples=["paid at the door"])
    for_month: str | None = Field(description="The month an old system meant it for.", examples=["2025-12"])
    state: PaymentState = Field(description="A payment that did not hold is reversed, never deleted.")
    state_at: datetime
    made_at: datetime = Field(description="When it was recorded.")


class PaymentSettledOut(BaseModel):
    """How much of a payment settles one document."""

    invoice_id: UUID
    number: str = Field(examples=["INV/2025-26/17"])
    amount_minor: Minor = Field(description="Minor units.", examples=[120000])
    made_at: datetime


class PaymentDetailOut(PaymentOut):
    """A payment and the documents it settles."""

    allocations: list[PaymentSettledOut] = Field(description="The documents it settles, oldest first.")


class Verdict(StrEnum):
    """What became of a row."""

    recorded = "recorded"
    repeated = "repeated"
    rejected = "rejected"


class PaymentVerdictOut(BaseModel):
    """What became of one row of a batch."""

    place: int = Field(description="Which row, counted from 0.", examples=[0])
    client_id: str | None = Field(examples=["upi-8812"])
    verdict: Verdict = Field(description="`repeated`: it was recorded before, nothing changed.")
    payment_id: UUID | None = Field(description="The payment; null for a rejected row.")
    field: str | None = Field(description="The field of a rejected row that breaks a rule.", examples=["currency"])
    rule: str | None = Field(description="The rule it breaks.", examples=["This customer is billed in INR."])


class PaymentBatchOut(BaseModel):
    """What became of the rows, one by one and counted."""

    recorded_count: int = Field(examples=[2])
    repeated_count: int = Field(examples=[0])
    rejected_count: int = Field(examples=[1])
    rows: list[PaymentVerdictOut] = Field(description="One verdict per row, in the order they came.")


class PaymentRejectionOut(BaseModel):
    """A payment row that was refused, kept as it came."""

    id: UUID
    body: str = Field(description="The row as it came.", examples=['{"client_id": "upi-8812"}'])
    field: str | None = Field(examples=["currency"])
    rule: str = Field(examples=["This customer is billed in INR."])
    received_at: datetime
