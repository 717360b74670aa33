"""Products, the units they are sold in, what they cost from when, and the tax on them."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from earlybird.catalog.states import Measure, PriceScope, TaxComponent
from earlybird.infra.db import Key, Now, Quantity, Rate, Table, UnitPrice, one_of, ref


class Unit(Table):
    """A measure: litre, kilogram, piece. Quantities are stored in the product's own unit."""

    __tablename__ = "units"
    __table_args__ = (one_of("measure", Measure),)

    code: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str]
    measure: Mapped[str]


class TaxClass(Table):
    """Goods taxed alike (milk: exempt; ghee: 12 %)."""

    __tablename__ = "tax_classes"

    id: Mapped[Key]
    business_id: Mapped[UUID] = ref("businesses.id", index=False)
    name: Mapped[str]
    hsn: Mapped[str | None]

    __table_args__ = (UniqueConstraint("business_id", "name"),)


class TaxRate(Table):
    """The rate of one component (0.0250 = 2.5 %) from a date on."""

    __tablename__ = "tax_rates"
    __table_args__ = (
        UniqueConstraint("tax_class_id", "component", "valid_from"),
        CheckConstraint("rate >= 0 AND rate < 1", name="rate"),
        one_of("component", TaxComponent),
    )

    id: Mapped[Key]
    tax_class_id: Mapped[UUID] = ref("tax_classes.id", index=False)
    component: Mapped[str]
    rate: Mapped[Rate]
    valid_from: Mapped[date]


class Product(Table):
    """Something sold. `pack_size` is how much of its unit one packet holds: 0.5 for a half-litre."""

    __tablename__ = "products"
    __table_args__ = (CheckConstraint("pack_size > 0", name="pack_size"), Index(None, "business_id", "name"))

    id: Mapped[Key]
    business_id: Mapped[UUID] = ref("businesses.id", index=False)
    name: Mapped[str]
    category: Mapped[str | None]
    unit_code: Mapped[str] = ref("units.code")
    pack_size: Mapped[Quantity] = mapped_column(Numeric(14, 3), server_default="1")
    tax_class_id: Mapped[UUID | None] = ref("tax_classes.id")
    created_at: Mapped[Now]
    archived_at: Mapped[datetime | None]


class ProductKey(Table):
    """How another system names a product."""

    __tablename__ = "product_keys"

    source: Mapped[str] = mapped_column(Text, primary_key=True)
    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    product_id: Mapped[UUID] = ref("products.id")


class Price(Table):
    """A unit price from a date on: for everybody (list) or for one customer."""

    __tablename__ = "prices"
    __table_args__ = (
        UniqueConstraint("product_id", "customer_id", "valid_from", postgresql_nulls_not_distinct=True),
        CheckConstraint("(scope = 'customer') = (customer_id IS NOT NULL)", name="scope_customer"),
        CheckConstraint("unit_price >= 0", name="unit_price"),
        one_of("scope", PriceScope),
        Index(None, "customer_id", postgresql_where="customer_id IS NOT NULL"),
    )

    id: Mapped[Key]
    product_id: Mapped[UUID] = ref("products.id", index=False)
    scope: Mapped[str]
    customer_id: Mapped[UUID | None] = mapped_column(ForeignKey("customers.id"))
    unit_price: Mapped[UnitPrice]
    currency: Mapped[str]
    valid_from: Mapped[date]
