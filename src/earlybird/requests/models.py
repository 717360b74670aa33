"""What was asked for, whether in time, and what became of it."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Boolean, CheckConstraint, Index, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from earlybird.infra.db import Instant, Key, Quantity, Table, one_of, ref
from earlybird.requests.states import Kind, RequestState
from earlybird.territory.states import Shift


class Request(Table):
    """A wish that somebody else decides on. `cutoff_at` was the last moment for its day when it was made."""

    __tablename__ = "requests"
    __table_args__ = (
        UniqueConstraint("asked_by_kind", "asked_by_id", "client_id", postgresql_nulls_not_distinct=True),
        CheckConstraint("ends_on >= service_on", name="days"),
        CheckConstraint("quantity >= 0", name="quantity"),
        Index("requests_waiting_idx", "service_on", postgresql_where="state = 'waiting'"),
        one_of("kind", Kind),
        one_of("shift", Shift),
        one_of("state", RequestState),
    )

    id: Mapped[Key]
    client_id: Mapped[str]
    digest: Mapped[str]
    kind: Mapped[str]
    site_id: Mapped[UUID] = ref("sites.id")
    customer_id: Mapped[UUID] = ref("customers.id")
    delivery_id: Mapped[UUID | None] = ref("deliveries.id")
    subscription_id: Mapped[UUID | None] = ref("subscriptions.id")
    service_on: Mapped[date]
    ends_on: Mapped[date | None]
    product_id: Mapped[UUID | None] = ref("products.id")
    quantity: Mapped[Quantity | None]
    shift: Mapped[str | None]
    driver_id: Mapped[UUID | None] = ref("users.id")
    note: Mapped[str | None]
    asked_by_kind: Mapped[str]
    asked_by_id: Mapped[UUID | None]
    asked_by: Mapped[str]
    via: Mapped[str]
    made_at: Mapped[Instant]
    cutoff_at: Mapped[datetime | None]
    is_in_time: Mapped[bool] = mapped_column(Boolean)
    state: Mapped[str] = mapped_column(Text, server_default=RequestState.waiting)
    state_at: Mapped[Instant]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None]
    reason: Mapped[str | None]
    effective_on: Mapped[date | None]
    is_after_cutoff: Mapped[bool] = mapped_column(Boolean, server_default="false")
    order_id: Mapped[UUID | None] = ref("orders.id")
