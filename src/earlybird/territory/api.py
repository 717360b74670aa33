"""Businesses, sites, shifts, closures, areas and policies over HTTP."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query

from earlybird.identity.access import allow
from earlybird.infra.db import Session
from earlybird.infra.http import PROBLEMS, door
from earlybird.infra.shapes import LAST_DAY, Cursor, Day, Limit, Paged, Search, paged
from earlybird.kernel.ctx import Ctx
from earlybird.territory import queries, service
from earlybird.territory.errors import NoSuchDriver
from earlybird.territory.schemas import (
    AreaChange,
    AreaIn,
    AreaOut,
    AssignmentIn,
    AssignmentOut,
    BusinessChange,
    BusinessIn,
    BusinessOut,
    ClosureIn,
    ClosureOut,
    DriverShiftsIn,
    DriverShiftsOut,
    PolicyIn,
    PolicyOut,
    ShiftIn,
    ShiftOut,
    SiteChange,
    SiteIn,
    SiteOut,
)
from earlybird.territory.states import Shift, SiteKind

router = APIRouter(prefix="/api", tags=["territory"], responses=PROBLEMS)

Archived = Annotated[bool, Query(description="Only what is out of use, instead of what is in use.")]
OfBusiness = Annotated[UUID | None, Query(description="Only of this business.")]
PolicyName = Annotated[str, Path(pattern=r"^[a-z_]{1,60}$", examples=["check_dates"])]


@router.get("/businesses")
@door(allow("businesses.read"))
def businesses(session: Session, _ctx: Ctx, *, cursor: Cursor = None, limit: Limit = 50) -> Paged[BusinessOut]:
    """List the legal entities."""
    return paged(queries.businesses(session, cursor=cursor, limit=limit))


@router.get("/businesses/{business_id}")
@door(allow("businesses.read"))
def business(session: Session, _ctx: Ctx, *, business_id: UUID) -> BusinessOut:
    """Show a legal entity."""
    return BusinessOut.model_validate(queries.business(session, business_id))


@router.post("/businesses", status_code=201)
@door(allow("businesses.change"))
def open_business(session: Session, ctx: Ctx, *, body: BusinessIn) -> BusinessOut:
    """Open another legal entity, with a depot and two shifts, cut-off 20:00 the day before."""
    made = service.open_business(session, ctx, body.name, currency=body.currency, country=body.country, zone=body.zone)
    return BusinessOut.model_validate(queries.business(session, made))


@router.patch("/businesses/{business_id}")
@door(allow("businesses.change"), unchanged=("businesses", "business_id", business))
def change_business(session: Session, ctx: Ctx, *, business_id: UUID, body: BusinessChange) -> BusinessOut:
    """Change what is no history: names, tax ids, where to pay, how to reach it, terms."""
    service.change_business(session, ctx, business_id, **body.sent())
    return BusinessOut.model_validate(queries.business(session, business_id))


@router.get("/sites")
@door(allow("sites.read"))
def sites(
    session: Session,
    _ctx: Ctx,
    *,
    kind: Annotated[SiteKind | None, Query(description="Only of this kind.")] = None,
    business_id: OfBusiness = None,
    archived: Archived = False,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Paged[SiteOut]:
    """List the depots, shops and warehouses."""
    return paged(
        queries.site_page(session, kind=kind, business_id=business_id, is_archived=archived, cursor=cursor, limit=limit)
    )


@router.get("/sites/{site_id}")
@door(allow("sites.read"))
def site(session: Session, _ctx: Ctx, *, site_id: UUID) -> SiteOut:
    """Show a site in use."""
    return SiteOut.model_validate(queries.site(session, site_id))


@router.post("/sites", status_code=201)
@door(allow("sites.change"))
def open_site(session: Session, ctx: Ctx, *, body: SiteIn) -> SiteOut:
    """Open a depot, shop or warehouse; give it shifts before it delivers."""
    made = service.open_site(session, ctx, **body.sent())
    return SiteOut.model_validate(queries.site(session, made))


@router.patch("/sites/{site_id}")
@door(allow("sites.change"), unchanged=("sites", "site_id", site))
def change_site(session: Session, ctx: Ctx, *, site_id: UUID, body: SiteChange) -> SiteOut:
    """Rename a site, or say where it lies: there its rounds begin and end."""
    service.change_site(session, ctx, site_id, **body.sent())
    return SiteOut.model_validate(queries.site(session, site_id))


@router.delete("/sites/{site_id}", status_code=204)
@door(allow("sites.change"), unchanged=("sites", "site_id", site))
def archive_site(session: Session, ctx: Ctx, *, site_id: UUID) -> None:
    """Take a site out of use; refused while customers are served from it."""
    service.archive_site(session, ctx, site_id)


@router.post("/sites/{site_id}/restore")
@door(allow("sites.change"))
def restore_site(session: Session, ctx: Ctx, *, site_id: UUID) -> SiteOut:
    """Take an archived site into use again."""
    service.restore_site(session, ctx, site_id)
    return SiteOut.model_validate(queries.site(session, site_id))


@router.get("/sites/{site_id}/shifts")
@door(allow("sites.read"))
def shifts(session: Session, _ctx: Ctx, *, site_id: UUID) -> list[ShiftOut]:
    """List when the shifts of a site run and until when their orders may change."""
    queries.site(session, site_id)
    return [ShiftOut.model_validate(row) for row in queries.shifts(session, site_id)]


@router.put("/sites/{site_id}/shifts/{shift}")
@door(allow("sites.change"))
def set_shift(session: Session, ctx: Ctx, *, site_id: UUID, shift: Shift, body: ShiftIn) -> ShiftOut:
    """Say when a shift runs and until when its orders may change, from now on."""
    service.set_shift(session, ctx, site_id, shift=shift, **body.sent())
    return ShiftOut(shift=shift, **body.model_dump())


@router.get("/sites/{site_id}/closures")
@door(allow("sites.read"))
def closures(
    session: Session,
    ctx: Ctx,
    *,
    site_id: UUID,
    first: Annotated[Day | None, Query(alias="from", description="From this day on; today where not given.")] = None,
    last: Annotated[Day | None, Query(alias="to", description="Up to and including this day.")] = None,
) -> list[ClosureOut]:
    """List the days on which a site does not deliver."""
    queries.site(session, site_id)
    found = queries.closures(
        session, site_id, first=first or queries.today(session, ctx, site_id), last=last or LAST_DAY
    )
    return [ClosureOut.model_validate(row) for row in found]


@router.put("/sites/{site_id}/closures/{closed_on}")
@door(allow("sites.change"))
def close_day(session: Session, ctx: Ctx, *, site_id: UUID, closed_on: Day, body: ClosureIn) -> ClosureOut:
    """Deliver nothing from a site on a day that has not passed. A day that is planned already is planned anew."""
    service.close_day(session, ctx, site_id, closed_on=closed_on, reason=body.reason)
    return ClosureOut(closed_on=closed_on, reason=body.reason)


@router.delete("/sites/{site_id}/closures/{closed_on}", status_code=204)
@door(allow("sites.change"))
def reopen_day(session: Session, ctx: Ctx, *, site_id: UUID, closed_on: Day) -> None:
    """Deliver after all on a day that has not passed."""
    service.reopen_day(session, ctx, site_id, closed_on=closed_on)


@router.get("/areas")
@door(allow("areas.read"))
def areas(
    session: Session,
    ctx: Ctx,
    *,
    q: Search = None,
    site_id: Annotated[UUID | None, Query(description="Only those served by this site.")] = None,
    archived: Archived = False,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Paged[AreaOut]:
    """List the parts of town; a driver sees those they serve. `q` looks in the names."""
    return paged(queries.areas(session, ctx, q=q, site_id=site_id, is_archived=archived, cursor=cursor, limit=limit))


@router.get("/areas/{area_id}")
@door(allow("areas.read"))
def area(session: Session, ctx: Ctx, *, area_id: UUID) -> AreaOut:
    """Show an area in use."""
    return AreaOut.model_validate(queries.area(session, ctx, area_id))


@router.post("/areas", status_code=201)
@door(allow("areas.change"))
def create_area(session: Session, ctx: Ctx, *, body: AreaIn) -> AreaOut:
    """Have another part of town."""
    made = service.create_area(session, ctx, **body.sent())
    return AreaOut.model_validate(queries.area(session, ctx, made))


@router.patch("/areas/{area_id}")
@door(allow("areas.change"), unchanged=("areas", "area_id", area))
def change_area(session: Session, ctx: Ctx, *, area_id: UUID, body: AreaChange) -> AreaOut:
    """Rename an area or change its postal code; whoever lives there still does."""
    service.change_area(session, ctx, area_id, **body.sent())
    return AreaOut.model_validate(queries.area(session, ctx, area_id))


@router.delete("/areas/{area_id}", status_code=204)
@door(allow("areas.change"), unchanged=("areas", "area_id", area))
def archive_area(session: Session, ctx: Ctx, *, area_id: UUID) -> None:
    """Take an area out of use; refused while customers live there."""
    service.archive_area(session, ctx, area_id)


@router.post("/areas/{area_id}/restore")
@door(allow("areas.change"))
def restore_area(session: Session, ctx: Ctx, *, area_id: UUID) -> AreaOut:
    """Take an archived area into use again."""
    service.restore_area(session, ctx, area_id)
    return AreaOut.model_validate(queries.area(session, ctx, area_id))


@router.get("/areas/{area_id}/drivers")
@door(allow("areas.read"))
def assignments(session: Session, ctx: Ctx, *, area_id: UUID) -> list[AssignmentOut]:
    """List who served, serves and will serve an area."""
    return [AssignmentOut.model_validate(row) for row in queries.assignments(session, ctx, area_id)]


@router.post("/areas/{area_id}/drivers", status_code=201)
@door(allow("areas.change"))
def assign(session: Session, ctx: Ctx, *, area_id: UUID, body: AssignmentIn) -> list[AssignmentOut]:
    """Let a driver serve an area on a shift from today or a later day on; return everybody who serves it."""
    service.assign(session, ctx, area_id, **body.sent())
    return [AssignmentOut.model_validate(row) for row in queries.assignments(session, ctx, area_id)]


@router.delete("/areas/{area_id}/drivers/{entry_id}", status_code=204)
@door(allow("areas.change"))
def unassign(session: Session, ctx: Ctx, *, area_id: UUID, entry_id: UUID) -> None:
    """Take back an entry that has not begun."""
    service.unassign(session, ctx, area_id, entry_id=entry_id)


@router.get("/drivers/{driver_id}/shifts")
@door(allow("routes.read"))
def driver_shifts(session: Session, ctx: Ctx, *, driver_id: UUID) -> DriverShiftsOut:
    """Show which shifts a driver works."""
    if not queries.is_driver(session, ctx, driver_id):
        raise NoSuchDriver(field="driver_id", driver_id=driver_id)
    found = queries.works(session, driver_id)
    return DriverShiftsOut(driver_id=driver_id, shift="both" if len(found) > 1 else next(iter(found)).value)


@router.put("/drivers/{driver_id}/shifts")
@door(allow("routes.change"))
def set_driver_shifts(session: Session, ctx: Ctx, *, driver_id: UUID, body: DriverShiftsIn) -> DriverShiftsOut:
    """Say which shifts a driver works: who does not work on a shift is refused as driver of its rounds and areas."""
    service.set_driver_shifts(session, ctx, driver_id, shifts=body.shifts())
    return DriverShiftsOut(driver_id=driver_id, shift=body.shift)


@router.get("/policies")
@door(allow("businesses.read"))
def policies(session: Session, _ctx: Ctx) -> list[PolicyOut]:
    """List the rules of the house that may be switched."""
    return [PolicyOut.model_validate(row) for row in queries.policies(session)]


@router.get("/policies/{name}")
@door(allow("businesses.read"))
def policy(session: Session, _ctx: Ctx, *, name: PolicyName) -> PolicyOut:
    """Show a rule of the house."""
    return PolicyOut.model_validate(queries.policy(session, name))


@router.put("/policies/{name}")
@door(allow("businesses.change"))
def set_policy(session: Session, ctx: Ctx, *, name: PolicyName, body: PolicyIn) -> PolicyOut:
    """Switch a rule of the house."""
    service.set_known_policy(session, ctx, name, value=body.value)
    return PolicyOut.model_validate(queries.policy(session, name))
