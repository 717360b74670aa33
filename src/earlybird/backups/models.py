"""The record of each backup and of what its drill found; the backups themselves lie outside the database."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from earlybird.infra.db import Instant, Key, Table


class Backup(Table):
    """One backup: when it was made, where it lies, and the newest drill of it."""

    __tablename__ = "backups"

    id: Mapped[Key]
    name: Mapped[str] = mapped_column(Text, unique=True)
    place: Mapped[str]
    made_at: Mapped[Instant]
    schema_version: Mapped[str]
    byte_count: Mapped[int] = mapped_column(BigInteger)
    is_encrypted: Mapped[bool]
    manifest_digest: Mapped[str]
    drilled_at: Mapped[datetime | None]
    is_proven: Mapped[bool | None]
    proof: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    removed_at: Mapped[datetime | None]
