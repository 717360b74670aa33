"""The shape of one's own page."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from pydantic import BaseModel, Field

from earlybird.customers.states import CustomerKind, CustomerState
from earlybird.identity.schemas import UserOut


class StopLine(BaseModel):
    """So much of a product: wanted, and handed over (null before the stop is planned)."""

    product: str = Field(examples=["Cow milk"])
    unit: str = Field(examples=["l"])
    quantity: str = Field(examples=["1.500"])
    delivered_quantity: str | None = Field(examples=["0.000"])


class StopOut(BaseModel):
    """A stop at one's door. `due`: wanted by a standing order, not planned yet."""

    delivery_id: UUID | None
    planned_on: date
    shift: str | None = Field(examples=["morning"])
    state: str = Field(examples=["planned"])
    lines: list[StopLine]


class ProfileOut(BaseModel):
    """The customer whose own login this is."""

    id: UUID
    code: str = Field(examples=["C-0001"])
    kind: CustomerKind
    name: str
    phone: str | None
    email: str | None
    language: str = Field(examples=["en"])
    state: CustomerState
    area: str | None
    address: str


class BalanceOut(BaseModel):
    """What is owed, what was paid in advance, and what is to be paid: whole minor units, as the books say."""

    currency: str = Field(examples=["INR"])
    receivable_minor: int
    advance_minor: int
    to_pay_minor: int


class MeOut(UserOut):
    """Who asks; for a customer also their profile, next and last deliveries and balance."""

    customer: ProfileOut | None = None
    next_deliveries: list[StopOut] = Field(default_factory=list)
    last_deliveries: list[StopOut] = Field(default_factory=list)
    balance: BalanceOut | None = None
