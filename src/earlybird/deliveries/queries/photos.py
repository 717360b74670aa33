"""Reads of the pictures of deliveries."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.deliveries.errors import NoSuchDelivery
from earlybird.deliveries.queries.shown import visible
from earlybird.identity.rules import Scope, reach
from earlybird.infra.db import rows
from earlybird.kernel.ctx import Ctx

PHOTOS = """
SELECT f.id, f.kind, f.media_type, f.width, f.height, f.byte_count, f.digest, f.served_digest, f.taken_at, f.taken_by,
       CASE WHEN :is_staff THEN f.place END AS place, CASE WHEN :is_staff THEN f.device END AS device,
       CASE WHEN :is_staff THEN f.address END AS address,
       f.uploaded_at, f.uploaded_by_name AS uploaded_by, f.via,
       coalesce(array_agg(p.client_id ORDER BY p.client_id) FILTER (WHERE p.client_id IS NOT NULL), '{}') AS client_ids
FROM files f JOIN delivery_photos p ON p.file_id = f.id AND p.delivery_id = :delivery_id
WHERE f.archived_at IS NULL AND (CAST(:file_id AS uuid) IS NULL OR f.id = :file_id)
GROUP BY f.id ORDER BY f.uploaded_at, f.id"""

NAMED = """
SELECT e.id AS event_id, e.client_id, e.delivery_id, e.customer_id, e.service_on, e.received_at, n.name
FROM delivery_events e
CROSS JOIN LATERAL jsonb_array_elements_text(
    CASE jsonb_typeof(e.told -> 'photos') WHEN 'array' THEN e.told -> 'photos' END) AS n(name)
WHERE (e.told -> 'photos' -> 0) IS NOT NULL"""
"""The pictures that confirmations name, by id or by SHA-256; found by the index on those that name any."""

MISSING = f"""
SELECT n.* FROM ({NAMED}) n
WHERE NOT EXISTS (
    SELECT FROM delivery_photos p JOIN files f ON f.id = p.file_id
    WHERE p.delivery_id = n.delivery_id AND (f.id::text = lower(n.name) OR f.digest = lower(n.name)))"""


def stop(session: Session, ctx: Ctx, delivery_id: UUID) -> dict[str, Any]:
    """Return the zone of the delivery the actor reaches."""
    found = rows(
        session,
        "SELECT s.zone FROM deliveries d JOIN orders o ON o.id = d.order_id JOIN sites s ON s.id = o.site_id "
        f"WHERE d.id = :delivery_id AND {visible(ctx)}",
        {"delivery_id": delivery_id, **reach(ctx)},
    )
    if not found:
        raise NoSuchDelivery(field="delivery_id", delivery_id=delivery_id)
    return found[0]


def of(session: Session, ctx: Ctx, delivery_id: UUID, file_id: UUID | None = None) -> list[dict[str, Any]]:
    """Return the pictures of a delivery, or one of them; where and by which device is for staff."""
    is_staff = Scope.all in ctx.actor.scopes
    return rows(session, PHOTOS, {"delivery_id": delivery_id, "file_id": file_id, "is_staff": is_staff})


def missing(session: Session, delivery_id: UUID) -> list[str]:
    """Return what confirmations of a delivery name and nobody has sent."""
    found = rows(
        session, f"SELECT DISTINCT name FROM ({MISSING} AND n.delivery_id = :delivery_id) m ORDER BY name",
        {"delivery_id": delivery_id},
    )  # fmt: skip
    return [row["name"] for row in found]


def count(session: Session, delivery_id: UUID) -> int:
    """Return how many pictures a delivery has, withdrawn ones included."""
    found = rows(
        session,
        "SELECT count(DISTINCT file_id) AS n FROM delivery_photos WHERE delivery_id = :delivery_id",
        {"delivery_id": delivery_id},
    )
    return int(found[0]["n"])


def has(session: Session, delivery_id: UUID, file_id: UUID) -> bool:
    """Return whether a picture belongs to a delivery."""
    facts = {"delivery_id": delivery_id, "file_id": file_id}
    return bool(
        rows(session, "SELECT FROM delivery_photos WHERE delivery_id = :delivery_id AND file_id = :file_id", facts)
    )
