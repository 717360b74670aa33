"""Planned stops, what happened at the door (append-only), and legacy deliveries nobody can prove."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, CheckConstraint, ForeignKey, Index, Integer, SmallInteger, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY, INT8MULTIRANGE, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from earlybird.deliveries.states import DeliveryState, EventKind, RoundState, Via
from earlybird.infra.db import Instant, Key, Minor, Now, Quantity, Table, one_of, ref
from earlybird.territory.states import Shift


class Delivery(Table):
    """A planned stop for one order: attempt n. Every delivery names its order."""

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("order_id", "attempt"),
        CheckConstraint("attempt >= 1", name="attempt"),
        Index("deliveries_round_idx", "planned_on", "driver_id", "shift"),
        Index(None, "driver_id", postgresql_where="driver_id IS NOT NULL"),
        one_of("state", DeliveryState),
        one_of("shift", Shift),
        {"postgresql_with": {"fillfactor": 75}},  # a state moves in place, no index is touched
    )

    id: Mapped[Key]
    order_id: Mapped[UUID] = ref("orders.id", index=False)
    customer_id: Mapped[UUID] = mapped_column(index=True)
    planned_on: Mapped[date]
    shift: Mapped[str | None]
    driver_id: Mapped[UUID | None] = ref("users.id", index=False)
    attempt: Mapped[int] = mapped_column(SmallInteger, server_default="1")
    state: Mapped[str] = mapped_column(Text, server_default=DeliveryState.planned)
    state_at: Mapped[Now]


class Round(Table):
    """The stops of one driver on one shift of one day, in the order they are driven.

    `is_cut`: the plan puts the stops of `usual_driver_id` here, whoever drives it today; a round that was split off
    takes none. What the plan would put into a merged round goes where `merged_into_id` leads.
    """

    __tablename__ = "rounds"
    __table_args__ = (
        Index("rounds_day_idx", "service_on", "site_id"),
        Index("rounds_driver_id_service_on_idx", "driver_id", "service_on"),
        Index(
            "rounds_cut_key",
            "site_id",
            "service_on",
            "shift",
            "usual_driver_id",
            unique=True,
            postgresql_where="is_cut",
            postgresql_nulls_not_distinct=True,
        ),
        one_of("shift", Shift),
        one_of("state", RoundState),
    )

    id: Mapped[Key]
    site_id: Mapped[UUID] = ref("sites.id")
    service_on: Mapped[date]
    shift: Mapped[str]
    name: Mapped[str]
    driver_id: Mapped[UUID | None] = ref("users.id", index=False)
    substitute_id: Mapped[UUID | None] = ref("users.id")
    usual_driver_id: Mapped[UUID | None] = ref("users.id")
    is_cut: Mapped[bool] = mapped_column(Boolean, server_default="true")
    merged_into_id: Mapped[UUID | None] = ref("rounds.id")
    standing_round_id: Mapped[UUID | None] = mapped_column(index=True)
    state: Mapped[str] = mapped_column(Text, server_default=RoundState.planned)
    state_at: Mapped[Now]
    made_at: Mapped[Now]


class RoundStop(Table):
    """Where a planned stop stands in its round; positions run from 1.

    A locked stop is passed by none; a held one was given to its driver by a person, so the plan leaves it there.
    """

    __tablename__ = "round_stops"
    __table_args__ = (
        UniqueConstraint("round_id", "position", deferrable=True, initially="DEFERRED"),
        CheckConstraint("position >= 1", name="position"),
    )

    delivery_id: Mapped[UUID] = mapped_column(ForeignKey("deliveries.id"), primary_key=True)
    round_id: Mapped[UUID] = ref("rounds.id", index=False)
    position: Mapped[int] = mapped_column(Integer)
    is_locked: Mapped[bool] = mapped_column(Boolean, server_default="false")
    is_held: Mapped[bool] = mapped_column(Boolean, server_default="false")


class SharedLink(Table):
    """The stops of one round, or of one order, on some days, opened to a helper who has no login.

    Only the SHA-256 of its token is kept, and of its PIN a keyed fingerprint. `first_id` names the link that this
    one was renewed from, in the end: of all days of one assignment the same.
    """

    __tablename__ = "shared_links"
    __table_args__ = (
        CheckConstraint("(round_id IS NULL) <> (order_id IS NULL)", name="scope"),
        CheckConstraint("first_on <= last_on", name="days"),
        CheckConstraint("max_uses >= 1", name="max_uses"),
        CheckConstraint("use_count >= 0 AND use_count <= coalesce(max_uses, use_count)", name="use_count"),
    )

    id: Mapped[Key]
    first_id: Mapped[UUID] = mapped_column(index=True)
    name: Mapped[str]
    site_id: Mapped[UUID] = ref("sites.id")
    round_id: Mapped[UUID | None] = ref("rounds.id")
    order_id: Mapped[UUID | None] = ref("orders.id")
    first_on: Mapped[date]
    last_on: Mapped[date]
    actions: Mapped[list[str]] = mapped_column(ARRAY(Text))
    shows_phones: Mapped[bool] = mapped_column(Boolean, server_default="false")
    token_hash: Mapped[str] = mapped_column(Text, unique=True)
    pin_mac: Mapped[str | None]
    wrong_pin_count: Mapped[int] = mapped_column(Integer, server_default="0")
    max_uses: Mapped[int | None] = mapped_column(Integer)
    use_count: Mapped[int] = mapped_column(Integer, server_default="0")
    expires_at: Mapped[Instant]
    revoked_at: Mapped[datetime | None]
    revoked_reason: Mapped[str | None]
    made_at: Mapped[Instant]
    made_by: Mapped[str]


class LinkUse(Table):
    """One use of a shared link: a device that opened it, however often it does so again."""

    __tablename__ = "link_uses"

    id: Mapped[Key]
    link_id: Mapped[UUID] = ref("shared_links.id")
    device_hash: Mapped[str] = mapped_column(Text, unique=True)
    access_hash: Mapped[str] = mapped_column(Text, unique=True)
    access_ends_at: Mapped[Instant]
    opened_at: Mapped[Instant]
    last_opened_at: Mapped[Instant]
    open_count: Mapped[int] = mapped_column(Integer, server_default="1")
    address: Mapped[str | None]
    device: Mapped[str | None]


class DeliveryLine(Table):
    """What is to be handed over at a stop, and how much was: the sum of its events."""

    __tablename__ = "delivery_lines"
    __table_args__ = (
        UniqueConstraint("delivery_id", "order_line_id"),
        CheckConstraint("ordered_quantity >= 0", name="ordered_quantity"),
        CheckConstraint(
            "delivered_quantity >= 0 AND delivered_quantity <= ordered_quantity", name="delivered_quantity"
        ),
        {"postgresql_with": {"fillfactor": 85}},  # the delivered quantity is written in place
    )

    id: Mapped[Key]
    delivery_id: Mapped[UUID] = ref("deliveries.id", index=False)
    order_line_id: Mapped[UUID] = ref("order_lines.id")
    customer_id: Mapped[UUID]
    service_on: Mapped[date]
    ordered_quantity: Mapped[Quantity]
    delivered_quantity: Mapped[Quantity] = mapped_column(server_default="0")


class DeliveryEvent(Table):
    """One confirmation, correction or return, as somebody sent it. `client_id` makes repeats harmless."""

    __tablename__ = "delivery_events"
    __table_args__ = (
        one_of("kind", EventKind),
        one_of("via", Via),
        Index(None, "legacy_delivery_id", postgresql_where="legacy_delivery_id IS NOT NULL"),
        Index("delivery_events_photos_idx", "delivery_id", postgresql_where="(told -> 'photos' -> 0) IS NOT NULL"),
    )

    id: Mapped[Key]
    client_id: Mapped[str] = mapped_column(Text, unique=True)
    delivery_id: Mapped[UUID] = ref("deliveries.id")
    customer_id: Mapped[UUID]
    service_on: Mapped[date]
    kind: Mapped[str]
    device: Mapped[str | None]
    device_seq: Mapped[int | None] = mapped_column(Integer)
    device_at: Mapped[Instant]
    received_at: Mapped[Instant]
    actor_kind: Mapped[str]
    actor_id: Mapped[UUID | None]
    actor_name: Mapped[str]
    authority: Mapped[int] = mapped_column(SmallInteger)
    via: Mapped[str]
    address: Mapped[str | None]
    place: Mapped[dict[str, Any] | None]
    reason: Mapped[str | None]
    legacy_delivery_id: Mapped[UUID | None] = mapped_column()
    told: Mapped[dict[str, Any] | None] = mapped_column(JSONB)


class DeliveryEventLine(Table):
    """By how much one event changed one line; the deltas of a line sum to its delivered quantity."""

    __tablename__ = "delivery_event_lines"
    __table_args__ = (
        UniqueConstraint("delivery_line_id", "revision"),
        CheckConstraint("revision >= 1", name="revision"),
    )

    id: Mapped[Key]
    event_id: Mapped[UUID] = ref("delivery_events.id")
    delivery_line_id: Mapped[UUID] = ref("delivery_lines.id", index=False)
    customer_id: Mapped[UUID]
    service_on: Mapped[date]
    revision: Mapped[int] = mapped_column(SmallInteger)
    delta_quantity: Mapped[Quantity]
    reason: Mapped[str | None]


class DeliveryCash(Table):
    """What the cash taken at a stop stands at, each time words about it changed that; the last revision counts.

    `holder_id` is the user in whose bag the money is; null where nobody drives the stop.
    """

    __tablename__ = "delivery_cash"
    __table_args__ = (
        UniqueConstraint("delivery_id", "revision"),
        CheckConstraint("revision >= 1", name="revision"),
        CheckConstraint("amount_minor >= 0", name="amount_minor"),
    )

    id: Mapped[Key]
    event_id: Mapped[UUID] = ref("delivery_events.id")
    delivery_id: Mapped[UUID] = ref("deliveries.id", index=False)
    customer_id: Mapped[UUID]
    revision: Mapped[int] = mapped_column(Integer)
    amount_minor: Mapped[Minor]
    currency: Mapped[str]
    holder_id: Mapped[UUID | None]
    taken_on: Mapped[date]


class DeviceSequence(Table):
    """Which of its numbers a device has delivered; a hole between them is something still to come, or lost."""

    __tablename__ = "device_sequences"

    owner: Mapped[str] = mapped_column(Text, primary_key=True)
    device: Mapped[str] = mapped_column(Text, primary_key=True)
    seen: Mapped[Any] = mapped_column(INT8MULTIRANGE)
    heard_at: Mapped[Instant]


class DeliveryRejection(Table):
    """A confirmation that was refused, kept as it came, with the rule it broke."""

    __tablename__ = "delivery_rejections"

    id: Mapped[Key]
    client_id: Mapped[str | None] = mapped_column(Text, index=True)
    body: Mapped[str]
    field: Mapped[str | None]
    rule: Mapped[str]
    digest: Mapped[str] = mapped_column(Text, unique=True)
    received_at: Mapped[Instant]
    resolved_at: Mapped[datetime | None]


class DeliveryPhoto(Table):
    """A picture belongs to a delivery (no client_id), and to a confirmation of it; only ever added."""

    __tablename__ = "delivery_photos"
    __table_args__ = (
        UniqueConstraint("delivery_id", "file_id", "client_id", postgresql_nulls_not_distinct=True),
        Index(
            "delivery_photos_owner_idx", "file_id", unique=True, postgresql_where="client_id IS NULL"
        ),  # a picture is of one delivery
    )

    id: Mapped[Key]
    delivery_id: Mapped[UUID] = ref("deliveries.id", index=False)
    file_id: Mapped[UUID] = ref("files.id")
    client_id: Mapped[str | None] = mapped_column(Text)
    bound_at: Mapped[Instant]


class ContainerMovement(Table):
    """Empties and crates given (+) and taken back (-)."""

    __tablename__ = "container_movements"

    id: Mapped[Key]
    customer_id: Mapped[UUID] = ref("customers.id")
    container: Mapped[str]
    quantity: Mapped[int]
    event_id: Mapped[UUID | None] = ref("delivery_events.id")
    moved_on: Mapped[date]


class LegacyDelivery(Table):
    """A delivery row of a legacy system: a fact. `delivery_id`s hang on it once orders are proven.

    `speaks_morning` and `speaks_evening` say that this row is the last word on that visit of the
    customer's day; `verdict` how an order was found for it (fact: none sought; linked, ambiguous,
    contradictory). Rows that say delivered, speak, and have no event are the work list, never charged.
    """

    __tablename__ = "legacy_deliveries"
    __table_args__ = (
        UniqueConstraint("source", "collection", "key"),
        Index("legacy_deliveries_customer_id_service_on_idx", "customer_id", "service_on"),
        Index("legacy_deliveries_user_id_idx", "user_id", postgresql_where="user_id IS NOT NULL"),
        Index("legacy_deliveries_order_id_idx", "order_id", postgresql_where="order_id IS NOT NULL"),
        Index("legacy_deliveries_undecided_idx", "id", postgresql_where="verdict IN ('ambiguous', 'contradictory')"),
    )

    id: Mapped[Key]
    source: Mapped[str]
    collection: Mapped[str]
    key: Mapped[str]
    customer_id: Mapped[UUID | None] = mapped_column(ForeignKey("customers.id"))
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))
    customer_key: Mapped[str | None]
    order_key: Mapped[str | None]
    driver_key: Mapped[str | None]
    driver_id: Mapped[UUID | None]
    service_on: Mapped[date | None]
    status: Mapped[str | None]
    told_at: Mapped[datetime | None]
    line: Mapped[int]
    visit: Mapped[str | None]
    is_early: Mapped[bool]
    speaks_morning: Mapped[bool]
    speaks_evening: Mapped[bool]
    method: Mapped[str | None]
    products: Mapped[list[Any] | None] = mapped_column(JSONB)
    facts: Mapped[dict[str, Any] | None]
    verdict: Mapped[str] = mapped_column(Text, server_default="fact")
    order_id: Mapped[UUID | None] = mapped_column()
    candidates: Mapped[list[Any] | None] = mapped_column(JSONB)
    made_at: Mapped[Now]
