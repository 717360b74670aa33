"""What an order looks like on the wire: what is asked, and a row of the list."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from earlybird.infra.shapes import Currency, Minor, Note, Quantity, UnitPrice, Word
from earlybird.orders.states import OrderSource, OrderState
from earlybird.territory.states import Shift

MOST_LINES = 100
MOST = 99_999

AnId = Field(examples=["01976f3e-5b1c-7c4e-9d2a-0f4f6c1d2e3a"])
Ordered = Annotated[
    Quantity,
    Field(gt=0, lt=MOST + 1),
    WithJsonSchema(
        {
            "anyOf": [
                {
                    "type": "string",
                    "pattern": r"^(0\.(00[1-9]|0[1-9][0-9]?|[1-9][0-9]{0,2})|[1-9][0-9]{0,4}(\.[0-9]{1,3})?)$",
                },
                {"type": "integer", "minimum": 1, "maximum": MOST},
            ],
            "description": "In the product's unit: above zero, below 100,000, at most three decimals; best as text.",
            "examples": ["1.5"],
        },
        mode="validation",
    ),
]


class WantedLine(BaseModel):
    """So much of a product, at the price in force on the day; staff may give another."""

    model_config = ConfigDict(extra="forbid")

    product_id: Annotated[UUID, AnId]
    quantity: Ordered
    unit_price: Annotated[
        UnitPrice | None, Field(description="Major units per unit; staff only. Left out, the price in force counts.")
    ] = None


class _Content(BaseModel):
    model_config = ConfigDict(extra="forbid")

    lines: Annotated[
        list[WantedLine], Field(min_length=1, max_length=MOST_LINES, description="Each product stands on one line.")
    ]
    address_id: Annotated[
        UUID | None, Field(description="One of the customer's addresses; left out, their default one.")
    ] = None
    note: Annotated[Note | None, Field(examples=["Please ring twice."])] = None


class OrderIn(_Content):
    """A one-time order. `customer_id` may be left out by a customer who orders for themselves."""

    customer_id: Annotated[UUID | None, AnId] = None
    service_on: Annotated[
        date | None,
        Field(
            description="The day it is for; a business customer may leave day and shift open.", examples=["2026-02-17"]
        ),
    ] = None
    shift: Annotated[Shift | None, Field(examples=["morning"])] = None


class OrderChange(_Content):
    """What the order is to hold from now on: all of its lines, its address, its note.

    A line that stays keeps the price it was ordered at; a new one gets the price in force; one left out is cancelled.
    """


class CancelOrder(BaseModel):
    """Why an order is cancelled."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[Word, Field(examples=["Guests do not come after all."])]


class OrderRow(BaseModel):
    """An order as the list shows it; the amount is that of its lines that stand."""

    id: Annotated[UUID, AnId]
    code: Annotated[str | None, Field(description="What people call it.", examples=["EB-7Q4K2M9P"])]
    customer_id: Annotated[UUID, AnId]
    customer_name: Annotated[str, Field(examples=["Meena"])]
    site_id: Annotated[UUID, AnId]
    source: Annotated[OrderSource, Field(description="By hand, or from standing orders.")]
    service_on: Annotated[date | None, Field(examples=["2026-02-17"])]
    shift: Shift | None
    state: OrderState
    state_at: Annotated[datetime, Field(description="Since when it stands there.")]
    placed_at: datetime
    note: str | None
    amount_minor: Annotated[Minor, Field(description="In minor units of the currency.")]
    currency: Currency
    line_count: Annotated[int, Field(examples=[2])]
