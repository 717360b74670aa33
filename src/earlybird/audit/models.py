"""The audit trail (append-only, held by triggers) and findings, the one sink of what is wrong."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, Integer, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from earlybird.audit.states import FindingState, Severity
from earlybird.infra.db import Instant, Key, Minor, Now, Table, one_of


class AuditEntry(Table):
    """One change, or one chunk of a bulk change; never updated, never deleted."""

    __tablename__ = "audit_entries"
    __table_args__ = (Index(None, "entity", "entity_id"),)

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
