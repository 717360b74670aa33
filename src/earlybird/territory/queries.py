"""Sites, their shifts and cut-offs, days without delivery, and who serves which area."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.infra.db import rows, value
from earlybird.kernel.clock import business_day, cutoff_at
from earlybird.territory.states import Shift

AREA_DRIVERS = """
SELECT DISTINCT ON (area_id, shift) area_id, shift, driver_id FROM area_drivers
WHERE valid_from <= :service_on
  AND (weekday IS NULL OR weekday = extract(isodow FROM CAST(:service_on AS date))::int - 1)
ORDER BY area_id, shift, weekday IS NULL, valid_from DESC"""
"""Who serves each area and shift on :service_on: the driver of that weekday before the one of every day."""


def sites(session: Session) -> list[dict[str, Any]]:
    """List the sites in use with their business: id, name, kind, zone, business_id, business, currency."""
    return rows(
        session,
        "SELECT s.id, s.name, s.kind, s.zone, s.business_id, b.name AS business, b.currency "
        "FROM sites s JOIN businesses b ON b.id = s.business_id WHERE s.archived_at IS NULL ORDER BY b.name, s.name",
    )


def closed(session: Session, site_id: UUID, service_on: date) -> str | None:
    """Return why the site does not deliver on the date; None when it does."""
    reason = value(
        session,
        "SELECT reason FROM closures WHERE site_id = :site_id AND closed_on = :service_on",
        {"site_id": site_id, "service_on": service_on},
    )
    return None if reason is None else str(reason)


def cutoffs(session: Session, site_id: UUID, service_on: date, shifts: Sequence[Shift]) -> dict[Shift, datetime]:
    """Return the last instant at which each shift of the date may still change; a shift without hours has none."""
    found = rows(
        session,
        "SELECT p.shift, p.cutoff, p.cutoff_days_before, s.zone FROM shifts p JOIN sites s ON s.id = p.site_id "
        "WHERE p.site_id = :site_id AND p.shift = ANY(:shifts)",
        {"site_id": site_id, "shifts": [str(shift) for shift in shifts]},
    )
    return {
        Shift(row["shift"]): cutoff_at(service_on, row["cutoff"], row["cutoff_days_before"], row["zone"])
        for row in found
    }


def first_open_on(session: Session, site_id: UUID, shifts: Sequence[Shift], now: datetime) -> date:
    """Return the first service date whose cut-off has passed for none of the shifts."""
    zone = str(value(session, "SELECT zone FROM sites WHERE id = :site_id", {"site_id": site_id}))
    day = business_day(now, zone)
    while any(at < now for at in cutoffs(session, site_id, day, shifts).values()):
        day += timedelta(days=1)
    return day


def find_business(session: Session, name: str | None = None) -> UUID | None:
    """Return the business of that name (any, where no name is given), or None."""
    found: UUID | None = value(
        session,
        "SELECT id FROM businesses WHERE CAST(:name AS text) IS NULL OR name = :name ORDER BY id LIMIT 1",
        {"name": name},
    )
    return found


def cutover_on(session: Session) -> date | None:
    """Return the day of change of the business that was taken over; None when none was."""
    found: date | None = value(session, "SELECT max(cutover_on) FROM businesses")
    return found
