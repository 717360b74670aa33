"""What is known of each picture: who brought it, when and where it was taken, what it was and what is kept."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from earlybird.files.states import FileKind
from earlybird.infra.db import Instant, Json, Key, Table, one_of


class StoredFile(Table):
    """A picture made anew. `digest` is the SHA-256 of what came, which is not kept; `served_digest` of what is.

    Nothing of a row changes but `archived_at`, once.
    """

    __tablename__ = "files"
    __table_args__ = (
        one_of("kind", FileKind),
        CheckConstraint("width > 0 AND height > 0 AND byte_count > 0", name="size"),
        CheckConstraint("pg_column_size(original) < 8192", name="original"),
    )

    id: Mapped[Key]
    kind: Mapped[str]
    digest: Mapped[str]
    served_digest: Mapped[str]
    object_name: Mapped[str] = mapped_column(Text, unique=True)
    thumbnail_name: Mapped[str] = mapped_column(Text, unique=True)
    media_type: Mapped[str]
    width: Mapped[int] = mapped_column(Integer)
    height: Mapped[int] = mapped_column(Integer)
    byte_count: Mapped[int] = mapped_column(Integer)
    taken_at: Mapped[datetime | None]
    taken_by: Mapped[str | None]
    place: Mapped[dict[str, Any] | None]
    device: Mapped[str | None]
    uploaded_by_kind: Mapped[str]
    uploaded_by_id: Mapped[UUID | None] = mapped_column()
    uploaded_by_name: Mapped[str]
    via: Mapped[str]
    address: Mapped[str | None]
    uploaded_at: Mapped[Instant]
    original: Mapped[Json]
    archived_at: Mapped[datetime | None]
