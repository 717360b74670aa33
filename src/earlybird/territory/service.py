"""Open businesses, sites and areas, change them, and set the rules of the house. What has been stays as it was."""

from __future__ import annotations

from datetime import date, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

from psycopg.types.json import Jsonb
from sqlalchemy import select
from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.infra.db import lock, rows, run, value
from earlybird.kernel import ids
from earlybird.kernel.ctx import Ctx
from earlybird.territory import queries
from earlybird.territory.errors import (
    CodeUnknown,
    CutoffTooLate,
    DayIsPast,
    HalfAPlace,
    NameTaken,
    NoSuchArea,
    NoSuchAssignment,
    NoSuchBusiness,
    NoSuchClosure,
    NoSuchDriver,
    NoSuchSite,
    NotADriver,
    NotOnThatShift,
    SiteUnknown,
    StillServed,
    ZoneUnknown,
)
from earlybird.territory.models import Area, Business, ShiftPlan, Site
from earlybird.territory.rules import check_tax_ids, degrees, policy_value
from earlybird.territory.states import Shift, SiteKind

SHIFTS = ((Shift.morning, time(5), time(8)), (Shift.evening, time(17), time(20)))
CUTOFF = time(20)
PLACE = ("latitude", "longitude")

REPLAN = """
INSERT INTO replan_requests (site_id, service_on, reason, made_at)
SELECT s.id, day.service_on, :reason, :now
FROM sites s
CROSS JOIN LATERAL (SELECT CAST(CAST(:now AS timestamptz) AT TIME ZONE s.zone AS date) AS today) t
CROSS JOIN LATERAL (
    SELECT t.today + n AS service_on FROM generate_series(
        0, 1 + coalesce((SELECT max(p.cutoff_days_before) FROM shifts p WHERE p.site_id = s.id), 1)) AS n
    UNION SELECT r.service_on FROM plan_runs r WHERE r.site_id = s.id AND r.service_on >= t.today
) day
WHERE s.id = :site_id AND day.service_on >= :first_on
  AND (CAST(:last_on AS date) IS NULL OR day.service_on <= :last_on)"""
"""The days that are planned, and those a plan may be at work on at this moment: later ones are planned anyway."""


def replan(
    session: Session, ctx: Ctx, site_id: UUID, *, first_on: date, last_on: date | None = None, reason: str
) -> None:
    """Ask that a site's days between two dates, both included, be planned again where they are planned already."""
    facts = {"site_id": site_id, "first_on": first_on, "last_on": last_on, "reason": reason, "now": ctx.now}
    run(session, REPLAN, facts)


def open_business(session: Session, ctx: Ctx, name: str, *, currency: str, country: str, zone: str) -> UUID:
    """Create a business with a depot and two shifts, cut-off 20:00 the day before."""
    if zone not in available_timezones():
        raise ZoneUnknown(field="zone", value=zone)
    for field, text, length in (("currency", currency, 3), ("country", country, 2)):
        if not (len(text) == length and text.isascii() and text.isalpha() and text.isupper()):
            raise CodeUnknown(field=field, value=text)
    _check_business_name(session, name)
    business = Business(id=ids.new_id(), name=name, currency=currency, country=country, zone=ZoneInfo(zone).key)
    session.add(business)
    session.flush()  # the depot points at it
    site = Site(id=ids.new_id(), business_id=business.id, kind=SiteKind.depot, name="Depot", zone=zone)
    session.add(site)
    session.flush()  # the shifts point at it
    session.add_all(
        ShiftPlan(site_id=site.id, shift=shift, starts=starts, ends=ends, cutoff=CUTOFF)
        for shift, starts, ends in SHIFTS
    )
    audit.record(session, ctx, "territory.open_business", "business", business.id, after={"name": name, "zone": zone})
    return business.id


def change_business(session: Session, ctx: Ctx, business_id: UUID, **facts: Any) -> None:
    """Change what is no history: name, legal_name, tax_ids, upi_id, phone, address, terms_days."""
    row = session.get(Business, business_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NoSuchBusiness(field="business_id", business_id=business_id)
    if facts.get("name", row.name) != row.name:
        _check_business_name(session, facts["name"])
    check_tax_ids(facts.get("tax_ids", {}))
    audit.change(session, ctx, row, facts, action="territory.change_business", entity="business")


def open_site(
    session: Session,
    ctx: Ctx,
    *,
    kind: SiteKind,
    name: str,
    zone: str | None = None,
    business_id: UUID | None = None,
) -> UUID:
    """Add a depot, shop or warehouse to a business, in the business's zone unless another is given."""
    business = queries.only_business(session, business_id)
    if zone is not None and zone not in available_timezones():
        raise ZoneUnknown(field="zone", value=zone)
    _check_site_name(session, business["id"], name)
    row = Site(id=ids.new_id(), business_id=business["id"], kind=kind, name=name, zone=zone or business["zone"])
    session.add(row)
    session.flush()  # so that what reads next sees it
    after = {"business_id": row.business_id, "kind": row.kind, "name": row.name, "zone": row.zone}
    audit.record(session, ctx, "territory.open_site", "site", row.id, after=audit.plain(after))
    return row.id


def change_site(session: Session, ctx: Ctx, site_id: UUID, **facts: Any) -> None:
    """Change the name of a site in use, or where it lies: latitude and longitude, both or neither."""
    row = _used_site(session, site_id)
    facts |= {name: degrees(facts[name]) for name in PLACE if facts.get(name) is not None}
    found = {name: facts.get(name, getattr(row, name)) for name in PLACE}
    if None in found.values() and any(place is not None for place in found.values()):
        raise HalfAPlace(field="longitude" if found["longitude"] is None else "latitude")
    if facts.get("name", row.name) != row.name:
        _check_site_name(session, row.business_id, facts["name"])
    audit.change(session, ctx, row, facts, action="territory.change_site", entity="site")


def archive_site(session: Session, ctx: Ctx, site_id: UUID) -> None:
    """Take a site out of use; refused while customers are served from it."""
    row = _used_site(session, site_id)
    if queries.has_customers(session, site_id=site_id):
        raise StillServed(site_id=site_id)
    audit.change(session, ctx, row, {"archived_at": ctx.now}, action="territory.archive_site", entity="site")


def restore_site(session: Session, ctx: Ctx, site_id: UUID) -> None:
    """Take an archived site into use again."""
    row = queries.site_for_update(session, site_id)
    audit.change(session, ctx, row, {"archived_at": None}, action="territory.restore_site", entity="site")


def set_shift(
    session: Session,
    ctx: Ctx,
    site_id: UUID,
    *,
    shift: Shift,
    starts: time,
    ends: time,
    cutoff: time,
    cutoff_days_before: int = 1,
) -> None:
    """Say when a shift runs at a site and until when its orders may change; a shift may end after midnight."""
    _used_site(session, site_id)
    if cutoff_days_before == 0 and cutoff > starts:
        raise CutoffTooLate(field="cutoff", starts=str(starts), cutoff=str(cutoff))
    row = session.scalars(
        select(ShiftPlan).where(ShiftPlan.site_id == site_id, ShiftPlan.shift == shift).with_for_update()
    ).one_or_none()
    facts = {"starts": starts, "ends": ends, "cutoff": cutoff, "cutoff_days_before": cutoff_days_before}
    if row is not None:
        audit.change(session, ctx, row, facts, action="territory.set_shift", entity="shift")
        return
    row = ShiftPlan(id=ids.new_id(), site_id=site_id, shift=shift, **facts)
    session.add(row)
    session.flush()  # so that what reads next sees it
    after = audit.plain({"site_id": site_id, "shift": shift, **facts})
    audit.record(session, ctx, "territory.set_shift", "shift", row.id, after=after)


def close_day(session: Session, ctx: Ctx, site_id: UUID, *, closed_on: date, reason: str) -> None:
    """Deliver nothing from a site on a day that has not passed; the plan of the day leaves standing orders out."""
    _check_not_past(session, ctx, site_id, closed_on)
    facts = {"site_id": site_id, "closed_on": closed_on, "reason": reason}
    before = queries.closed(session, site_id, closed_on)
    if before == reason:
        return
    run(
        session,
        "INSERT INTO closures (site_id, closed_on, reason) VALUES (:site_id, :closed_on, :reason) "
        "ON CONFLICT (site_id, closed_on) DO UPDATE SET reason = excluded.reason",
        facts,
    )
    old = {"reason": before} if before else None
    audit.record(session, ctx, "territory.close_day", "site", site_id, before=old, after=audit.plain(facts))
    replan(session, ctx, site_id, first_on=closed_on, last_on=closed_on, reason="territory.close_day")


def reopen_day(session: Session, ctx: Ctx, site_id: UUID, *, closed_on: date) -> None:
    """Deliver after all on a day that has not passed."""
    _check_not_past(session, ctx, site_id, closed_on)
    facts = {"site_id": site_id, "closed_on": closed_on}
    if not run(session, "DELETE FROM closures WHERE site_id = :site_id AND closed_on = :closed_on", facts):
        raise NoSuchClosure(field="closed_on", closed_on=closed_on)
    audit.record(session, ctx, "territory.reopen_day", "site", site_id, before=audit.plain(facts))
    replan(session, ctx, site_id, first_on=closed_on, last_on=closed_on, reason="territory.reopen_day")


def create_area(session: Session, ctx: Ctx, *, site_id: UUID, name: str, postal_code: str | None = None) -> UUID:
    """Have another part of town, served by a site in use."""
    if not value(session, "SELECT true FROM sites WHERE id = :id AND archived_at IS NULL", {"id": site_id}):
        raise SiteUnknown(field="site_id", site_id=site_id)
    _check_area_name(session, site_id, name)
    row = Area(id=ids.new_id(), site_id=site_id, name=name, postal_code=postal_code)
    session.add(row)
    session.flush()  # so that what reads next sees it
    after = audit.plain({"site_id": site_id, "name": name, "postal_code": postal_code})
    audit.record(session, ctx, "territory.create_area", "area", row.id, after=after)
    return row.id


def change_area(session: Session, ctx: Ctx, area_id: UUID, **facts: Any) -> None:
    """Change name or postal_code of an area; whoever lives there still does."""
    row = _used_area(session, area_id)
    if facts.get("name", row.name) != row.name:
        _check_area_name(session, row.site_id, facts["name"])
    audit.change(session, ctx, row, facts, action="territory.change_area", entity="area")


def archive_area(session: Session, ctx: Ctx, area_id: UUID) -> None:
    """Take an area out of use; refused while customers live there."""
    row = _used_area(session, area_id)
    if queries.has_customers(session, area_id=area_id):
        raise StillServed(area_id=area_id)
    audit.change(session, ctx, row, {"archived_at": ctx.now}, action="territory.archive_area", entity="area")


def restore_area(session: Session, ctx: Ctx, area_id: UUID) -> None:
    """Take an archived area into use again."""
    row = queries.area_for_update(session, area_id)
    audit.change(session, ctx, row, {"archived_at": None}, action="territory.restore_area", entity="area")


def assign(
    session: Session,
    ctx: Ctx,
    area_id: UUID,
    *,
    shift: Shift,
    driver_id: UUID,
    valid_from: date,
    weekday: int | None = None,
) -> UUID:
    """Let a driver serve an area on a shift (and weekday, 0 is Monday) from today or a later day; return the entry."""
    row = _used_area(session, area_id)
    _check_not_past(session, ctx, row.site_id, valid_from, field="valid_from")
    if not queries.is_driver(session, ctx, driver_id):
        raise NotADriver(field="driver_id", driver_id=driver_id)
    if shift not in queries.works(session, driver_id):
        raise NotOnThatShift(field="driver_id", driver_id=driver_id, shift=str(shift))
    facts = {
        "area_id": area_id,
        "shift": str(shift),
        "weekday": weekday,
        "driver_id": driver_id,
        "valid_from": valid_from,
    }
    before = rows(
        session,
        "SELECT driver_id FROM area_drivers WHERE area_id = :area_id AND shift = :shift "
        "AND weekday IS NOT DISTINCT FROM CAST(:weekday AS smallint) AND valid_from = :valid_from",
        facts,
    )
    key: UUID = value(
        session,
        "INSERT INTO area_drivers (area_id, shift, weekday, driver_id, valid_from) "
        "VALUES (:area_id, :shift, :weekday, :driver_id, :valid_from) "
        "ON CONFLICT (area_id, shift, weekday, valid_from) DO UPDATE SET driver_id = excluded.driver_id RETURNING id",
        facts,
    )
    old = audit.plain(before[0]) if before else None
    audit.record(session, ctx, "territory.assign", "area", area_id, before=old, after=audit.plain(facts))
    return key


def unassign(session: Session, ctx: Ctx, area_id: UUID, *, entry_id: UUID) -> None:
    """Take back an entry of who serves an area that has not begun."""
    row = _used_area(session, area_id)
    found = rows(
        session,
        "SELECT shift, weekday, driver_id, valid_from FROM area_drivers WHERE id = :id AND area_id = :area_id",
        {"id": entry_id, "area_id": area_id},
    )
    if not found:
        raise NoSuchAssignment(field="entry_id", entry_id=entry_id)
    _check_not_past(session, ctx, row.site_id, found[0]["valid_from"] - timedelta(days=1), field="entry_id")
    run(session, "DELETE FROM area_drivers WHERE id = :id", {"id": entry_id})
    audit.record(session, ctx, "territory.unassign", "area", area_id, before=audit.plain(found[0]))


def set_driver_shifts(session: Session, ctx: Ctx, driver_id: UUID, *, shifts: frozenset[Shift]) -> None:
    """Say which shifts a driver works from now on; what is assigned already stays."""
    if not queries.is_driver(session, ctx, driver_id):
        raise NoSuchDriver(field="driver_id", driver_id=driver_id)
    lock(session, f"driver_shifts {driver_id}")
    before = queries.works(session, driver_id)
    if before == shifts:
        return
    run(session, "DELETE FROM driver_shifts WHERE driver_id = :id", {"id": driver_id})
    if shifts != frozenset(Shift):
        facts = {"id": driver_id, "shifts": sorted(shifts)}
        run(session, "INSERT INTO driver_shifts SELECT :id, unnest(CAST(:shifts AS text[]))", facts)
    old, new = {"shifts": sorted(before)}, {"shifts": sorted(shifts)}
    audit.record(session, ctx, "territory.set_driver_shifts", "user", driver_id, before=old, after=new)


def set_known_policy(session: Session, ctx: Ctx, name: str, *, value: bool | int) -> None:
    """Switch a rule of the house that there is, to a value it takes."""
    queries.policy(session, name)
    set_policy(session, ctx, name, value=policy_value(name, value))


def set_policy(session: Session, ctx: Ctx, name: str, *, value: Any) -> None:
    """Switch a rule of the house; nothing is written when it stands so already."""
    before = rows(session, "SELECT value FROM policies WHERE name = :name FOR UPDATE", {"name": name})
    if before and before[0]["value"] == value:
        return
    run(
        session,
        "INSERT INTO policies (name, value, set_at, set_by) VALUES (:name, :value, :now, :by) "
        "ON CONFLICT (name) DO UPDATE SET value = excluded.value, set_at = excluded.set_at, set_by = excluded.set_by",
        {"name": name, "value": Jsonb(value), "now": ctx.now, "by": ctx.actor.name},
    )
    audit.record(
        session,
        ctx,
        "territory.set_policy",
        "policy",
        before={name: before[0]["value"]} if before else None,
        after={name: value},
    )


def _used_site(session: Session, site_id: UUID) -> Site:
    row = queries.site_for_update(session, site_id)
    if row.archived_at is not None:
        raise NoSuchSite(field="site_id", site_id=site_id)
    return row


def _used_area(session: Session, area_id: UUID) -> Area:
    row = queries.area_for_update(session, area_id)
    if row.archived_at is not None:
        raise NoSuchArea(field="area_id", area_id=area_id)
    return row


def _check_not_past(session: Session, ctx: Ctx, site_id: UUID, day: date, *, field: str = "closed_on") -> None:
    queries.site(session, site_id)
    today = queries.today(session, ctx, site_id)
    if day < today:
        raise DayIsPast(field=field, today=today)


def _check_free(session: Session, table: str, where: str, name: str, **facts: Any) -> None:
    """Refuse a name that another row of the table has; whoever gives the same name meanwhile waits."""
    lock(session, f"{table} {facts} {name}")
    if value(session, f"SELECT true FROM {table} WHERE {where} AND name = :name", facts | {"name": name}):
        raise NameTaken(field="name", name=name)


def _check_business_name(session: Session, name: str) -> None:
    _check_free(session, "businesses", "true", name)


def _check_site_name(session: Session, business_id: UUID, name: str) -> None:
    _check_free(session, "sites", "business_id = :business_id", name, business_id=business_id)


def _check_area_name(session: Session, site_id: UUID, name: str) -> None:
    _check_free(session, "areas", "site_id = :site_id", name, site_id=site_id)
