"""The trail as people read it: entries as pages."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from earlybird.infra.db import Session, rows
from earlybird.kernel.pages import Page

FILTERS = {
    "entity": "a.entity = :entity",
    "entity_id": "a.entity_id = :entity_id",
    "actor_id": "a.actor_id = :actor_id",
    "actor": "(a.actor_name ILIKE :actor OR a.actor_kind = :actor)",
    "action": "(a.action = :action OR a.action LIKE :action || '.%')",
    "via": "a.via = :via",
    "since": "a.at >= :since",
    "until": "a.at < :until",
}


def page(
    session: Session,
    *,
    cursor: UUID | None = None,
    limit: int = 50,
    entity: str | None = None,
    entity_id: UUID | None = None,
    actor_id: UUID | None = None,
    actor: str | None = None,
    action: str | None = None,
    via: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Page[dict[str, Any]]:
    """Return entries, newest first, each with its seal and position; an action may be a whole slice (`orders`)."""
    wanted = {
        "entity": entity,
        "entity_id": entity_id,
        "actor_id": actor_id,
        "actor": actor,
        "action": action,
        "via": via,
        "since": since,
        "until": until,
    }
    facts = {name: fact for name, fact in wanted.items() if fact is not None}
    where = [FILTERS[name] for name in facts] + (["a.id < :cursor"] if cursor else [])
    found = rows(
        session,
        "SELECT a.*, s.seal_no, s.position, s.personal IS NOT NULL AS is_erased FROM audit_entries a "
        "LEFT JOIN audit_seal_rows s ON s.audit_id = a.id "
        f"WHERE {' AND '.join(where) or 'true'} ORDER BY a.id DESC LIMIT :limit",
        facts | {"cursor": cursor, "limit": limit + 1},
    )
    return Page(found[:limit], found[limit - 1]["id"] if len(found) > limit else None)
