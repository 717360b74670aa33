"""Standing orders and their calendar over HTTP."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from earlybird.identity.access import allow
from earlybird.infra.db import Session
from earlybird.infra.http import PROBLEMS, door
from earlybird.infra.shapes import Cursor, Day, Limit, Paged, paged
from earlybird.kernel.ctx import Ctx
from earlybird.subscriptions import queries, service
from earlybird.subscriptions.schemas import (
    AgreedPrice,
    CalendarOut,
    OverrideIn,
    PauseIn,
    ReactivateIn,
    ResumeIn,
    StopIn,
    SubscriptionChange,
    SubscriptionDetail,
    SubscriptionIn,
    SubscriptionOut,
)
from earlybird.subscriptions.states import SubscriptionState

router = APIRouter(prefix="/api", tags=["subscriptions"], responses=PROBLEMS)

First = Annotated[Day | None, Query(alias="from", description="The first day; today where not given.")]
Last = Annotated[Day | None, Query(alias="to", description="The last day, at most 92 days in all; 28 where not given.")]


@router.get("/subscriptions")
@door(allow("subscriptions.read"))
def subscriptions(
    session: Session,
    ctx: Ctx,
    *,
    customer_id: Annotated[UUID | None, Query(description="Only of this customer.")] = None,
    product_id: Annotated[UUID | None, Query(description="Only those that want this product today.")] = None,
    area_id: Annotated[UUID | None, Query(description="Only of customers in this area.")] = None,
    state: Annotated[SubscriptionState | None, Query(description="Only in this state.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Paged[SubscriptionOut]:
    """List standing orders; a customer sees their own."""
    return paged(
        queries.page(
            session,
            ctx,
            customer_id=customer_id,
            product_id=product_id,
            area_id=area_id,
            state=state,
            cursor=cursor,
            limit=limit,
        )
    )


@router.get("/subscriptions/{subscription_id}")
@door(allow("subscriptions.read"))
def subscription(session: Session, ctx: Ctx, *, subscription_id: UUID) -> SubscriptionDetail:
    """Show a standing order with its versions, pauses, and what was said about single dates."""
    return SubscriptionDetail.model_validate(queries.show(session, ctx, subscription_id))


UNCHANGED = ("subscriptions", "subscription_id", subscription)


@router.post("/subscriptions", status_code=201)
@door(allow("subscriptions.change"))
def create(session: Session, ctx: Ctx, *, body: SubscriptionIn) -> SubscriptionDetail:
    """Take a standing order from a day on whose cut-off has not passed."""
    made = service.create(session, ctx, **body.sent())
    return SubscriptionDetail.model_validate(queries.show(session, ctx, made.id))


@router.patch("/subscriptions/{subscription_id}")
@door(allow("subscriptions.change"), unchanged=UNCHANGED)
def change(session: Session, ctx: Ctx, *, subscription_id: UUID, body: SubscriptionChange) -> SubscriptionDetail:
    """Want something else from a day on; the days before stay as they were."""
    service.change(session, ctx, subscription_id, **body.sent())
    return SubscriptionDetail.model_validate(queries.show(session, ctx, subscription_id))


@router.put("/subscriptions/{subscription_id}/agreed-price")
@door(allow("prices.change"), unchanged=UNCHANGED)
def agree_price(session: Session, ctx: Ctx, *, subscription_id: UUID, body: AgreedPrice) -> SubscriptionDetail:
    """Agree a unit price for one standing order from a day on, or go back to the list price."""
    service.change(session, ctx, subscription_id, **body.sent())
    return SubscriptionDetail.model_validate(queries.show(session, ctx, subscription_id))


@router.post("/subscriptions/{subscription_id}/pause")
@door(allow("subscriptions.change"), unchanged=UNCHANGED)
def pause(session: Session, ctx: Ctx, *, subscription_id: UUID, body: PauseIn) -> SubscriptionDetail:
    """Deliver nothing for some days, or until resumed."""
    service.pause(session, ctx, subscription_id, **body.sent())
    return SubscriptionDetail.model_validate(queries.show(session, ctx, subscription_id))


@router.post("/subscriptions/{subscription_id}/resume")
@door(allow("subscriptions.change"), unchanged=UNCHANGED)
def resume(session: Session, ctx: Ctx, *, subscription_id: UUID, body: ResumeIn) -> SubscriptionDetail:
    """Deliver again: a pause running then ends the day before, later ones are cancelled."""
    service.resume(session, ctx, subscription_id, **body.sent())
    return SubscriptionDetail.model_validate(queries.show(session, ctx, subscription_id))


@router.put("/subscriptions/{subscription_id}/overrides/{service_on}")
@door(allow("subscriptions.change"), unchanged=UNCHANGED)
def override(
    session: Session, ctx: Ctx, *, subscription_id: UUID, service_on: Day, body: OverrideIn
) -> SubscriptionDetail:
    """Say for one date how much (0 is none) and in which shift; the last word counts."""
    service.override(session, ctx, subscription_id, service_on=service_on, **body.sent())
    return SubscriptionDetail.model_validate(queries.show(session, ctx, subscription_id))


@router.delete("/subscriptions/{subscription_id}/overrides/{service_on}", status_code=204)
@door(allow("subscriptions.change"), unchanged=UNCHANGED)
def withdraw_override(session: Session, ctx: Ctx, *, subscription_id: UUID, service_on: Day) -> None:
    """Take back what was said about one date: it is as usual again."""
    service.withdraw_override(session, ctx, subscription_id, service_on=service_on)


@router.post("/subscriptions/{subscription_id}/stop")
@door(allow("subscriptions.change"), unchanged=UNCHANGED)
def stop(session: Session, ctx: Ctx, *, subscription_id: UUID, body: StopIn) -> SubscriptionDetail:
    """End a standing order; the days before keep theirs."""
    service.stop(session, ctx, subscription_id, **body.sent())
    return SubscriptionDetail.model_validate(queries.show(session, ctx, subscription_id))


@router.post("/subscriptions/{subscription_id}/reactivate")
@door(allow("subscriptions.change"), unchanged=UNCHANGED)
def reactivate(session: Session, ctx: Ctx, *, subscription_id: UUID, body: ReactivateIn) -> SubscriptionDetail:
    """Deliver again what was stopped; the days between stay without."""
    service.reactivate(session, ctx, subscription_id, on=body.on)
    return SubscriptionDetail.model_validate(queries.show(session, ctx, subscription_id))


@router.get("/subscriptions/{subscription_id}/calendar")
@door(allow("subscriptions.read"))
def calendar(
    session: Session, ctx: Ctx, *, subscription_id: UUID, first: First = None, last: Last = None
) -> CalendarOut:
    """Show what of a standing order is due when and why: also the days on which nothing is."""
    found = queries.calendar(session, ctx, subscription_id=subscription_id, first=first, last=last)
    return CalendarOut.model_validate(found)


@router.get("/customers/{customer_id}/calendar")
@door(allow("subscriptions.read"))
def calendar_of_customer(
    session: Session, ctx: Ctx, *, customer_id: UUID, first: First = None, last: Last = None
) -> CalendarOut:
    """Show what a customer is due when and why, of all standing orders that run between two days."""
    found = queries.calendar(session, ctx, customer_id=customer_id, first=first, last=last)
    return CalendarOut.model_validate(found)
