"""Standing rounds with the doors they remember, and the windows of doors."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.infra.db import rows
from earlybird.kernel.pages import Page, cut
from earlybird.routes.errors import NoSuchCustomer, NoSuchStandingRound
from earlybird.routes.models import StandingRound
from earlybird.territory.states import Shift

STANDING = """
SELECT g.id, g.site_id, t.name AS site_name, g.shift, g.name, g.driver_id, u.name AS driver_name, g.capacity,
       g.service_minutes, g.remembered_at, g.made_at, g.archived_at,
       (SELECT count(*) FROM standing_stops s WHERE s.standing_round_id = g.id) AS doors
FROM standing_rounds g JOIN sites t ON t.id = g.site_id JOIN users u ON u.id = g.driver_id
WHERE {which} ORDER BY g.id DESC"""

DOORS = """
SELECT s.position, s.customer_id, c.name AS customer_name, s.address_id, a.line1,
       coalesce(a.latitude, b.latitude) IS NOT NULL AS is_located
FROM standing_stops s JOIN customers c ON c.id = s.customer_id
LEFT JOIN addresses a ON a.id = s.address_id
LEFT JOIN addresses b ON s.address_id IS NULL AND b.customer_id = s.customer_id AND b.is_default
     AND b.archived_at IS NULL
WHERE s.standing_round_id = :id ORDER BY s.position"""


def page(
    session: Session,
    *,
    cursor: UUID | None = None,
    limit: int = 50,
    site_id: UUID | None = None,
    shift: Shift | None = None,
    driver_id: UUID | None = None,
    is_archived: bool = False,
) -> Page[dict[str, Any]]:
    """Return the standing rounds in use (or out of use), the youngest first."""
    asked = {
        "g.id < :cursor": ("cursor", cursor),
        "g.site_id = :site_id": ("site_id", site_id),
        "g.shift = :shift": ("shift", shift and str(shift)),
        "g.driver_id = :driver_id": ("driver_id", driver_id),
    }
    which = [f"g.archived_at IS {'NOT ' if is_archived else ''}NULL"]
    which += [sql for sql, (_, wanted) in asked.items() if wanted is not None]
    found = rows(
        session,
        STANDING.format(which=" AND ".join(which)) + " LIMIT :most",
        {**dict(asked.values()), "most": limit + 1},
    )
    return cut(found, limit)  # type: ignore[return-value]  # rows are mappings


def standing_round(session: Session, standing_round_id: UUID) -> dict[str, Any]:
    """Return a standing round with its doors in the order that is remembered."""
    found = rows(session, STANDING.format(which="g.id = :id"), {"id": standing_round_id})
    if not found:
        raise NoSuchStandingRound(field="standing_round_id", standing_round_id=standing_round_id)
    return {**found[0], "in_order": rows(session, DOORS, {"id": standing_round_id})}


def for_update(session: Session, standing_round_id: UUID) -> StandingRound:
    """Return the standing round, locked until the transaction ends."""
    found = session.get(StandingRound, standing_round_id, with_for_update=True, populate_existing=True)
    if found is None:
        raise NoSuchStandingRound(field="standing_round_id", standing_round_id=standing_round_id)
    return found


def of_drivers(session: Session, site_id: UUID) -> dict[tuple[str, UUID], dict[str, Any]]:
    """Return id and name of the standing rounds in use of a site, by shift and driver."""
    found = rows(
        session,
        "SELECT id, name, shift, driver_id FROM standing_rounds WHERE site_id = :site_id AND archived_at IS NULL",
        {"site_id": site_id},
    )
    return {(row["shift"], row["driver_id"]): row for row in found}


def windows(session: Session, customer_id: UUID) -> list[dict[str, Any]]:
    """List when the doors of a customer may be rung: address_id (None: all of them), opens, closes, minutes."""
    if not rows(session, "SELECT FROM customers WHERE id = :id AND archived_at IS NULL", {"id": customer_id}):
        raise NoSuchCustomer(field="customer_id", customer_id=customer_id)
    return rows(
        session,
        "SELECT address_id, opens, closes, service_minutes FROM door_windows WHERE customer_id = :id "
        "ORDER BY address_id NULLS FIRST",
        {"id": customer_id},
    )
