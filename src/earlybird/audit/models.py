"""The audit trail and its seals (append-only, held by triggers), and findings, the one sink of what is wrong."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Index, Integer, LargeBinary, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from earlybird.audit.states import FindingState, Severity
from earlybird.infra.db import Instant, Key, Minor, Now, Table, one_of


class AuditEntry(Table):
    """One change, or one chunk of a bulk change; never updated, never deleted."""

    __tablename__ = "audit_entries"
    __table_args__ = (
        Index(None, "entity", "entity_id"),
        Index(None, "actor_id", "id"),
        Index(None, "action", "id"),
    )

    id: Mapped[Key]
    at: Mapped[Instant]
    actor_kind: Mapped[str]
    actor_id: Mapped[UUID | None]
    actor_name: Mapped[str]
    role: Mapped[str]
    via: Mapped[str]
    address: Mapped[str | None]
    device: Mapped[str | None]
    trace_id: Mapped[str]
    action: Mapped[str]
    entity: Mapped[str]
    entity_id: Mapped[UUID | None]
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]
    reason: Mapped[str | None]
    row_count: Mapped[int] = mapped_column(Integer, server_default="1")
    digest: Mapped[str | None]


class UnsealedEntry(Table):
    """An entry no seal holds yet: written by a trigger in the commit of the entry itself, deleted by its seal."""

    __tablename__ = "unsealed_entries"

    audit_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)


class AuditSeal(Table):
    """A link of the chain: the digest of some entries in their order, tied to the seal before, and signed."""

    __tablename__ = "audit_seals"

    seal_no: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    sealed_at: Mapped[Instant]
    made_at: Mapped[Instant] = mapped_column(server_default=text("clock_timestamp()"))
    row_count: Mapped[int] = mapped_column(Integer)
    last_position: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    signature: Mapped[bytes] = mapped_column(LargeBinary)
    key: Mapped[str]


class AuditSealRow(Table):
    """An entry's place in the chain; positions run from 1 without a gap, in the order of commits.

    No foreign key: an entry that is gone is what the seal is there to find.
    """

    __tablename__ = "audit_seal_rows"
    __table_args__ = (Index("audit_seal_rows_position_key", "position", unique=True),)

    audit_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    seal_no: Mapped[int] = mapped_column(BigInteger)
    position: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    mark: Mapped[bytes] = mapped_column(LargeBinary)
    salt: Mapped[bytes | None] = mapped_column(LargeBinary)
    personal: Mapped[bytes | None] = mapped_column(LargeBinary)
    erased_by_id: Mapped[UUID | None]


class Finding(Table):
    """Something a check found: which thing, how much money, since when."""

    __tablename__ = "findings"
    __table_args__ = (
        Index("findings_check_name_subject_key", "check_name", "subject", unique=True),
        Index("findings_open_idx", "severity", postgresql_where="state = 'open'"),
        one_of("state", FindingState),
        one_of("severity", Severity),
    )

    id: Mapped[Key]
    check_name: Mapped[str]
    subject: Mapped[str] = mapped_column(Text)
    severity: Mapped[str]
    title: Mapped[str]
    money_minor: Mapped[Minor | None]
    currency: Mapped[str | None]
    customer_id: Mapped[UUID | None]
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    first_seen_at: Mapped[Instant]
    last_seen_at: Mapped[Instant]
    state: Mapped[str] = mapped_column(Text, server_default=FindingState.open)
    state_at: Mapped[Now]
    accepted_reason: Mapped[str | None]
    accepted_by_id: Mapped[UUID | None]
    run_at: Mapped[datetime | None]
