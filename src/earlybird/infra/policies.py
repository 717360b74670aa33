"""Whether a rule of the house is on: for storeys below the one that keeps them."""

from __future__ import annotations

from sqlalchemy.orm import Session

from earlybird.infra.db import value

REFERENCES = "check_references"
"""Nothing begins with a customer or product that is gone."""


def is_on(session: Session, name: str) -> bool:
    """Return whether a switch is on; it is where nobody said otherwise."""
    return value(session, "SELECT value FROM policies WHERE name = :name", {"name": name}) is not False
