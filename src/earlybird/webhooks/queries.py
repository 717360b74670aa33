"""Endpoints, events and attempts; what waits to be told and what is due."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from earlybird.infra.db import Session, rows, value
from earlybird.kernel.pages import Page
from earlybird.webhooks.errors import NoSuchEndpoint, NoSuchEvent
from earlybird.webhooks.models import WebhookEndpoint

PER_ENDPOINT = 10
"""How many events of one endpoint a batch takes, so that a slow one holds up no other."""

ENDPOINTS = """
SELECT e.id, e.url, e.events, e.description, e.state, e.state_at, e.created_at, e.failing_since_at,
       e.old_secret_until_at,
       (SELECT count(*) FROM webhook_deliveries d WHERE d.endpoint_id = e.id AND d.state = 'waiting') AS waiting_count
FROM webhook_endpoints e WHERE e.archived_at IS NULL"""


def page(session: Session, *, cursor: UUID | None, limit: int) -> Page[dict[str, Any]]:
    """Return the endpoints, newest first, without their secrets."""
    found = rows(
        session,
        f"{ENDPOINTS} AND (CAST(:cursor AS uuid) IS NULL OR e.id < :cursor) ORDER BY e.id DESC LIMIT :limit",
        {"cursor": cursor, "limit": limit + 1},
    )
    return _page(found, limit)


def show(session: Session, endpoint_id: UUID) -> dict[str, Any]:
    """Return one endpoint without its secret, or raise `NoSuchEndpoint`."""
    found = rows(session, f"{ENDPOINTS} AND e.id = :id", {"id": endpoint_id})
    if not found:
        raise NoSuchEndpoint
    return found[0]


def get_for_update(session: Session, endpoint_id: UUID) -> WebhookEndpoint:
    """Return one endpoint, locked, or raise `NoSuchEndpoint`."""
    found = session.get(WebhookEndpoint, endpoint_id, with_for_update=True)
    if found is None or found.archived_at is not None:
        raise NoSuchEndpoint
    return found


def attempts(session: Session, endpoint_id: UUID, *, cursor: UUID | None, limit: int) -> Page[dict[str, Any]]:
    """Return the tries to tell an endpoint, newest first."""
    found = rows(
        session,
        """
        SELECT a.id, d.event_id, v.kind AS event, d.state, a.tried_at, a.status, a.error, a.took_ms
        FROM webhook_attempts a JOIN webhook_deliveries d ON d.id = a.delivery_id
        JOIN webhook_events v ON v.id = d.event_id
        WHERE d.endpoint_id = :endpoint_id AND (CAST(:cursor AS uuid) IS NULL OR a.id < :cursor)
        ORDER BY a.id DESC LIMIT :limit
        """,
        {"endpoint_id": endpoint_id, "cursor": cursor, "limit": limit + 1},
    )
    return _page(found, limit)


def check_event(session: Session, event_id: UUID) -> None:
    """Raise `NoSuchEvent` unless the event is kept."""
    if value(session, "SELECT 1 FROM webhook_events WHERE id = :id", {"id": event_id}) is None:
        raise NoSuchEvent(field="event_id")


def wanted_kinds(session: Session) -> set[str]:
    """Return the kinds of events that some active endpoint asks for."""
    found = rows(session, "SELECT DISTINCT unnest(events) AS kind FROM webhook_endpoints WHERE state = 'active'")
    return {row["kind"] for row in found}


FACTS = {
    "order": """
        SELECT o.id, o.code, o.customer_id, o.site_id, o.service_on, o.shift, o.source, o.state, o.placed_at,
               o.state_at, CAST(coalesce(sum(l.amount_minor)
               FILTER (WHERE l.cancelled_at IS NULL), 0) AS bigint) AS amount_minor,
               min(l.currency) AS currency
        FROM orders o LEFT JOIN order_lines l ON l.order_id = o.id WHERE o.id = ANY(:ids) GROUP BY o.id""",
    "delivery": """
        SELECT e.id, e.delivery_id, d.order_id, e.customer_id, d.planned_on AS service_on, d.attempt,
               d.state AS outcome, e.device_at, e.received_at
        FROM delivery_events e JOIN deliveries d ON d.id = e.delivery_id WHERE e.id = ANY(:ids)""",
    "invoice": """
        SELECT id, series || '/' || number AS number, business_id, customer_id, kind, state, state_at, period_from,
               period_to, issued_on, issued_at, due_on, total_minor, currency, corrects_id
        FROM invoices WHERE id = ANY(:ids)""",
    "payment": """
        SELECT id, business_id, customer_id, amount_minor, currency, method, received_on, state, state_at, made_at
        FROM payments WHERE id = ANY(:ids)""",
}
"""What an event says of its subject: ids, codes and money; a receiver who may know more asks the API."""


def facts(session: Session, family: str, ids: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
    """Return what is told of subjects of one family, by id."""
    found = rows(session, FACTS[family], {"ids": list(ids)})
    return {row["id"]: row for row in found}


def due(session: Session, now: datetime) -> list[dict[str, Any]]:
    """Lock and return what is to be sent now, a few of each active endpoint; what others hold is passed over."""
    return rows(
        session,
        """
        SELECT d.id, d.event_id, d.tries, e.id AS endpoint_id, e.url, e.secret, e.old_secret, e.old_secret_until_at,
               v.body
        FROM webhook_endpoints e
        CROSS JOIN LATERAL (
            SELECT w.id, w.event_id, w.tries FROM webhook_deliveries w
            WHERE w.endpoint_id = e.id AND w.state = 'waiting' AND w.next_try_at <= :now
            ORDER BY w.next_try_at, w.id LIMIT :limit FOR UPDATE SKIP LOCKED
        ) d
        JOIN webhook_events v ON v.id = d.event_id
        WHERE e.state = 'active'
        """,
        {"now": now, "limit": PER_ENDPOINT},
    )


def _page(found: list[dict[str, Any]], limit: int) -> Page[dict[str, Any]]:
    return Page(found[:limit], found[limit - 1]["id"] if len(found) > limit else None)
