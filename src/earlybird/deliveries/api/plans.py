"""`/api/plans`: a site's day becomes orders, lines and stops."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from earlybird.deliveries.errors import PlanTooFar
from earlybird.deliveries.queries import shown
from earlybird.deliveries.schemas.asked import PlanIn
from earlybird.deliveries.schemas.shown import PlanOut, PlanRunOut
from earlybird.deliveries.service import planning
from earlybird.identity.access import allow
from earlybird.infra import http
from earlybird.infra.db import Session
from earlybird.infra.http import door
from earlybird.infra.shapes import Cursor, Limit, Paged
from earlybird.kernel.ctx import Ctx

A_YEAR = timedelta(days=366)

router = APIRouter(prefix="/api/plans", tags=["plans"], responses=http.PROBLEMS)


@router.get("")
@door(allow("orders.plan"))
def page(
    session: Session,
    _ctx: Ctx,
    *,
    site_id: UUID | None = None,
    first_on: Annotated[date | None, Query(description="The first service date.")] = None,
    last_on: Annotated[date | None, Query(description="The last service date, included.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Paged[PlanRunOut]:
    """List the days that were planned, newest first."""
    return shown.plan_runs(  # type: ignore[return-value]  # the door shapes it
        session, cursor=cursor, limit=limit, site_id=site_id, first_on=first_on, last_on=last_on
    )


@router.post("")
@door(allow("orders.plan"))
def plan(session: Session, ctx: Ctx, *, body: PlanIn) -> PlanOut:
    """Plan a site's day: what is missing is added, what changed is adjusted, nothing is planned twice."""
    if abs(body.service_on - ctx.now.date()) > A_YEAR:
        raise PlanTooFar(field="service_on", service_on=body.service_on)
    found: Any = planning.plan_day(session, ctx, body.site_id, body.service_on)
    return found  # type: ignore[no-any-return]  # the door shapes it
