"""What is shown of orders with their stops, of deliveries with what was told about them, and of plans."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field, WithJsonSchema

from earlybird.audit.states import FindingState
from earlybird.deliveries.schemas.told import Answer, CashTaken
from earlybird.deliveries.states import DeliveryState, EventKind, Reason, Via
from earlybird.infra.shapes import Currency, Minor, Quantity, UnitPrice
from earlybird.orders.schemas import OrderRow
from earlybird.territory.states import Shift

AnId = Field(examples=["01976f3e-5b1c-7c4e-9d2a-0f4f6c1d2e3a"])
Difference = Annotated[Decimal, WithJsonSchema({"type": "string", "examples": ["-0.5"]})]
"""By how much a quantity changed: text, with its sign."""


class OrderLineOut(BaseModel):
    """So much of a product at a price, and how much of it was delivered."""

    id: Annotated[UUID, AnId]
    position: Annotated[int, Field(examples=[1])]
    product_id: Annotated[UUID, AnId]
    product_name: Annotated[str, Field(examples=["Toned Milk"])]
    unit: Annotated[str, Field(examples=["L"])]
    quantity: Annotated[Quantity, Field(description="What is due.")]
    base_quantity: Annotated[Quantity, Field(description="What would be due without an override of the date.")]
    delivered_quantity: Annotated[Quantity, Field(description="What was delivered in all attempts.")]
    unit_price: Annotated[UnitPrice, Field(description="Major units per unit.")]
    amount_minor: Annotated[Minor, Field(description="Quantity × unit price, rounded once, in minor units.")]
    currency: Currency
    subscription_id: Annotated[UUID | None, Field(description="The standing order it comes from.")]
    rule: Annotated[str | None, Field(description="The rule of the standing order that hit.", examples=["daily"])]
    cancelled_at: datetime | None


class StopOut(BaseModel):
    """One attempt at the door, and whose word counts about it."""

    id: Annotated[UUID, AnId]
    attempt: Annotated[int, Field(examples=[1])]
    planned_on: Annotated[date, Field(examples=["2026-02-17"])]
    shift: Shift | None
    driver_id: UUID | None
    driver_name: Annotated[str | None, Field(examples=["Prakash"])]
    state: DeliveryState
    state_at: datetime
    confirmed_at: Annotated[datetime | None, Field(description="The device's time of the word that counts.")]
    confirmed_by: Annotated[str | None, Field(examples=["Prakash"])]
    via: Via | None


class OrderOut(OrderRow):
    """An order whole: its lines, cancelled ones included, and its stops."""

    address_id: UUID | None
    address: Annotated[
        dict[str, Any] | None,
        Field(description="The snapshot the plan took.", examples=[{"line1": "12 Temple Road", "city": "Bengaluru"}]),
    ]
    paid_upstream: Annotated[bool, Field(description="Another system took the money.")]
    cutoff_at: Annotated[datetime | None, Field(description="Until when it may change; null without day or shift.")]
    lines: list[OrderLineOut]
    deliveries: list[StopOut]


class DeliveryLineOut(BaseModel):
    """What is to be handed over at a stop, and how much was."""

    id: Annotated[UUID, AnId]
    order_line_id: Annotated[UUID, AnId]
    product_id: Annotated[UUID, AnId]
    product_name: Annotated[str, Field(examples=["Toned Milk"])]
    unit: Annotated[str, Field(examples=["L"])]
    ordered_quantity: Quantity
    delivered_quantity: Quantity


class DeliveryRow(BaseModel):
    """A planned stop as the list shows it, with what it holds."""

    id: Annotated[UUID, AnId]
    order_id: Annotated[UUID, AnId]
    order_code: Annotated[str | None, Field(examples=["EB-7Q4K2M9P"])]
    customer_id: Annotated[UUID, AnId]
    customer_name: Annotated[str, Field(examples=["Meena"])]
    customer_phone: str | None
    site_id: Annotated[UUID, AnId]
    address: Annotated[dict[str, Any] | None, Field(examples=[{"line1": "12 Temple Road", "city": "Bengaluru"}])]
    instructions: Annotated[str | None, Field(examples=["Second gate, ring twice."])]
    note: str | None
    planned_on: Annotated[date, Field(examples=["2026-02-17"])]
    shift: Shift | None
    driver_id: UUID | None
    driver_name: Annotated[str | None, Field(examples=["Prakash"])]
    attempt: Annotated[int, Field(examples=[1])]
    state: DeliveryState
    state_at: datetime
    lines: list[DeliveryLineOut]


class EventLineOut(BaseModel):
    """By how much one event changed one line."""

    delivery_line_id: Annotated[UUID, AnId]
    revision: Annotated[int, Field(examples=[1])]
    delta_quantity: Difference
    reason: str | None


class EventOut(BaseModel):
    """One thing told about a delivery. Address, device and place are shown to staff alone."""

    id: Annotated[UUID, AnId]
    client_id: Annotated[str, Field(examples=["9f1c-17"])]
    kind: EventKind
    actor_name: Annotated[str, Field(description="Who told it.", examples=["Prakash"])]
    actor_kind: Annotated[str, Field(examples=["user"])]
    via: Via
    device_at: datetime
    received_at: datetime
    reason: Annotated[str | None, Field(description="Why, as it was told.", examples=["customer_absent"])]
    reason_code: Annotated[Reason | None, Field(description="The reason by the list; other words are `other`.")]
    note: str | None
    address: Annotated[str | None, Field(description="From which network address.", examples=["203.0.113.7"])]
    device: Annotated[str | None, Field(examples=["Redmi 9A"])]
    place: Annotated[dict[str, Any] | None, Field(examples=[{"lat": 12.97, "lon": 77.59, "accuracy": 8}])]
    quantities: Annotated[
        dict[str, str] | None,
        Field(
            description="What was told: the quantity at the door (of a return: back) by delivery line.",
            examples=[{"01976f3e-5b1c-7c4e-9d2a-0f4f6c1d2e3a": "2.000"}],
        ),
    ]
    empties: Annotated[dict[str, int] | None, Field(description="Taken back.", examples=[{"bottle": 2}])]
    given: Annotated[dict[str, int] | None, Field(description="Left at the door.", examples=[{"crate": 1}])]
    cash: Annotated[CashTaken | None, Field(description="Cash taken, in minor units.")]
    photos: Annotated[list[str], Field(description="Ids or digests of photos, perhaps still to come.")]
    device_seq: int | None
    lines: Annotated[list[EventLineOut], Field(description="What it changed; nothing, where others count more.")]


class ConflictOut(BaseModel):
    """Two people told different things of one stop. A correction by staff decides it and closes it."""

    about: Annotated[str, Field(description="Quantities or cash.", examples=["confirmations_disagree"])]
    subject: Annotated[str, Field(description="The delivery line, or of cash the delivery.")]
    state: Annotated[FindingState, Field(description="Open until a correction, or until somebody accepts it.")]
    told: Annotated[
        dict[str, Any], Field(description="Who told what, by client_id.", examples=[{"p7-1": "2.000", "l-1": "1.000"}])
    ]
    counts: Annotated[str | None, Field(description="The client_id of the word that counts.", examples=["p7-1"])]
    first_seen_at: datetime
    state_at: datetime


class DeliveryOut(DeliveryRow):
    """A delivery with all that was told about it, in the order it came in."""

    events: list[EventOut]
    conflicts: Annotated[list[ConflictOut], Field(description="Where words disagree; customers are not shown it.")]


class VerdictOut(BaseModel):
    """The answer to one confirmation: accepted, superseded by a word that counts more, repeated or rejected."""

    answer: Answer
    client_id: Annotated[str | None, Field(examples=["9f1c-17"])]
    order_id: UUID | None
    delivery_id: UUID | None
    event_id: UUID | None
    outcome: Annotated[str | None, Field(description="Where the delivery stands now.", examples=["delivered"])]
    field: Annotated[str | None, Field(description="What a rejected one is wrong about.", examples=["order_id"])]
    rule: Annotated[str | None, Field(description="The rule it broke.", examples=["No order goes by that name."])]
    first: Annotated[Answer | None, Field(description="What a repeated one was answered the first time.")]


class Verdicts(BaseModel):
    """One verdict for each confirmation, in their order."""

    verdicts: list[VerdictOut]


class PlanOut(BaseModel):
    """A site's day as it stands after planning, and what this run changed."""

    site_id: Annotated[UUID, AnId]
    service_on: Annotated[date, Field(examples=["2026-02-17"])]
    currency: Currency
    closed: Annotated[str | None, Field(description="Why the site does not deliver on that day.")]
    orders: Annotated[int, Field(examples=[412])]
    lines: Annotated[int, Field(examples=[530])]
    stops: Annotated[int, Field(examples=[412])]
    amount_minor: Annotated[Minor, Field(description="What the day's lines amount to, in minor units.")]
    unassigned: Annotated[int, Field(description="Stops nobody drives.", examples=[0])]
    unpriced: Annotated[int, Field(description="Standing orders left out, as no price is in force.", examples=[0])]
    held: Annotated[int, Field(description="Orders out or confirmed: not touched.", examples=[0])]
    added: Annotated[int, Field(description="Lines this run added.", examples=[530])]
    adjusted: Annotated[int, Field(examples=[0])]
    cancelled: Annotated[int, Field(examples=[0])]


class PlanRunOut(BaseModel):
    """A day that was planned for a site."""

    id: Annotated[UUID, AnId]
    site_id: Annotated[UUID, AnId]
    site_name: Annotated[str, Field(examples=["Depot"])]
    service_on: Annotated[date, Field(examples=["2026-02-17"])]
    first_planned_at: datetime
    planned_at: Annotated[datetime, Field(description="When it was planned last.")]
    line_count: Annotated[int, Field(examples=[530])]
