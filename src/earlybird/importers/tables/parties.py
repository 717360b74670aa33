"""Whom a row speaks of, as tables name customers: by the business's own key, or by the code people know."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy.orm import Session

from earlybird.importers.tables.home import Home
from earlybird.infra.db import rows

BY_NAME = """
SELECT k.key AS said, c.id, c.code, c.site_id, c.name FROM customer_keys k JOIN customers c ON c.id = k.customer_id
WHERE k.source = :source AND k.kind = :kind AND k.key = ANY(CAST(:said AS text[])) AND c.archived_at IS NULL
UNION ALL
SELECT c.code, c.id, c.code, c.site_id, c.name FROM customers c
WHERE c.code = ANY(CAST(:said AS text[])) AND c.business_id = :business_id AND c.archived_at IS NULL
"""


def find(session: Session, home: Home, said: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return the business's customers (id, code, site_id, name) by what was said; a key goes before a code."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows(session, BY_NAME, {**home.keys, "said": sorted(set(said))}):
        found.setdefault(row["said"], row)
    return found


UNKNOWN = "There is no customer of this key or code."
