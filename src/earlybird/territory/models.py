"""Legal entities, sites, shifts with cut-offs, areas and who serves them, closures, policies."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, ForeignKey, Index, Integer, Numeric, SmallInteger, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from earlybird.infra.db import Instant, Key, Now, Table, one_of, ref
from earlybird.territory.states import Shift, SiteKind


class Business(Table):
    """A legal entity: it owns numbers, money and tax ids."""

    __tablename__ = "businesses"

    id: Mapped[Key]
    name: Mapped[str] = mapped_column(Text, unique=True)
    legal_name: Mapped[str | None]
    currency: Mapped[str]
    country: Mapped[str]
    zone: Mapped[str]
    tax_ids: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    upi_id: Mapped[str | None]
    phone: Mapped[str | None]
    address: Mapped[str | None]
    invoice_prefix: Mapped[str] = mapped_column(Text, server_default="INV")
    terms_days: Mapped[int] = mapped_column(Integer, server_default="7")
    prices_include_tax: Mapped[bool] = mapped_column(Boolean, server_default="true")
    rounds_to_major: Mapped[bool] = mapped_column(Boolean, server_default="false")
    cutover_on: Mapped[date | None]
    created_at: Mapped[Now]


class Site(Table):
    """A depot, shop or warehouse of a business, in its own zone."""

    __tablename__ = "sites"
    __table_args__ = (UniqueConstraint("business_id", "name"), one_of("kind", SiteKind))

    id: Mapped[Key]
    business_id: Mapped[UUID] = ref("businesses.id", index=False)
    kind: Mapped[str]
    name: Mapped[str]
    zone: Mapped[str]
    latitude: Mapped[Decimal | None] = mapped_column(Numeric(9, 6))
    longitude: Mapped[Decimal | None] = mapped_column(Numeric(9, 6))
    archived_at: Mapped[datetime | None]


class ShiftPlan(Table):
    """When a shift runs at a site and until when its orders may change."""

    __tablename__ = "shifts"
    __table_args__ = (UniqueConstraint("site_id", "shift"), one_of("shift", Shift))

    id: Mapped[Key]
    site_id: Mapped[UUID] = ref("sites.id", index=False)
    shift: Mapped[str]
    starts: Mapped[time]
    ends: Mapped[time]
    cutoff: Mapped[time]
    cutoff_days_before: Mapped[int] = mapped_column(SmallInteger, server_default="1")


class Area(Table):
    """A part of town."""

    __tablename__ = "areas"
    __table_args__ = (UniqueConstraint("site_id", "name"),)

    id: Mapped[Key]
    site_id: Mapped[UUID] = ref("sites.id", index=False)
    name: Mapped[str]
    postal_code: Mapped[str | None]
    archived_at: Mapped[datetime | None]


class AreaKey(Table):
    """How another system names an area."""

    __tablename__ = "area_keys"

    source: Mapped[str] = mapped_column(Text, primary_key=True)
    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    area_id: Mapped[UUID] = ref("areas.id")


class AreaDriver(Table):
    """Who serves an area on a shift (and weekday, 0 = Monday; null: every day) from a date on."""

    __tablename__ = "area_drivers"
    __table_args__ = (
        UniqueConstraint("area_id", "shift", "weekday", "valid_from", postgresql_nulls_not_distinct=True),
        one_of("shift", Shift),
    )

    id: Mapped[Key]
    area_id: Mapped[UUID] = ref("areas.id", index=False)
    shift: Mapped[str]
    weekday: Mapped[int | None] = mapped_column(SmallInteger)
    driver_id: Mapped[UUID] = ref("users.id")
    valid_from: Mapped[date]


class DriverShift(Table):
    """A shift somebody works; who has no row works them all."""

    __tablename__ = "driver_shifts"
    __table_args__ = (one_of("shift", Shift),)

    driver_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    shift: Mapped[str] = mapped_column(Text, primary_key=True)


class Closure(Table):
    """A day on which a site does not deliver."""

    __tablename__ = "closures"
    __table_args__ = (UniqueConstraint("site_id", "closed_on"),)

    id: Mapped[Key]
    site_id: Mapped[UUID] = ref("sites.id", index=False)
    closed_on: Mapped[date]
    reason: Mapped[str]


class Policy(Table):
    """A rule of the house that may be switched: one row per name, read by the code that obeys it."""

    __tablename__ = "policies"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    value: Mapped[Any] = mapped_column(JSONB)
    set_at: Mapped[Instant]
    set_by: Mapped[str]


class ReplanRequest(Table):
    """Something that may change what is due on a day was said: a day that is planned is planned again.

    The plan of the day takes the rows it saw before it looked, and no later ones.
    """

    __tablename__ = "replan_requests"
    __table_args__ = (Index(None, "site_id", "service_on"),)

    id: Mapped[Key]
    site_id: Mapped[UUID] = ref("sites.id", index=False)
    service_on: Mapped[date]
    reason: Mapped[str]
    made_at: Mapped[Instant]
