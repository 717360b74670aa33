"""Who is told of what, what is to be told, and how telling it went."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Index, Integer, LargeBinary, SmallInteger, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from earlybird.infra.db import Instant, Key, Now, Table, one_of, ref
from earlybird.webhooks.states import EndpointState, EventKind, HookState


class WebhookEndpoint(Table):
    """A URL that is told of some kinds of events. The secrets are sealed; the one before signs until a day passed.

    `failing_since` is set by the first event that was given up, and cleared by the next that arrives.
    """

    __tablename__ = "webhook_endpoints"
    __table_args__ = (one_of("state", EndpointState),)

    id: Mapped[Key]
    url: Mapped[str]
    events: Mapped[list[str]] = mapped_column(ARRAY(Text))
    description: Mapped[str]
    secret: Mapped[bytes] = mapped_column(LargeBinary)
    old_secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    old_secret_until_at: Mapped[datetime | None]
    state: Mapped[str] = mapped_column(Text, server_default=EndpointState.active)
    state_at: Mapped[Instant]
    failing_since_at: Mapped[datetime | None]
    created_at: Mapped[Instant]
    archived_at: Mapped[datetime | None]


class WebhookChange(Table):
    """Something that happened and is to be told: put here by a trigger in its own commit, taken out when told.

    A work list, so that no cursor has to follow commits that come out of order. Once per transaction and kind.
    """

    __tablename__ = "webhook_changes"
    __table_args__ = (one_of("kind", EventKind),)

    transaction_no: Mapped[int] = mapped_column(
        BigInteger, primary_key=True, autoincrement=False, server_default=text("pg_current_xact_id()::text::bigint")
    )
    subject_id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    noted_at: Mapped[Now]


class WebhookEvent(Table):
    """An event as it is told: the body, byte for byte the same in every try. Its id lets a receiver drop repeats."""

    __tablename__ = "webhook_events"
    __table_args__ = (Index(None, "made_at"),)

    id: Mapped[Key]
    kind: Mapped[str]
    subject_id: Mapped[UUID]
    occurred_at: Mapped[Instant]
    made_at: Mapped[Instant]
    body: Mapped[str]


class WebhookDelivery(Table):
    """One event on its way to one endpoint."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        UniqueConstraint("event_id", "endpoint_id"),
        Index("webhook_deliveries_waiting_idx", "endpoint_id", "next_try_at", postgresql_where="state = 'waiting'"),
        one_of("state", HookState),
    )

    id: Mapped[Key]
    event_id: Mapped[UUID] = ref("webhook_events.id", index=False)
    endpoint_id: Mapped[UUID] = ref("webhook_endpoints.id")
    state: Mapped[str] = mapped_column(Text, server_default=HookState.waiting)
    state_at: Mapped[Instant]
    tries: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    next_try_at: Mapped[Instant]


class WebhookAttempt(Table):
    """One try: what the endpoint answered, or why it could not be reached, and how long it took."""

    __tablename__ = "webhook_attempts"

    id: Mapped[Key]
    delivery_id: Mapped[UUID] = ref("webhook_deliveries.id")
    tried_at: Mapped[Instant]
    status: Mapped[int | None] = mapped_column(SmallInteger)
    error: Mapped[str | None]
    took_ms: Mapped[int] = mapped_column(Integer)
