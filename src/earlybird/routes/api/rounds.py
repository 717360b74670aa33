"""`/api/rounds`: who drives what in which order today, and every change a dispatcher or driver makes of it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from earlybird.deliveries.queries import rounds as queries
from earlybird.deliveries.service import rounds as service
from earlybird.deliveries.states import RoundState
from earlybird.identity.access import allow
from earlybird.infra import http
from earlybird.infra.db import Session
from earlybird.infra.http import door
from earlybird.infra.shapes import Cursor, Limit, Paged
from earlybird.kernel.ctx import Ctx
from earlybird.routes.errors import DayNotCut, SiteUnknown
from earlybird.routes.queries import loads
from earlybird.routes.schemas.rounds import (
    CutOut,
    DayIn,
    DriverIn,
    LoadSheetOut,
    OrderedOut,
    OrderIn,
    OtherRoundIn,
    PositionIn,
    RoundOut,
    RoundRow,
    SequenceIn,
    SplitIn,
)
from earlybird.routes.service import cutting, ordering, standing
from earlybird.territory import queries as territory
from earlybird.territory.states import Shift

router = APIRouter(prefix="/api/rounds", tags=["rounds"], responses=http.PROBLEMS)


@router.get("")
@door(allow("rounds.read"))
def page(
    session: Session,
    ctx: Ctx,
    *,
    service_on: Annotated[date | None, Query(description="The day; short for both ends of a range.")] = None,
    first_on: Annotated[date | None, Query(description="The first day.")] = None,
    last_on: Annotated[date | None, Query(description="The last day, included.")] = None,
    shift: Shift | None = None,
    site_id: UUID | None = None,
    driver_id: Annotated[UUID | None, Query(description="Driver or substitute.")] = None,
    state: RoundState | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Paged[RoundRow]:
    """List rounds with how far they are, youngest first: all, or those you drive."""
    return queries.page(  # type: ignore[return-value]  # the door shapes it
        session,
        ctx,
        cursor=cursor,
        limit=limit,
        first_on=service_on or first_on,
        last_on=service_on or last_on,
        shift=shift,
        site_id=site_id,
        driver_id=driver_id,
        state=state,
    )


@router.post("/cut")
@door(allow("rounds.change"))
def cut(session: Session, ctx: Ctx, *, body: DayIn) -> CutOut:
    """Cut a site's day into rounds now; it happens by itself each minute. A second time changes nothing."""
    if body.site_id not in {site["id"] for site in territory.sites(session)}:
        raise SiteUnknown(field="site_id", site_id=body.site_id)
    today = territory.today(session, ctx, body.site_id)
    if not today - timedelta(days=cutting.DAYS_BACK) <= body.service_on <= today + timedelta(days=cutting.DAYS_AHEAD):
        raise DayNotCut(field="service_on", service_on=body.service_on)
    found: Any = cutting.cut(session, ctx, body.site_id, body.service_on)
    return found  # type: ignore[no-any-return]  # the door shapes it


@router.get("/{round_id}")
@door(allow("rounds.read"))
def show(session: Session, ctx: Ctx, *, round_id: UUID) -> RoundOut:
    """Show a round with its stops in the order they are driven."""
    return _shown(session, ctx, round_id)


@router.get("/{round_id}/load")
@door(allow("rounds.read"))
def load(session: Session, ctx: Ctx, *, round_id: UUID) -> LoadSheetOut:
    """Show what a round loads: by product in packets and crates, by stop; empties to come back; what is owed."""
    queries.reached(session, ctx, round_id)
    found: Any = loads.sheet(session, round_id)
    return found  # type: ignore[no-any-return]  # the door shapes it


@router.post("/{round_id}/reassign")
@door(allow("rounds.change"))
def reassign(session: Session, ctx: Ctx, *, round_id: UUID, body: DriverIn) -> RoundOut:
    """Let another driver make this round today, with all that is still to be made; late stops follow."""
    service.reassign(session, ctx, round_id, driver_id=body.driver_id)
    return _shown(session, ctx, round_id)


@router.post("/{round_id}/swap")
@door(allow("rounds.change"))
def swap(session: Session, ctx: Ctx, *, round_id: UUID, body: OtherRoundIn) -> RoundOut:
    """Let the drivers of two rounds of a day change places."""
    service.swap(session, ctx, round_id, other_id=body.other_id)
    return _shown(session, ctx, round_id)


@router.post("/{round_id}/split", status_code=201)
@door(allow("rounds.change"))
def split(session: Session, ctx: Ctx, *, round_id: UUID, body: SplitIn) -> RoundOut:
    """Part a round: some stops, or all from one on, become a round of their own; it is shown."""
    return _shown(session, ctx, service.split(session, ctx, round_id, **body.model_dump()))


@router.post("/{round_id}/merge")
@door(allow("rounds.change"))
def merge(session: Session, ctx: Ctx, *, round_id: UUID, body: OtherRoundIn) -> RoundOut:
    """Take what another round of the shift has still to make into this one, at its end."""
    service.merge(session, ctx, round_id, other_id=body.other_id)
    return _shown(session, ctx, round_id)


@router.post("/{round_id}/substitute")
@door(allow("rounds.change"))
def substitute(session: Session, ctx: Ctx, *, round_id: UUID, body: DriverIn) -> RoundOut:
    """Let somebody drive this round today in its driver's place: they see it and may confirm its stops."""
    service.substitute(session, ctx, round_id, driver_id=body.driver_id)
    return _shown(session, ctx, round_id)


@router.post("/{round_id}/send-out")
@door(allow("rounds.drive"))
def send_out(session: Session, ctx: Ctx, *, round_id: UUID) -> RoundOut:
    """Set out: the round, its stops and orders are out, and the plan leaves them alone."""
    service.send_out(session, ctx, round_id)
    return _shown(session, ctx, round_id)


@router.post("/{round_id}/finish")
@door(allow("rounds.drive"))
def finish(session: Session, ctx: Ctx, *, round_id: UUID) -> RoundOut:
    """Say that the round is back; what nobody told of stays open and may still be told."""
    service.finish(session, ctx, round_id)
    return _shown(session, ctx, round_id)


@router.post("/{round_id}/reopen")
@door(allow("rounds.change"))
def reopen(session: Session, ctx: Ctx, *, round_id: UUID) -> RoundOut:
    """Let a round that is back be out again."""
    service.reopen(session, ctx, round_id)
    return _shown(session, ctx, round_id)


@router.put("/{round_id}/order")
@door(allow("rounds.drive"), unchanged=("rounds", "round_id", show))
def reorder(session: Session, ctx: Ctx, *, round_id: UUID, body: OrderIn) -> RoundOut:
    """Put all stops of a round into this order; locked ones stay where they stand."""
    service.reorder(session, ctx, round_id, delivery_ids=body.delivery_ids)
    if body.remember:
        standing.remember(session, ctx, round_id)
    return _shown(session, ctx, round_id)


@router.post("/{round_id}/sequence")
@door(allow("rounds.change"))
def sequence(session: Session, ctx: Ctx, *, round_id: UUID, body: SequenceIn) -> OrderedOut:
    """Look for a shorter tour: close to the order now, or afresh; made and locked stops are passed by none."""
    found: Any = ordering.order(session, ctx, round_id, is_fresh=body.fresh)
    if body.remember:
        standing.remember(session, ctx, round_id)
    return found  # type: ignore[no-any-return]  # the door shapes it


@router.post("/{round_id}/stops/{delivery_id}/move")
@door(allow("rounds.drive"))
def move_stop(session: Session, ctx: Ctx, *, round_id: UUID, delivery_id: UUID, body: PositionIn) -> RoundOut:
    """Move a stop to a position; the others close up."""
    service.move_stop(session, ctx, round_id, delivery_id, position=body.position)
    return _shown(session, ctx, round_id)


@router.post("/{round_id}/stops/{delivery_id}/lock")
@door(allow("rounds.change"))
def lock_stop(session: Session, ctx: Ctx, *, round_id: UUID, delivery_id: UUID) -> RoundOut:
    """Fasten a stop where it stands: no order that is looked for lets another pass it, and the plan leaves it."""
    service.lock_stop(session, ctx, round_id, delivery_id, is_locked=True)
    return _shown(session, ctx, round_id)


@router.post("/{round_id}/stops/{delivery_id}/unlock")
@door(allow("rounds.change"))
def unlock_stop(session: Session, ctx: Ctx, *, round_id: UUID, delivery_id: UUID) -> RoundOut:
    """Let a locked stop loose."""
    service.lock_stop(session, ctx, round_id, delivery_id, is_locked=False)
    return _shown(session, ctx, round_id)


def _shown(session: Session, ctx: Ctx, round_id: UUID) -> RoundOut:
    found: Any = queries.round_shown(session, ctx, round_id)
    return found  # type: ignore[no-any-return]  # the door shapes it
