"""Which messages wait, which are due, which failed. No answer holds a body but the sender's own."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from earlybird.infra.db import Session, rows

COLUMNS = (
    "id, kind, channel, address, language, user_id, customer_id, subject, state, state_at, queued_at, expires_at, "
    "next_try_at, tries, last_error"
)


def unsent(session: Session, *, limit: int = 200) -> list[dict[str, Any]]:
    """Return the messages that wait or failed, newest first, without their bodies."""
    return rows(
        session,
        f"SELECT {COLUMNS} FROM messages WHERE state IN ('queued', 'failed') ORDER BY id DESC LIMIT :limit",
        {"limit": limit},
    )


def due(session: Session, now: datetime, channels: Collection[str], *, limit: int) -> list[dict[str, Any]]:
    """Lock and return messages whose turn it is, those with the shortest life first; others' are passed over."""
    return rows(
        session,
        "SELECT id, channel, address, subject, body, tries FROM messages "
        "WHERE state = 'queued' AND next_try_at <= :now AND channel = ANY(:channels) "
        "ORDER BY expires_at NULLS LAST, next_try_at LIMIT :limit FOR UPDATE SKIP LOCKED",
        {"now": now, "channels": list(channels), "limit": limit},
    )


def expired(session: Session, now: datetime) -> list[UUID]:
    """Lock and return the messages that nobody needs any more."""
    found = rows(
        session,
        "SELECT id FROM messages WHERE state = 'queued' AND expires_at <= :now FOR UPDATE SKIP LOCKED",
        {"now": now},
    )
    return [row["id"] for row in found]
