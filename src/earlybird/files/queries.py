"""Reads of files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from earlybird.files.models import StoredFile
from earlybird.infra.db import rows


def find(session: Session, file_id: UUID) -> StoredFile | None:
    """Return the file of that id, if there is one."""
    return session.get(StoredFile, file_id)


def shown(session: Session, file_id: UUID) -> dict[str, Any] | None:
    """Return what serving a file takes, unless it was withdrawn."""
    asked = select(StoredFile.kind, StoredFile.object_name, StoredFile.thumbnail_name, StoredFile.media_type).where(
        StoredFile.id == file_id, StoredFile.archived_at.is_(None)
    )
    found = session.execute(asked).mappings().one_or_none()
    return dict(found) if found else None


def kept(session: Session, names: Sequence[str]) -> set[str]:
    """Return those of the names that a row speaks of."""
    found = rows(
        session,
        "SELECT object_name AS name FROM files WHERE object_name = ANY(:names) "
        "UNION ALL SELECT thumbnail_name FROM files WHERE thumbnail_name = ANY(:names)",
        {"names": list(names)},
    )
    return {row["name"] for row in found}
