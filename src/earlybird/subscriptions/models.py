"""Standing orders, effective-dated: versions, pauses and overrides are rows, the past stays as it was."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, Integer, SmallInteger, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from earlybird.infra.db import Key, Now, Quantity, Table, UnitPrice, one_of, ref
from earlybird.subscriptions.states import OverrideKind, Pattern, StandingShift, SubscriptionState
from earlybird.territory.states import Shift


class Subscription(Table):
    """A standing order. Due from `starts_on`; `stops_on` is the first day without delivery."""

    __tablename__ = "subscriptions"
    __table_args__ = (one_of("state", SubscriptionState), Index(None, "state", "id"))

    id: Mapped[Key]
    customer_id: Mapped[UUID] = ref("customers.id")
    address_id: Mapped[UUID | None] = ref("addresses.id")
    starts_on: Mapped[date]
    stops_on: Mapped[date | None]
    state: Mapped[str] = mapped_column(Text, server_default=SubscriptionState.draft)
    state_at: Mapped[Now]
    stop_reason: Mapped[str | None]
    created_at: Mapped[Now]


class SubscriptionKey(Table):
    """How another system names a standing order."""

    __tablename__ = "subscription_keys"

    source: Mapped[str] = mapped_column(Text, primary_key=True)
    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    subscription_id: Mapped[UUID] = ref("subscriptions.id")


class SubscriptionVersion(Table):
    """What is wanted from `valid_from` until the next version. Weekdays: 0 = Monday."""

    __tablename__ = "subscription_versions"
    __table_args__ = (
        UniqueConstraint("subscription_id", "valid_from"),
        CheckConstraint("quantity >= 0", name="quantity"),
        CheckConstraint("agreed_price >= 0", name="agreed_price"),
        CheckConstraint("pattern <> 'weekly' OR weekdays IS NOT NULL", name="weekly"),
        CheckConstraint("pattern <> 'every_nth' OR every_n >= 1", name="every_nth"),
        one_of("pattern", Pattern),
        one_of("shift", StandingShift),
    )

    id: Mapped[Key]
    subscription_id: Mapped[UUID] = ref("subscriptions.id", index=False)
    valid_from: Mapped[date]
    product_id: Mapped[UUID] = ref("products.id")
    quantity: Mapped[Quantity]
    pattern: Mapped[str]
    weekdays: Mapped[list[int] | None] = mapped_column(ARRAY(SmallInteger))
    every_n: Mapped[int | None] = mapped_column(Integer)
    until_on: Mapped[date | None]
    agreed_price: Mapped[UnitPrice | None]
    shift: Mapped[str]
    driver_id: Mapped[UUID | None] = ref("users.id")
    made_at: Mapped[Now]
    made_by: Mapped[str | None]
    via: Mapped[str | None]


class SubscriptionPause(Table):
    """Days without delivery, both ends included; no end means until further notice."""

    __tablename__ = "subscription_pauses"
    __table_args__ = (CheckConstraint("ends_on >= starts_on", name="order"),)

    id: Mapped[Key]
    subscription_id: Mapped[UUID] = ref("subscriptions.id")
    starts_on: Mapped[date]
    ends_on: Mapped[date | None]
    reason: Mapped[str | None]
    made_at: Mapped[Now]
    made_by: Mapped[str | None]
    via: Mapped[str | None]
    cutoff_at: Mapped[datetime | None]
    cancelled_at: Mapped[datetime | None]


class SubscriptionOverride(Table):
    """The quantity of one date (0 means none), and perhaps its shift or driver, instead of the usual."""

    __tablename__ = "subscription_overrides"
    __table_args__ = (
        Index(
            "subscription_overrides_current_key",
            "subscription_id",
            "service_on",
            "kind",
            unique=True,
            postgresql_where="superseded_at IS NULL",
        ),
        CheckConstraint("quantity >= 0", name="quantity"),
        one_of("kind", OverrideKind),
        one_of("shift", Shift),
    )

    id: Mapped[Key]
    subscription_id: Mapped[UUID] = ref("subscriptions.id")
    service_on: Mapped[date]
    kind: Mapped[str]
    quantity: Mapped[Quantity | None]
    shift: Mapped[str | None]
    driver_id: Mapped[UUID | None] = ref("users.id")
    reason: Mapped[str | None]
    made_at: Mapped[Now]
    made_by: Mapped[str | None]
    via: Mapped[str | None]
    cutoff_at: Mapped[datetime | None]
    superseded_at: Mapped[datetime | None]
