"""What is to be said to whom, and whether it was."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, ForeignKey, Index, LargeBinary, SmallInteger, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from earlybird.infra.db import Instant, Key, Now, Table, one_of, ref
from earlybird.notifications.states import Channel, FactKind, MessageKind, MessageState


class Message(Table):
    """One message to one address. The body is sealed, as it may hold a code or a link, and wiped at the end.

    What tells a customer of a fact keeps the facts it told, to be told again, and says in `about` which fact that
    was, so that none is told twice; `subject_id` is the order, delivery, pause, bill or payment.
    """

    __tablename__ = "messages"
    __table_args__ = (
        Index("messages_waiting_idx", "next_try_at", postgresql_where="state = 'queued'"),
        Index("messages_about_key", "about", unique=True, postgresql_where="about IS NOT NULL"),
        Index("messages_subject_id_idx", "subject_id", "id", postgresql_where="subject_id IS NOT NULL"),
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
    about: Mapped[str | None]
    subject_id: Mapped[UUID | None]
    facts: Mapped[dict[str, Any] | None] = mapped_column(JSONB)


class MessagePreference(Table):
    """How a customer wants to be told: by which channel, of what not, and whether in quiet hours too."""

    __tablename__ = "message_preferences"
    __table_args__ = (one_of("channel", Channel),)

    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id"), primary_key=True)
    channel: Mapped[str | None]
    is_silent: Mapped[bool] = mapped_column(Boolean, server_default="false")
    is_at_once: Mapped[bool] = mapped_column(Boolean, server_default="false")
    opted_out: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    set_at: Mapped[Instant]


class MessageFact(Table):
    """Something customers are to be told of: put here by a trigger in its own commit, taken out once told.

    A work list, so that no cursor has to follow commits that come out of order. Once per transaction and kind.
    """

    __tablename__ = "message_facts"
    __table_args__ = (one_of("kind", FactKind),)

    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    transaction_no: Mapped[int] = mapped_column(
        BigInteger, primary_key=True, autoincrement=False, server_default=text("pg_current_xact_id()::text::bigint")
    )
    subject_id: Mapped[UUID] = mapped_column(primary_key=True)
    noted_at: Mapped[Now]
