"""Reads of the territory."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.infra.db import value


def find_business(session: Session, name: str | None = None) -> UUID | None:
    """Return the business of that name (any, where no name is given), or None."""
    found: UUID | None = value(
        session,
        "SELECT id FROM businesses WHERE CAST(:name AS text) IS NULL OR name = :name ORDER BY id LIMIT 1",
        {"name": name},
    )
    return found
