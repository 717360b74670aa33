"""Customers, their addresses, and what other systems call them."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, CheckConstraint, Index, Numeric, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from earlybird.customers.states import CustomerKind, CustomerState
from earlybird.infra.db import Instant, Key, Now, Table, one_of, ref

DIGITS = "right(regexp_replace({}, '[^0-9]', '', 'g'), 10)"
"""SQL: what of a phone number is compared; the old system kept no country."""

FOLDED = r"lower(regexp_replace({}, '\W+', ' ', 'g'))"
"""SQL: what of a name or a street is compared."""


class Customer(Table):
    """A household or business that receives goods. Phones may be shared, so they are not unique."""

    __tablename__ = "customers"
    __table_args__ = (
        one_of("kind", CustomerKind),
        one_of("state", CustomerState),
        Index("customers_code_key", "code", unique=True),
        Index("customers_phone_digits_idx", text(DIGITS.format("phone"))),
        Index("customers_name_folded_idx", text(FOLDED.format("name"))),
        CheckConstraint("merged_into_id IS NULL OR archived_at IS NOT NULL", name="merged_is_archived"),
    )

    id: Mapped[Key]
    business_id: Mapped[UUID] = ref("businesses.id")
    site_id: Mapped[UUID] = ref("sites.id")
    code: Mapped[str]
    kind: Mapped[str] = mapped_column(Text, server_default=CustomerKind.household)
    name: Mapped[str]
    phone: Mapped[str | None] = mapped_column(Text, index=True)
    phone_as_given: Mapped[str | None]
    email: Mapped[str | None] = mapped_column(Text, index=True)
    language: Mapped[str] = mapped_column(Text, server_default="en")
    area_id: Mapped[UUID | None] = ref("areas.id")
    driver_id: Mapped[UUID | None] = ref("users.id")
    marketer_id: Mapped[UUID | None] = ref("users.id")
    bill_to_id: Mapped[UUID | None] = ref("customers.id")
    merged_into_id: Mapped[UUID | None] = ref("customers.id")
    billing_cycle: Mapped[str] = mapped_column(Text, server_default="monthly")
    state: Mapped[str] = mapped_column(Text, server_default=CustomerState.trial)
    state_at: Mapped[Now]
    state_from: Mapped[date | None]
    trial_from: Mapped[date | None]
    notes: Mapped[str | None]
    delivery_instructions: Mapped[str | None]
    created_at: Mapped[Now]
    archived_at: Mapped[datetime | None]


class CustomerKey(Table):
    """How another system names a customer; one may have an id, a hex id and a user id."""

    __tablename__ = "customer_keys"

    source: Mapped[str] = mapped_column(Text, primary_key=True)
    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    customer_id: Mapped[UUID] = ref("customers.id")


class Address(Table):
    """A door."""

    __tablename__ = "addresses"
    __table_args__ = (
        Index(
            "addresses_default_key",
            "customer_id",
            unique=True,
            postgresql_where="is_default AND archived_at IS NULL",
        ),
    )

    id: Mapped[Key]
    customer_id: Mapped[UUID] = ref("customers.id")
    label: Mapped[str | None]
    line1: Mapped[str]
    line2: Mapped[str | None]
    city: Mapped[str | None]
    region: Mapped[str | None]
    postal_code: Mapped[str | None]
    latitude: Mapped[Decimal | None] = mapped_column(Numeric(9, 6))
    longitude: Mapped[Decimal | None] = mapped_column(Numeric(9, 6))
    map_url: Mapped[str | None]
    is_default: Mapped[bool] = mapped_column(Boolean, server_default="false")
    created_at: Mapped[Now]
    archived_at: Mapped[datetime | None]


class CustomerMerge(Table):
    """One customer found to be another: what was carried over, row by row, so that it can be taken back."""

    __tablename__ = "customer_merges"
    __table_args__ = (
        Index("customer_merges_standing_key", "customer_id", unique=True, postgresql_where="undone_at IS NULL"),
    )

    id: Mapped[Key]
    customer_id: Mapped[UUID] = ref("customers.id")
    into_id: Mapped[UUID] = ref("customers.id")
    carried: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    reason: Mapped[str]
    made_at: Mapped[Instant]
    undone_at: Mapped[datetime | None]
