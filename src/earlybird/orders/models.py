"""Orders and their priced lines; a line from a standing order names it, once per day and shift."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, CheckConstraint, Index, SmallInteger, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from earlybird.infra.db import Key, Minor, Now, Quantity, Table, UnitPrice, one_of, ref
from earlybird.orders.states import CancelledBy, OrderSource, OrderState
from earlybird.territory.states import Shift


class Order(Table):
    """What one customer is to get; with a service date and shift where it comes to a door."""

    __tablename__ = "orders"
    __table_args__ = (
        Index(
            "orders_standing_key",
            "customer_id",
            "service_on",
            "shift",
            "address_id",
            unique=True,
            postgresql_where="source = 'subscription'",
            postgresql_nulls_not_distinct=True,
        ),
        Index("orders_code_idx", "code", postgresql_where="code IS NOT NULL"),
        Index(None, "service_on"),
        Index(None, "driver_id", postgresql_where="driver_id IS NOT NULL"),
        Index(None, "placed_by_id", postgresql_where="placed_by_id IS NOT NULL"),
        CheckConstraint("source <> 'subscription' OR (service_on IS NOT NULL AND shift IS NOT NULL)", name="standing"),
        one_of("source", OrderSource),
        one_of("state", OrderState),
        one_of("shift", Shift),
        {"postgresql_with": {"fillfactor": 75}},  # a state moves in place, no index is touched
    )

    id: Mapped[Key]
    seller_id: Mapped[UUID] = ref("businesses.id", index=False)
    site_id: Mapped[UUID] = ref("sites.id", index=False)
    customer_id: Mapped[UUID] = ref("customers.id")
    address_id: Mapped[UUID | None] = ref("addresses.id", index=False)
    address: Mapped[dict[str, Any] | None]
    code: Mapped[str | None] = mapped_column(Text)
    source: Mapped[str]
    service_on: Mapped[date | None]
    shift: Mapped[str | None]
    driver_id: Mapped[UUID | None] = ref("users.id", index=False)
    state: Mapped[str] = mapped_column(Text, server_default=OrderState.placed)
    state_at: Mapped[Now]
    placed_at: Mapped[Now]
    placed_by_id: Mapped[UUID | None] = ref("users.id", index=False)
    note: Mapped[str | None]
    paid_upstream: Mapped[bool] = mapped_column(Boolean, server_default="false")


class OrderKey(Table):
    """How another system names an order, with what it said of it."""

    __tablename__ = "order_keys"

    source: Mapped[str] = mapped_column(Text, primary_key=True)
    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    order_id: Mapped[UUID] = ref("orders.id")
    facts: Mapped[dict[str, Any] | None] = mapped_column(JSONB)


class OrderLine(Table):
    """So much of a product at a price. `quantity` is what is due; `base_quantity` before any override.

    `amount_minor` is quantity × unit_price rounded once, half up; the tax is in it where prices
    include tax and beside it where they do not (`tax_minor`). A cancelled line keeps what it was;
    the plan brings back only what the plan itself cancelled.
    """

    __tablename__ = "order_lines"
    __table_args__ = (
        UniqueConstraint("subscription_id", "service_on", "shift"),
        CheckConstraint("quantity >= 0", name="quantity"),
        CheckConstraint("unit_price >= 0", name="unit_price"),
        CheckConstraint("source <> 'subscription' OR (service_on IS NOT NULL AND shift IS NOT NULL)", name="standing"),
        one_of("source", OrderSource),
        one_of("shift", Shift),
        one_of("cancelled_by", CancelledBy),
    )

    id: Mapped[Key]
    order_id: Mapped[UUID] = ref("orders.id")
    position: Mapped[int] = mapped_column(SmallInteger, server_default="1")
    customer_id: Mapped[UUID]
    service_on: Mapped[date | None]
    shift: Mapped[str | None]
    source: Mapped[str]
    subscription_id: Mapped[UUID | None] = ref("subscriptions.id", index=False)
    subscription_version_id: Mapped[UUID | None] = mapped_column()
    override_id: Mapped[UUID | None] = mapped_column()
    price_id: Mapped[UUID | None] = mapped_column()
    rule: Mapped[str | None]
    product_id: Mapped[UUID] = ref("products.id", index=False)
    product_name: Mapped[str]
    unit: Mapped[str]
    quantity: Mapped[Quantity]
    base_quantity: Mapped[Quantity]
    unit_price: Mapped[UnitPrice]
    currency: Mapped[str]
    amount_minor: Mapped[Minor]
    tax_class_id: Mapped[UUID | None] = mapped_column()
    cancelled_at: Mapped[datetime | None]
    cancelled_by: Mapped[str | None]
    planned_at: Mapped[Now]


class PlanRun(Table):
    """A service date planned for a site: when last, and what came of it."""

    __tablename__ = "plan_runs"
    __table_args__ = (UniqueConstraint("site_id", "service_on"),)

    id: Mapped[Key]
    site_id: Mapped[UUID] = ref("sites.id", index=False)
    service_on: Mapped[date]
    first_planned_at: Mapped[Now]
    planned_at: Mapped[Now]
    line_count: Mapped[int]
