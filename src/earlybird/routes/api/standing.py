"""`/api/standing-rounds` and windows of doors: what is driven day after day, in the order that is remembered."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from earlybird.identity.access import allow
from earlybird.infra import http
from earlybird.infra.db import Session
from earlybird.infra.http import door
from earlybird.infra.shapes import Cursor, Limit, Paged
from earlybird.kernel.ctx import Ctx
from earlybird.routes.queries import standing as queries
from earlybird.routes.schemas.standing import (
    DoorsIn,
    StandingRoundChange,
    StandingRoundIn,
    StandingRoundOut,
    StandingRoundRow,
    WindowIn,
    WindowOut,
)
from earlybird.routes.service import standing as service
from earlybird.territory.states import Shift

router = APIRouter(prefix="/api", tags=["standing rounds"], responses=http.PROBLEMS)


@router.get("/standing-rounds")
@door(allow("routes.read"))
def page(
    session: Session,
    _ctx: Ctx,
    *,
    site_id: UUID | None = None,
    shift: Shift | None = None,
    driver_id: UUID | None = None,
    archived: Annotated[bool, Query(description="Only what is out of use, instead of what is in use.")] = False,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Paged[StandingRoundRow]:
    """List the standing rounds, youngest first."""
    return queries.page(  # type: ignore[return-value]  # the door shapes it
        session, cursor=cursor, limit=limit, site_id=site_id, shift=shift, driver_id=driver_id, is_archived=archived
    )


@router.get("/standing-rounds/{standing_round_id}")
@door(allow("routes.read"))
def show(session: Session, _ctx: Ctx, *, standing_round_id: UUID) -> StandingRoundOut:
    """Show a standing round with its doors in the order that is remembered."""
    return _shown(session, standing_round_id)


@router.post("/standing-rounds", status_code=201)
@door(allow("routes.change"))
def open_round(session: Session, ctx: Ctx, *, body: StandingRoundIn) -> StandingRoundOut:
    """Let a driver have a round on a shift; it comes by itself with the first stop the plan gives them."""
    return _shown(session, service.open_round(session, ctx, **body.sent()))


@router.patch("/standing-rounds/{standing_round_id}")
@door(allow("routes.change"), unchanged=("standing_rounds", "standing_round_id", show))
def change(session: Session, ctx: Ctx, *, standing_round_id: UUID, body: StandingRoundChange) -> StandingRoundOut:
    """Change name, driver, capacity or minutes a door takes; rounds that are cut stay as they are."""
    service.change_round(session, ctx, standing_round_id, **body.sent())
    return _shown(session, standing_round_id)


@router.delete("/standing-rounds/{standing_round_id}", status_code=204)
@door(allow("routes.change"), unchanged=("standing_rounds", "standing_round_id", show))
def archive(session: Session, ctx: Ctx, *, standing_round_id: UUID) -> None:
    """Give up a standing round and what it remembers."""
    service.archive_round(session, ctx, standing_round_id)


@router.put("/standing-rounds/{standing_round_id}/doors")
@door(allow("routes.change"), unchanged=("standing_rounds", "standing_round_id", show))
def set_order(session: Session, ctx: Ctx, *, standing_round_id: UUID, body: DoorsIn) -> StandingRoundOut:
    """Remember these doors in this order, and no others; rounds that are cut stay as they are."""
    doors = [(each.customer_id, each.address_id) for each in body.doors]
    service.set_order(session, ctx, standing_round_id, doors=doors)
    return _shown(session, standing_round_id)


@router.get("/customers/{customer_id}/windows")
@door(allow("routes.read"))
def windows(session: Session, _ctx: Ctx, *, customer_id: UUID) -> list[WindowOut]:
    """List when the doors of a customer may be rung."""
    return [WindowOut.model_validate(row) for row in queries.windows(session, customer_id)]


@router.put("/customers/{customer_id}/windows")
@door(allow("routes.change"))
def set_window(session: Session, ctx: Ctx, *, customer_id: UUID, body: WindowIn) -> list[WindowOut]:
    """Say when a door may be rung; the next order that is looked for keeps to it."""
    service.set_window(session, ctx, customer_id, **body.model_dump())
    return [WindowOut.model_validate(row) for row in queries.windows(session, customer_id)]


def _shown(session: Session, standing_round_id: UUID) -> StandingRoundOut:
    found: Any = queries.standing_round(session, standing_round_id)
    return found  # type: ignore[no-any-return]  # the door shapes it
