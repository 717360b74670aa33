"""Packages, what is in them and which orders they serve: the only place that says how goods travel."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import CheckConstraint, Index, SmallInteger, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from earlybird.fulfilment.states import DeliveryType, PackageState, ShippingType
from earlybird.infra.db import Key, Now, Quantity, Table, one_of, ref


class Package(Table):
    """Goods that travel together on one leg."""

    __tablename__ = "packages"
    __table_args__ = (
        one_of("state", PackageState),
        one_of("delivery_type", DeliveryType),
        one_of("shipping_type", ShippingType),
        CheckConstraint("leg IN (1, 2)", name="leg"),
    )

    id: Mapped[Key]
    code: Mapped[str] = mapped_column(Text, unique=True)
    shop_id: Mapped[UUID] = ref("sites.id")
    warehouse_id: Mapped[UUID | None] = ref("sites.id")
    driver_id: Mapped[UUID | None] = ref("users.id")
    first_leg_id: Mapped[UUID | None] = ref("packages.id")
    delivery_type: Mapped[str]
    shipping_type: Mapped[str]
    leg: Mapped[int] = mapped_column(SmallInteger, server_default="1")
    state: Mapped[str] = mapped_column(Text, server_default=PackageState.pending)
    state_at: Mapped[Now]
    created_at: Mapped[Now]


class PackageOrder(Table):
    """Which orders a package serves; found by index in both directions, never by text."""

    __tablename__ = "package_orders"
    __table_args__ = (Index(None, "order_id"),)

    package_id: Mapped[UUID] = ref("packages.id", primary_key=True, index=False)
    order_id: Mapped[UUID] = ref("orders.id", primary_key=True, index=False)


class PackageLine(Table):
    """How much of an order line is in a package."""

    __tablename__ = "package_lines"
    __table_args__ = (
        UniqueConstraint("package_id", "order_line_id"),
        CheckConstraint("quantity > 0", name="quantity"),
    )

    id: Mapped[Key]
    package_id: Mapped[UUID] = ref("packages.id", index=False)
    order_line_id: Mapped[UUID] = ref("order_lines.id")
    quantity: Mapped[Quantity]
