"""A site's day as it is to be cut: its stops with their doors, its rounds with their memory."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, time
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.infra.db import rows
from earlybird.routes.rules.cutting import Door, Stop, Tour
from earlybird.routes.rules.distance import Place
from earlybird.routes.rules.sequence import Course, Visit

DUE = """
SELECT o.site_id, d.planned_on AS service_on
FROM deliveries d
JOIN orders o ON o.id = d.order_id
LEFT JOIN round_stops s ON s.delivery_id = d.id
LEFT JOIN rounds r ON r.id = s.round_id
WHERE d.planned_on BETWEEN :first AND :last AND d.shift IS NOT NULL AND (
      s.delivery_id IS NULL AND d.state IN ('planned', 'out')
   OR s.delivery_id IS NOT NULL AND d.state = 'cancelled'
   OR d.state = 'planned' AND NOT (s.is_held OR s.is_locked)
      AND (d.driver_id IS DISTINCT FROM r.usual_driver_id OR o.site_id <> r.site_id))
GROUP BY 1, 2 ORDER BY 2, 1"""
"""Days whose rounds are not what their stops say: the state decides, no note is kept that could be lost."""

STOPS = """
SELECT d.id, d.state, d.shift, d.driver_id, o.customer_id, o.address_id, s.round_id, s.position,
       coalesce(s.is_locked, false) AS is_locked, coalesce(s.is_held OR s.is_locked, false) AS is_held,
       coalesce(a.latitude, (o.address ->> 'latitude')::numeric) AS latitude,
       coalesce(a.longitude, (o.address ->> 'longitude')::numeric) AS longitude,
       w.opens, w.closes, w.service_minutes, n.name AS area, o.address ->> 'postal_code' AS postal_code,
       o.address ->> 'line1' AS line1, c.code
FROM deliveries d
JOIN orders o ON o.id = d.order_id
JOIN customers c ON c.id = o.customer_id
LEFT JOIN addresses a ON a.id = o.address_id
LEFT JOIN areas n ON n.id = c.area_id
LEFT JOIN round_stops s ON s.delivery_id = d.id
LEFT JOIN LATERAL (
    SELECT w.opens, w.closes, w.service_minutes FROM door_windows w
    WHERE w.customer_id = o.customer_id AND (w.address_id IS NULL OR w.address_id = o.address_id)
    ORDER BY w.address_id IS NULL LIMIT 1) w ON true
WHERE {which} AND d.shift IS NOT NULL"""

OF_DAY = "d.planned_on = :service_on AND o.site_id = :site_id"

TOURS = """
SELECT r.id, r.shift, r.usual_driver_id, r.driver_id, r.is_cut, r.merged_into_id, r.standing_round_id,
       t.latitude, t.longitude, p.starts, g.service_minutes, g.capacity, r.state
FROM rounds r
JOIN sites t ON t.id = r.site_id
LEFT JOIN shifts p ON p.site_id = r.site_id AND p.shift = r.shift
LEFT JOIN standing_rounds g ON g.id = r.standing_round_id
WHERE {which} ORDER BY r.id"""

MEMORY = """
SELECT standing_round_id, customer_id, address_id, position FROM standing_stops
WHERE standing_round_id = ANY(CAST(:ids AS uuid[])) ORDER BY standing_round_id, position"""


def due(session: Session, *, first: date, last: date) -> list[dict[str, Any]]:
    """List site_id and service_on of the days that are to be cut, the earliest first."""
    return rows(session, DUE, {"first": first, "last": last})


def stops(session: Session, site_id: UUID, service_on: date) -> list[Stop]:
    """Return the stops of a site's day, those of a round in its order."""
    return _stops(session, OF_DAY, {"site_id": site_id, "service_on": service_on})


def stops_of(session: Session, round_id: UUID) -> list[Stop]:
    """Return the stops of one round that are not cancelled, in its order."""
    return _stops(session, "s.round_id = :round_id AND d.state <> 'cancelled'", {"round_id": round_id})


def tours(session: Session, site_id: UUID, service_on: date) -> list[Tour]:
    """Return the rounds of a site's day with what is remembered of their order."""
    return _tours(
        session,
        "r.site_id = :site_id AND r.service_on = :service_on",
        {"site_id": site_id, "service_on": service_on},
    )


def tour(session: Session, round_id: UUID) -> Tour:
    """Return one round with what is remembered of its order."""
    return _tours(session, "r.id = :round_id", {"round_id": round_id})[0]


def remembered(session: Session, standing_round_ids: Collection[UUID]) -> dict[UUID, list[Door]]:
    """Return the remembered doors of standing rounds, in order."""
    found: dict[UUID, list[Door]] = {}
    for row in rows(session, MEMORY, {"ids": "{" + ",".join(map(str, standing_round_ids)) + "}"}):
        found.setdefault(row["standing_round_id"], []).append((row["customer_id"], row["address_id"]))
    return found


def _stops(session: Session, which: str, facts: dict[str, Any]) -> list[Stop]:
    found = [_stop(row) for row in rows(session, STOPS.format(which=which), facts)]
    return sorted(found, key=lambda stop: (str(stop.round_id), stop.position))


def _stop(row: dict[str, Any]) -> Stop:
    place = None
    if row["latitude"] is not None and row["longitude"] is not None:
        place = Place(float(row["latitude"]), float(row["longitude"]))
    minutes = row["service_minutes"]
    visit = Visit(
        row["id"],
        place,
        row["is_locked"],
        _second(row["opens"]) or 0,
        _second(row["closes"]),
        None if minutes is None else 60 * minutes,
    )
    return Stop(
        delivery_id=row["id"],
        state=row["state"],
        shift=row["shift"],
        driver_id=row["driver_id"],
        door=(row["customer_id"], row["address_id"]),
        visit=visit,
        neighbourhood=tuple(row[name] or "" for name in ("area", "postal_code", "line1", "code")),
        round_id=row["round_id"],
        position=row["position"] or 0,
        is_held=row["is_held"],
    )


def _tours(session: Session, which: str, facts: dict[str, Any]) -> list[Tour]:
    found = rows(session, TOURS.format(which=which), facts)
    memory = remembered(session, [row["standing_round_id"] for row in found if row["standing_round_id"]])
    return [
        Tour(
            id=row["id"],
            shift=row["shift"],
            usual_driver_id=row["usual_driver_id"],
            driver_id=row["driver_id"],
            is_cut=row["is_cut"],
            merged_into_id=row["merged_into_id"],
            state=row["state"],
            standing_round_id=row["standing_round_id"],
            course=Course(
                Place(float(row["latitude"]), float(row["longitude"])) if row["latitude"] is not None else None,
                _second(row["starts"]) or 0,
                120 if row["service_minutes"] is None else 60 * row["service_minutes"],
            ),
            remembered={door: n for n, door in enumerate(memory.get(row["standing_round_id"], ()))},
            capacity=None if row["capacity"] is None else int(row["capacity"]),
        )
        for row in found
    ]


def _second(at: time | None) -> int | None:
    return None if at is None else 3600 * at.hour + 60 * at.minute + at.second
