"""`/api/deliveries`: what is to be brought where, by whom, and what is told of it at the door."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from earlybird.deliveries.access import allow_with_link
from earlybird.deliveries.errors import DayNotPlannable
from earlybird.deliveries.queries import shown
from earlybird.deliveries.schemas import Answer, Verdict, read
from earlybird.deliveries.schemas.asked import Batch, Confirm, Correct, NextAttempt, as_texts
from earlybird.deliveries.schemas.shown import DeliveryOut, DeliveryRow, VerdictOut, Verdicts
from earlybird.deliveries.service import attempts, telling
from earlybird.deliveries.states import DeliveryState, EventKind, LinkAction
from earlybird.identity.access import allow
from earlybird.infra import http
from earlybird.infra.db import Session
from earlybird.infra.http import door
from earlybird.infra.shapes import Cursor, Limit, Paged
from earlybird.kernel.clock import business_day
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.errors import Failure
from earlybird.territory.states import Shift

DAYS_AHEAD = 31

router = APIRouter(prefix="/api/deliveries", tags=["deliveries"], responses=http.PROBLEMS)


@router.get("")
@door(allow("deliveries.list"))
def page(
    session: Session,
    ctx: Ctx,
    *,
    planned_on: Annotated[date | None, Query(description="The day; short for both ends of a range.")] = None,
    first_on: Annotated[date | None, Query(description="The first day.")] = None,
    last_on: Annotated[date | None, Query(description="The last day, included.")] = None,
    shift: Shift | None = None,
    driver_id: UUID | None = None,
    customer_id: UUID | None = None,
    site_id: UUID | None = None,
    state: DeliveryState | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Paged[DeliveryRow]:
    """List deliveries with what they hold, latest first: all, those of your round, those of your site."""
    return shown.page(  # type: ignore[return-value]  # the door shapes it
        session,
        ctx,
        cursor=cursor,
        limit=limit,
        first_on=planned_on or first_on,
        last_on=planned_on or last_on,
        shift=shift,
        driver_id=driver_id,
        customer_id=customer_id,
        site_id=site_id,
        state=state,
    )


@router.post("/confirmations")
@door(allow("deliveries.confirm"))
def confirm_many(session: Session, ctx: Ctx, *, body: Batch) -> Verdicts:
    """Take up to 500 confirmations, corrections and returns: each stands or falls alone, refused ones are kept."""
    bodies = as_texts(body.confirmations)
    found: Any = {"verdicts": telling.tell_many(session, ctx, [read(text) for text in bodies], bodies=bodies)}
    return found  # type: ignore[no-any-return]  # the door shapes it


@router.get("/{delivery_id}")
@door(allow("deliveries.read"))
def show(session: Session, ctx: Ctx, *, delivery_id: UUID) -> DeliveryOut:
    """Show a delivery with its lines and all that was told about it."""
    return _shown(session, ctx, delivery_id)


def confirm_together(session: Session, asked: Sequence[http.Asked]) -> list[VerdictOut | Failure | http.Refused]:
    """Take the confirmations that wait at this moment, each as `confirm` takes it."""
    tellings = [telling.Telling(one.ctx, one.facts["delivery_id"], _words(one.facts["body"])) for one in asked]
    found = telling.tell_together(session, tellings, is_tried=True)
    return [http.Refused(one) if isinstance(one, Failure) else _answer(one) for one in found]


@router.post("/{delivery_id}/confirm")
@door(allow_with_link("deliveries.confirm", LinkAction.confirm), together=confirm_together)
def confirm(session: Session, ctx: Ctx, *, delivery_id: UUID, body: Confirm) -> VerdictOut | Failure:
    """Confirm a delivery, or tell what came back; the order moves with it. Repeating a client_id is harmless."""
    return _answer(telling.tell(session, ctx, delivery_id, words=_words(body)))


def _words(body: Confirm) -> dict[str, Any]:
    return {**body.model_dump(exclude_unset=True), "kind": body.kind}


@router.post("/{delivery_id}/correct")
@door(allow("deliveries.correct"))
def correct(session: Session, ctx: Ctx, *, delivery_id: UUID, body: Correct) -> VerdictOut | Failure:
    """Put a delivery right, with a reason, also long after its day; what was charged follows by itself."""
    words = {**body.model_dump(exclude_unset=True), "kind": EventKind.correct}
    return _answer(telling.tell(session, ctx, delivery_id, words=words))


@router.post("/{delivery_id}/next-attempt", status_code=201)
@door(allow("deliveries.plan"))
def next_attempt(session: Session, ctx: Ctx, *, delivery_id: UUID, body: NextAttempt) -> DeliveryOut:
    """Plan another attempt for an order that was not delivered, today or within a month."""
    found = shown.order_of(session, ctx, delivery_id)
    today = business_day(ctx.now, found["zone"])
    if not today <= body.planned_on <= today + timedelta(days=DAYS_AHEAD):
        raise DayNotPlannable(field="planned_on", planned_on=body.planned_on)
    planned = attempts.plan_next(
        session,
        ctx,
        found["order_id"],
        on=body.planned_on,
        shift=body.shift or found["shift"],
        driver_id=body.driver_id,
    )
    return _shown(session, ctx, planned)


def _shown(session: Session, ctx: Ctx, delivery_id: UUID) -> DeliveryOut:
    found: Any = shown.delivery(session, ctx, delivery_id)
    return found  # type: ignore[no-any-return]  # the door shapes it


def _answer(verdict: Verdict) -> VerdictOut | Failure:
    """Return the verdict, or what refused it: returned, not raised, so that the refusal is kept."""
    if verdict.answer == Answer.rejected and verdict.failure is not None:
        return verdict.failure
    found: Any = verdict
    return found  # type: ignore[no-any-return]  # the door shapes it
