"""Which backups are known, and which of them is proven."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from earlybird.backups.errors import NoSuchBackup
from earlybird.backups.models import Backup
from earlybird.infra.db import rows, value

COLUMNS = (
    "id, name, place, made_at, schema_version, byte_count, is_encrypted, manifest_digest, drilled_at, is_proven, "
    "proof, removed_at"
)


def listing(session: Session) -> list[dict[str, Any]]:
    """Return the newest 200 backups, the newest first, removed ones too."""
    return rows(session, f"SELECT {COLUMNS} FROM backups ORDER BY made_at DESC, id DESC LIMIT 200")


def newest_proven_at(session: Session) -> datetime | None:
    """Return when the newest backup was made that is there and proven."""
    found: datetime | None = value(session, "SELECT max(made_at) FROM backups WHERE is_proven AND removed_at IS NULL")
    return found


def by_name(session: Session, name: str) -> Backup:
    """Return the record of a backup, locked; raise `NoSuchBackup`."""
    found = session.scalar(select(Backup).where(Backup.name == name).with_for_update())
    if found is None:
        raise NoSuchBackup(field="backup", value=name)
    return found
