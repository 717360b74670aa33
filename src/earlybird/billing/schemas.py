"""The shapes of money that comes in: each row of a payment file is judged on its own."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

Word = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


def _decimal(given: Any) -> Any:
    if isinstance(given, float):
        raise ValueError("write the amount as text or in minor units: a float loses paise")  # noqa: TRY004
    return given


class LegacyKey(BaseModel):
    """How another system names the customer."""

    model_config = ConfigDict(extra="forbid")

    source: Word
    kind: Word
    key: Word


class PaymentIn(BaseModel):
    """Money received. `customer` is an id, a code or a legacy key; `amount` is in major units, as text."""

    model_config = ConfigDict(extra="forbid")

    client_id: Word
    customer: Annotated[UUID | LegacyKey | Word, Field(union_mode="left_to_right")]
    amount: Annotated[Decimal, BeforeValidator(_decimal), Field(gt=0, max_digits=16)] | None = None
    amount_minor: Annotated[int, Field(gt=0, lt=10**15, strict=False)] | None = None
    currency: Annotated[str, StringConstraints(strip_whitespace=True, to_upper=True, pattern=r"^[A-Za-z]{3}$")]
    method: Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True, min_length=1, max_length=40)]
    received_on: date
    reference: str | None = None
    note: str | None = None

    @model_validator(mode="after")
    def _one_amount(self) -> Self:
        if (self.amount is None) == (self.amount_minor is None):
            raise ValueError("give amount or amount_minor, one of the two")
        return self


class ReversalIn(BaseModel):
    """A former payment, by its `client_id`, that did not hold: bounced, mistyped, paid back."""

    model_config = ConfigDict(extra="forbid")

    reverse: Word
    reason: Word
    client_id: str | None = None
