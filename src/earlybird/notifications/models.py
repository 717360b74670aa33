"""What is to be said to whom, and whether it was."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, LargeBinary, SmallInteger, Text
from sqlalchemy.orm import Mapped, mapped_column

from earlybird.infra.db import Instant, Key, Table, one_of, ref
from earlybird.notifications.states import Channel, MessageKind, MessageState


class Message(Table):
    """One message to one address. The body is sealed, as it may hold a code or a link, and wiped at the end."""

    __tablename__ = "messages"
    __table_args__ = (
        Index("messages_waiting_idx", "next_try_at", postgresql_where="state = 'queued'"),
        one_of("kind", MessageKind),
        one_of("channel", Channel),
        one_of("state", MessageState),
    )

    id: Mapped[Key]
    kind: Mapped[str]
    channel: Mapped[str]
    address: Mapped[str]
    language: Mapped[str]
    user_id: Mapped[UUID | None] = ref("users.id")
    customer_id: Mapped[UUID | None] = ref("customers.id")
    subject: Mapped[str]
    body: Mapped[bytes | None] = mapped_column(LargeBinary)
    state: Mapped[str] = mapped_column(Text, server_default=MessageState.queued)
    state_at: Mapped[Instant]
    queued_at: Mapped[Instant]
    expires_at: Mapped[datetime | None]
    next_try_at: Mapped[Instant]
    tries: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    last_error: Mapped[str | None]
