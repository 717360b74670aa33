"""What the old apps send when something was delivered, under their own names; what else they send is passed by."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from earlybird.deliveries.schemas.told import Answer, Prose, Text
from earlybird.deliveries.states import DeliveryState
from earlybird.infra.shapes import Day, Moment

MOST_MONEY = Decimal(10**10)


class LegacyStatus(StrEnum):
    """Where the old apps said a delivery stood, in small letters."""

    delivered = "delivered"
    full = "full"
    partially_delivered = "partially_delivered"
    partial = "partial"
    not_delivered = "not_delivered"


NOTHING_WENT = frozenset({LegacyStatus.not_delivered})
SOME_WENT = frozenset({LegacyStatus.partial, LegacyStatus.partially_delivered})


def _number(given: Any) -> Any:
    """Return a JSON number as it was written: the old apps sent 2, 1.5 and "1.5"."""
    if isinstance(given, bool):
        raise ValueError("a number is meant")  # noqa: TRY004 - only a ValueError is told as a field's failure
    try:
        return Decimal(str(given)) if isinstance(given, int | float | str) else given
    except InvalidOperation as failure:
        raise ValueError("a number is meant") from failure


def _small(given: Any) -> Any:
    return given.strip().lower() if isinstance(given, str) else given


LegacyNumber = Annotated[
    Decimal,
    BeforeValidator(_number),
    Field(ge=0, lt=MOST_MONEY, decimal_places=3, allow_inf_nan=False),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": 9_999_999, "multipleOf": 0.5, "examples": [1.5]}),
]
Status = Annotated[LegacyStatus | None, BeforeValidator(_small)]


class LegacyItem(BaseModel):
    """A product of the order, by its id or its name, and how much of it was delivered, in the order's unit."""

    model_config = ConfigDict(extra="ignore")

    product_id: Annotated[Text | None, Field(description="Our id, or the old system's.")] = None
    product_name: Annotated[Text | None, Field(examples=["Toned Milk"])] = None
    delivered_qty: Annotated[LegacyNumber, Field(validation_alias=AliasChoices("delivered_qty", "delivered_quantity"))]


class MarkDelivered(BaseModel):
    """A delivery as the old apps mark it. `order_id` is required: an order, by our id or the old system's."""

    model_config = ConfigDict(extra="ignore")

    order_id: Annotated[Text | None, Field(examples=["01976f3e-5b1c-7c4e-9d2a-0f4f6c1d2e3a"])] = None
    delivery_date: Annotated[Day | None, Field(description="The day it was delivered; left out, today.")] = None
    delivered_at: Annotated[Moment | None, Field(description="When, where the app knows it.")] = None
    status: Annotated[Status, Field(validation_alias=AliasChoices("status", "delivery_type"))] = None
    items: Annotated[
        list[LegacyItem] | None,
        Field(min_length=1, max_length=1000, validation_alias=AliasChoices("items", "products")),
    ] = None
    notes: Prose | None = None
    reason: Prose | None = None
    cash_collected: Annotated[LegacyNumber | None, Field(description="Major units: rupees.")] = None


class Marked(BaseModel):
    """What the old apps are answered."""

    success: bool
    message: Annotated[str, Field(examples=["Delivery marked as delivered."])]
    order_id: UUID
    delivery_id: UUID
    status: Annotated[DeliveryState, Field(description="Where the delivery stands now.")]
    answer: Answer
