"""Standing rounds with the order that is remembered, and when a door may be rung."""

from __future__ import annotations

from datetime import datetime, time
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, Integer, Numeric, SmallInteger, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from earlybird.infra.db import Key, Now, Table, one_of, ref
from earlybird.territory.states import Shift


class StandingRound(Table):
    """What a driver drives on a shift, day after day. `capacity` counts packets; null: whatever is due."""

    __tablename__ = "standing_rounds"
    __table_args__ = (
        Index(
            "standing_rounds_driver_key",
            "site_id",
            "shift",
            "driver_id",
            unique=True,
            postgresql_where="archived_at IS NULL",
        ),
        CheckConstraint("capacity > 0", name="capacity"),
        CheckConstraint("service_minutes BETWEEN 0 AND 240", name="service_minutes"),
        one_of("shift", Shift),
    )

    id: Mapped[Key]
    site_id: Mapped[UUID] = ref("sites.id", index=False)
    shift: Mapped[str]
    name: Mapped[str]
    driver_id: Mapped[UUID] = ref("users.id")
    capacity: Mapped[Decimal | None] = mapped_column(Numeric(14, 3))
    service_minutes: Mapped[int] = mapped_column(SmallInteger, server_default="2")
    remembered_at: Mapped[datetime | None]
    made_at: Mapped[Now]
    archived_at: Mapped[datetime | None]


class StandingStop(Table):
    """Where a door stands in the remembered order of a round; doors that get nothing today keep their place."""

    __tablename__ = "standing_stops"
    __table_args__ = (
        UniqueConstraint("standing_round_id", "customer_id", "address_id", postgresql_nulls_not_distinct=True),
        UniqueConstraint("standing_round_id", "position", deferrable=True, initially="DEFERRED"),
        CheckConstraint("position >= 1", name="position"),
    )

    id: Mapped[Key]
    standing_round_id: Mapped[UUID] = ref("standing_rounds.id", index=False)
    customer_id: Mapped[UUID] = ref("customers.id")
    address_id: Mapped[UUID | None] = ref("addresses.id")
    position: Mapped[int] = mapped_column(Integer)


class DoorWindow(Table):
    """Between which local times a door may be rung, and how long it takes there; without an address: all doors."""

    __tablename__ = "door_windows"
    __table_args__ = (
        UniqueConstraint("customer_id", "address_id", postgresql_nulls_not_distinct=True),
        CheckConstraint("opens < closes", name="opens_closes"),
        CheckConstraint("service_minutes BETWEEN 0 AND 240", name="service_minutes"),
    )

    id: Mapped[Key]
    customer_id: Mapped[UUID] = ref("customers.id", index=False)
    address_id: Mapped[UUID | None] = ref("addresses.id")
    opens: Mapped[time | None]
    closes: Mapped[time | None]
    service_minutes: Mapped[int | None] = mapped_column(SmallInteger)
