"""Which messages wait, which are due, which failed. No answer holds a body but the sender's own."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from earlybird.infra.db import Session, rows
from earlybird.kernel.pages import LIMIT, Page, cut
from earlybird.notifications.errors import NoSuchMessage
from earlybird.notifications.models import Message

COLUMNS = (
    "id, kind, channel, address, language, user_id, customer_id, subject, state, state_at, queued_at, expires_at, "
    "next_try_at, tries, last_error, subject_id, facts"
)


def unsent(session: Session, *, limit: int = 200) -> list[dict[str, Any]]:
    """Return the messages that wait or failed, newest first, without their bodies."""
    return rows(
        session,
        f"SELECT {COLUMNS} FROM messages WHERE state IN ('queued', 'failed') ORDER BY id DESC LIMIT :limit",
        {"limit": limit},
    )


def page(
    session: Session,
    *,
    cursor: UUID | None = None,
    limit: int = LIMIT,
    state: str | None = None,
    kind: str | None = None,
    customer_id: UUID | None = None,
) -> Page[Mapping[str, Any]]:
    """Return messages, newest first, without their bodies; those in one state, of one kind, to one customer."""
    found = rows(
        session,
        f"""SELECT {COLUMNS} FROM messages WHERE (CAST(:cursor AS uuid) IS NULL OR id < :cursor)
        AND (CAST(:state AS text) IS NULL OR state = :state) AND (CAST(:kind AS text) IS NULL OR kind = :kind)
        AND (CAST(:customer_id AS uuid) IS NULL OR customer_id = :customer_id) ORDER BY id DESC LIMIT :limit + 1""",
        {"cursor": cursor, "limit": limit, "state": state, "kind": kind, "customer_id": customer_id},
    )
    return cut(found, limit)


def show(session: Session, message_id: UUID) -> dict[str, Any]:
    """Return one message without its body, or raise `NoSuchMessage`."""
    found = rows(session, f"SELECT {COLUMNS} FROM messages WHERE id = :id", {"id": message_id})
    if not found:
        raise NoSuchMessage(field="message_id")
    return found[0]


def get_for_update(session: Session, message_id: UUID) -> Message:
    """Return one message, locked, or raise `NoSuchMessage`."""
    found = session.get(Message, message_id, with_for_update=True, populate_existing=True)
    if found is None:
        raise NoSuchMessage(field="message_id")
    return found


def preferences(session: Session, customer_id: UUID) -> dict[str, Any]:
    """Return how a customer wants to be told; what holds for everybody where nothing was set."""
    found = rows(
        session,
        "SELECT channel, is_silent, is_at_once, opted_out FROM message_preferences WHERE customer_id = :id",
        {"id": customer_id},
    )
    return found[0] if found else {"channel": None, "is_silent": False, "is_at_once": False, "opted_out": []}


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
