"""Money that comes in: each row of a payment file is judged on its own."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema, model_validator

from earlybird.infra.shapes import AROUND, LINES, ONE_LINE, TRIMMED, Day, Strict, Word, exact

LARGEST = 10**15
MOST_ROWS = 1000
"""The most payments one request may bring."""


def _decimal(given: Any) -> Any:
    return exact(given.strip() if isinstance(given, str) else given)


def _whole(given: Any) -> Any:
    if isinstance(given, bool) or (isinstance(given, float) and not given.is_integer()):
        raise ValueError("write the amount in whole minor units, or in major units as text")
    return given


Major = Annotated[
    Decimal,
    BeforeValidator(_decimal),
    Field(gt=0, max_digits=16),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^[0-9]{1,12}(\.[0-9]{1,6})?$"},
                {"type": "integer", "minimum": 1, "maximum": 999_999_999_999},
            ],
        }
    ),
]
Whole = Annotated[
    int,
    BeforeValidator(_whole),
    Field(gt=0, lt=LARGEST),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "exclusiveMaximum": LARGEST},
                {"type": "string", "pattern": r"^[1-9][0-9]{0,14}$"},
            ],
        }
    ),
]
Line = Annotated[str, StringConstraints(max_length=2000, pattern=LINES), TRIMMED]


class LegacyKey(Strict):
    """How another system names the customer."""

    source: Word = Field(description="Which system.", examples=["earlybird"])
    kind: Word = Field(description="Which of its names.", examples=["id"])
    key: Word = Field(description="The name itself.", examples=["77"])


def _one_amount(facts: dict[str, Any]) -> None:
    """Say in the document what the validator demands: one of the two amounts, and that one is not null."""
    for name in ("amount", "amount_minor"):
        field = facts["properties"][name]
        field.pop("default", None)
        field["anyOf"] = [kind for kind in field["anyOf"] if kind != {"type": "null"}]
    facts["oneOf"] = [{"required": ["amount"]}, {"required": ["amount_minor"]}]
    facts["examples"] = [EXAMPLE]


EXAMPLE = {
    "client_id": "upi-8812",
    "customer": "C-7Q4K2M9P",
    "amount": "1250.00",
    "currency": "INR",
    "method": "upi",
    "received_on": "2026-02-03",
    "reference": "UTR 402911",
}


class PaymentIn(Strict):
    """Money received. `amount` is in major units, as text; `amount_minor` in paise or cents; one of the two."""

    model_config = ConfigDict(json_schema_extra=_one_amount)

    client_id: Word = Field(
        description="The sender's own name for this payment: sent again it changes nothing.", examples=["upi-8812"]
    )
    customer: Annotated[UUID | LegacyKey | Word, Field(union_mode="left_to_right")] = Field(
        description="Who paid: an id, a code, or how another system names them.", examples=["C-7Q4K2M9P"]
    )
    amount: Major | None = Field(None, description="Major units, as text; more than zero.", examples=["1250.00"])
    amount_minor: Whole | None = Field(None, description="Minor units; more than zero.", examples=[125000])
    currency: Annotated[str, StringConstraints(to_upper=True, pattern=rf"^{AROUND}[A-Za-z]{{3}}{AROUND}$"), TRIMMED] = (
        Field(description="The currency the customer is billed in.", examples=["INR"])
    )
    method: Annotated[str, StringConstraints(to_lower=True, min_length=1, max_length=40, pattern=ONE_LINE), TRIMMED] = (
        Field(description="How it came: cash goes to the depot's cash, all else to the bank.", examples=["upi"])
    )
    received_on: Day = Field(description="The business date it came in; not in the future.", examples=["2026-02-03"])
    reference: Line | None = Field(None, description="What the bank or app calls it.", examples=["UTR 402911"])
    note: Line | None = Field(None, description="What is worth knowing.", examples=["paid at the door"])

    @model_validator(mode="after")
    def _has_one_amount(self) -> Self:
        if (self.amount is None) == (self.amount_minor is None):
            raise ValueError("give amount or amount_minor, one of the two")
        return self


def _told(model: type[BaseModel]) -> dict[str, Any]:
    """Return a shape's fields described but not demanded: each row is judged by the rules, not by the document."""
    facts = model.model_json_schema()
    fields = {
        name: {"description": field["description"], "examples": field["examples"]}
        for name, field in facts["properties"].items()
    }
    return {"type": "object", "title": "PaymentRow", "properties": fields, "examples": facts["examples"]}


Row = Annotated[dict[str, Any], WithJsonSchema(_told(PaymentIn))]


class PaymentsIn(Strict):
    """A batch of payments, each judged on its own by the rules of one payment."""

    payments: Annotated[list[Row], Field(min_length=1, max_length=MOST_ROWS)] = Field(
        description="At most 1,000 payments; a refused one is kept and stops no other."
    )


class ReversalIn(Strict):
    """A former payment, by its `client_id`, that did not hold: bounced, mistyped, paid back."""

    reverse: Word
    reason: Word
    client_id: str | None = None
