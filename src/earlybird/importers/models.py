"""What was read from another system: every document, verbatim, with what became of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, Integer, LargeBinary, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from earlybird.infra.db import Instant, Key, Now, Table, one_of


class ImportRun(Table):
    """One reading of a dump: resumable by `digest`, finished when `finished_at` stands."""

    __tablename__ = "import_runs"

    id: Mapped[Key]
    source: Mapped[str]
    folder: Mapped[str]
    digest: Mapped[str]
    phase: Mapped[str]
    started_at: Mapped[Instant]
    finished_at: Mapped[datetime | None]
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")


class LegacyDocument(Table):
    """One document of a dump as it was read, and its verdict; quarantined ones keep their reason."""

    __tablename__ = "legacy_documents"
    __table_args__ = (
        one_of("verdict", ("imported", "quarantined", "duplicate")),
        Index(
            "legacy_documents_quarantine_idx",
            "source",
            "collection",
            postgresql_where="verdict = 'quarantined'",
        ),
    )

    source: Mapped[str] = mapped_column(Text, primary_key=True)
    collection: Mapped[str] = mapped_column(Text, primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    occurrence: Mapped[int] = mapped_column(Integer, primary_key=True)
    key: Mapped[str | None]
    line: Mapped[int]
    verdict: Mapped[str]
    reason: Mapped[str | None]
    problems: Mapped[list[Any] | None] = mapped_column(JSONB)
    body: Mapped[str | None]
    raw: Mapped[bytes | None]
    run_id: Mapped[UUID]
    read_at: Mapped[Now]
