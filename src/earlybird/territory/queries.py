"""Sites, their shifts and cut-offs, days without delivery, and who serves which area."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.identity.rules import reach, within
from earlybird.infra.db import rows, value
from earlybird.kernel.clock import business_day, cutoff_at
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.pages import LIMIT, Page, cut
from earlybird.territory.errors import BusinessUnknown, NoSuchArea, NoSuchBusiness, NoSuchPolicy, NoSuchSite
from earlybird.territory.models import Area, Site
from earlybird.territory.rules import POLICIES
from earlybird.territory.states import Shift, SiteKind

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


BUSINESS = """
SELECT id, name, legal_name, currency, country, zone, tax_ids, upi_id, phone, address, invoice_prefix, terms_days,
       prices_include_tax, rounds_to_major, cutover_on, created_at FROM businesses"""


def businesses(session: Session, *, cursor: UUID | None = None, limit: int = LIMIT) -> Page[Mapping[str, Any]]:
    """Return a page of legal entities."""
    found = rows(
        session,
        f"{BUSINESS} WHERE CAST(:cursor AS uuid) IS NULL OR id < :cursor ORDER BY id DESC LIMIT :limit + 1",
        {"cursor": cursor, "limit": limit},
    )
    return cut(found, limit)


def business(session: Session, business_id: UUID) -> dict[str, Any]:
    """Return one legal entity."""
    found = rows(session, f"{BUSINESS} WHERE id = :id", {"id": business_id})
    if not found:
        raise NoSuchBusiness(field="business_id", business_id=business_id)
    return found[0]


def only_business(session: Session, business_id: UUID | None) -> dict[str, Any]:
    """Return the business named, or the only one there is."""
    found = rows(
        session,
        f"{BUSINESS} WHERE CAST(:id AS uuid) IS NULL OR id = :id LIMIT 2",
        {"id": business_id},
    )
    if len(found) != 1:
        raise BusinessUnknown(field="business_id")
    return found[0]


SITE = "SELECT id, business_id, kind, name, zone, latitude, longitude, archived_at FROM sites"


def site_page(
    session: Session,
    *,
    cursor: UUID | None = None,
    limit: int = LIMIT,
    kind: SiteKind | None = None,
    business_id: UUID | None = None,
    is_archived: bool = False,
) -> Page[Mapping[str, Any]]:
    """Return a page of the sites in use, or of the archived ones."""
    found = rows(
        session,
        f"""{SITE} WHERE (archived_at IS NOT NULL) = :is_archived
        AND (CAST(:cursor AS uuid) IS NULL OR id < :cursor)
        AND (CAST(:kind AS text) IS NULL OR kind = :kind)
        AND (CAST(:business_id AS uuid) IS NULL OR business_id = :business_id) ORDER BY id DESC LIMIT :limit + 1""",
        {"cursor": cursor, "limit": limit, "kind": kind, "business_id": business_id, "is_archived": is_archived},
    )
    return cut(found, limit)


def site(session: Session, site_id: UUID) -> dict[str, Any]:
    """Return one site in use."""
    found = rows(session, f"{SITE} WHERE id = :id AND archived_at IS NULL", {"id": site_id})
    if not found:
        raise NoSuchSite(field="site_id", site_id=site_id)
    return found[0]


def site_for_update(session: Session, site_id: UUID) -> Site:
    """Return the site, archived or not, locked until the transaction ends."""
    found = session.get(Site, site_id, with_for_update=True, populate_existing=True)
    if found is None:
        raise NoSuchSite(field="site_id", site_id=site_id)
    return found


def shifts(session: Session, site_id: UUID) -> list[dict[str, Any]]:
    """List the shifts of a site: shift, starts, ends, cutoff, cutoff_days_before."""
    return rows(
        session,
        "SELECT shift, starts, ends, cutoff, cutoff_days_before FROM shifts WHERE site_id = :site_id ORDER BY starts",
        {"site_id": site_id},
    )


def closures(session: Session, site_id: UUID, *, first: date, last: date) -> list[dict[str, Any]]:
    """List the days between two dates, both included, on which a site does not deliver."""
    return rows(
        session,
        "SELECT closed_on, reason FROM closures WHERE site_id = :site_id AND closed_on BETWEEN :first AND :last "
        "ORDER BY closed_on",
        {"site_id": site_id, "first": first, "last": last},
    )


NEWER = """
SELECT FROM area_drivers newer WHERE newer.area_id = d.area_id AND newer.shift = d.shift
  AND newer.weekday IS NOT DISTINCT FROM d.weekday AND newer.valid_from > d.valid_from
  AND newer.valid_from <= CAST(CAST(:now AS timestamptz) AT TIME ZONE t.zone AS date)"""
"""An entry that has taken the place of `d` by :now; `t` is the area's site."""


def visible(ctx: Ctx) -> str:
    """Return the condition for the areas `a` (site `t`) somebody may see; drivers those they serve or are to serve."""
    served = f"SELECT FROM area_drivers d WHERE d.area_id = a.id AND d.driver_id = :me AND NOT EXISTS ({NEWER})"
    return within(ctx, area=f"EXISTS ({served})")


AREA = "SELECT a.id, a.site_id, a.name, a.postal_code, a.archived_at FROM areas a JOIN sites t ON t.id = a.site_id"


def areas(
    session: Session,
    ctx: Ctx,
    *,
    cursor: UUID | None = None,
    limit: int = LIMIT,
    q: str | None = None,
    site_id: UUID | None = None,
    is_archived: bool = False,
) -> Page[Mapping[str, Any]]:
    """Return a page of the areas in use (or of the archived ones) that somebody may see."""
    found = rows(
        session,
        f"""{AREA} WHERE {visible(ctx)} AND (a.archived_at IS NOT NULL) = :is_archived
        AND (CAST(:cursor AS uuid) IS NULL OR a.id < :cursor)
        AND (CAST(:q AS text) IS NULL OR position(lower(:q) IN lower(a.name)) > 0)
        AND (CAST(:site_id AS uuid) IS NULL OR a.site_id = :site_id) ORDER BY a.id DESC LIMIT :limit + 1""",
        reach(ctx)
        | {"now": ctx.now, "cursor": cursor, "limit": limit, "q": q, "site_id": site_id, "is_archived": is_archived},
    )
    return cut(found, limit)


def area(session: Session, ctx: Ctx, area_id: UUID) -> dict[str, Any]:
    """Return one area in use that somebody may see."""
    found = rows(
        session,
        f"{AREA} WHERE a.id = :id AND a.archived_at IS NULL AND {visible(ctx)}",
        reach(ctx) | {"id": area_id, "now": ctx.now},
    )
    if not found:
        raise NoSuchArea(field="area_id", area_id=area_id)
    return found[0]


def area_for_update(session: Session, area_id: UUID) -> Area:
    """Return the area, archived or not, locked until the transaction ends."""
    found = session.get(Area, area_id, with_for_update=True, populate_existing=True)
    if found is None:
        raise NoSuchArea(field="area_id", area_id=area_id)
    return found


def assignments(session: Session, ctx: Ctx, area_id: UUID) -> list[dict[str, Any]]:
    """List who served, serves and will serve an area, newest first."""
    area(session, ctx, area_id)
    return rows(
        session,
        f"""SELECT d.id, d.shift, d.weekday, d.driver_id, u.name AS driver_name, d.valid_from,
               d.valid_from <= CAST(CAST(:now AS timestamptz) AT TIME ZONE t.zone AS date) AND NOT EXISTS ({NEWER})
               AS is_in_force
        FROM area_drivers d JOIN users u ON u.id = d.driver_id JOIN areas a ON a.id = d.area_id
        JOIN sites t ON t.id = a.site_id
        WHERE d.area_id = :area_id ORDER BY d.valid_from DESC, d.shift, d.weekday NULLS FIRST""",
        {"area_id": area_id, "now": ctx.now},
    )


def is_driver(session: Session, ctx: Ctx, user_id: UUID) -> bool:
    """Return whether somebody works as a driver now."""
    return bool(
        value(
            session,
            "SELECT true FROM users u JOIN memberships m ON m.user_id = u.id AND m.role = 'driver' "
            "AND (m.ended_at IS NULL OR m.ended_at > :now) "
            "WHERE u.id = :id AND u.state <> 'disabled' AND u.archived_at IS NULL LIMIT 1",
            {"id": user_id, "now": ctx.now},
        )
    )


def works(session: Session, driver_id: UUID) -> frozenset[Shift]:
    """Return the shifts somebody works: all of them, where nothing was said."""
    found = rows(session, "SELECT shift FROM driver_shifts WHERE driver_id = :id", {"id": driver_id})
    return frozenset(Shift(row["shift"]) for row in found) or frozenset(Shift)


def has_customers(session: Session, *, site_id: UUID | None = None, area_id: UUID | None = None) -> bool:
    """Return whether a customer is served from a site, or lives in an area."""
    return bool(
        value(
            session,
            "SELECT true FROM customers WHERE archived_at IS NULL AND (site_id = :site_id OR area_id = :area_id) "
            "LIMIT 1",
            {"site_id": site_id, "area_id": area_id},
        )
    )


def today(session: Session, ctx: Ctx, site_id: UUID) -> date:
    """Return the present date at a site."""
    return business_day(ctx.now, str(value(session, "SELECT zone FROM sites WHERE id = :id", {"id": site_id})))


def policies(session: Session) -> list[dict[str, Any]]:
    """List every policy that some code obeys, with what holds now."""
    known = {row["name"]: row for row in rows(session, "SELECT name, value, set_at, set_by FROM policies")}
    nobody = {"set_at": None, "set_by": None}
    return [
        {"value": policy.default}
        | nobody
        | known.get(name, {})
        | {"name": name, "about": policy.about, "default": policy.default}
        for name, policy in POLICIES.items()
    ]


def policy(session: Session, name: str) -> dict[str, Any]:
    """Return one policy with what holds now."""
    found = [row for row in policies(session) if row["name"] == name]
    if not found:
        raise NoSuchPolicy(field="name", name=name)
    return found[0]


def policy_values(session: Session, *names: str) -> dict[str, Any]:
    """Return what holds now of each policy named."""
    found = rows(session, "SELECT name, value FROM policies WHERE name = ANY(:names)", {"names": list(names)})
    return {name: POLICIES[name].default for name in names} | {row["name"]: row["value"] for row in found}
