"""Cash in drivers' bags and on the depot's table, in minor units."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from earlybird.infra.shapes import WHOLE, Currency, Minor, Note, Paged, Strict


class SettlementIn(Strict):
    """What was counted of a driver's cash at the depot."""

    counted_minor: Annotated[
        int, Field(strict=True, ge=0, le=10**12, description="Minor units.", examples=[125000]), WHOLE
    ]
    currency: Currency
    note: Annotated[Note | None, Field(examples=["One note was torn."])] = None
    business_id: Annotated[UUID | None, Field(description="Whose cash, where the driver drives for several.")] = None


class SettlementOut(BaseModel):
    """Cash a driver laid on the table: counted, expected by the books, and the difference."""

    id: UUID
    business_id: UUID
    driver_id: UUID
    counted_minor: Minor
    expected_minor: Minor = Field(description="What the driver's account held before, in minor units.")
    owed_minor: Minor = Field(description="What the driver still owes; below zero, what was too much.", examples=[0])
    currency: Currency
    note: str | None
    settled_at: datetime
    settled_by: str = Field(examples=["Asha"])


class HeldOut(BaseModel):
    """What a driver holds of one business."""

    business_id: UUID
    currency: Currency
    held_minor: Minor


class CashEntryOut(BaseModel):
    """One change of what a driver holds."""

    id: UUID
    posted_on: date
    made_at: datetime
    kind: str = Field(description="payment, payment_reversal or cash_settlement.", examples=["payment"])
    amount_minor: Minor = Field(description="Minor units; what leaves the bag is below zero.")
    currency: Currency
    memo: str | None = Field(description="The order's code, or why.", examples=["EB-7Q4K2M9P"])
    customer_id: UUID | None
    customer_name: str | None = Field(examples=["Meena Rao"])
    delivery_id: UUID | None
    settlement_id: UUID | None


class DriverCashOut(BaseModel):
    """What a driver holds, and how it came about, newest first."""

    driver_id: UUID
    balances: list[HeldOut]
    entries: Paged[CashEntryOut]
