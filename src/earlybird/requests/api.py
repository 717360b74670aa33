"""`/api/requests`: asked for by customers, drivers and links, decided by the office."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from earlybird.deliveries.access import allow_with_link
from earlybird.deliveries.rules import short_name
from earlybird.deliveries.states import LinkAction
from earlybird.identity.access import allow
from earlybird.identity.rules import reach
from earlybird.infra import http
from earlybird.infra.db import Session
from earlybird.infra.http import door
from earlybird.infra.shapes import Cursor, Day, Limit, Paged, paged
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.pages import Page
from earlybird.requests import queries, service
from earlybird.requests.schemas import Approve, Reject, RequestDetail, RequestIn, RequestOut
from earlybird.requests.states import Kind, RequestState

router = APIRouter(prefix="/api/requests", tags=["requests"], responses=http.PROBLEMS)


@router.get("")
@door(allow_with_link("requests.read", LinkAction.ask))
def page(
    session: Session,
    ctx: Ctx,
    *,
    state: RequestState | None = None,
    kind: Kind | None = None,
    customer_id: UUID | None = None,
    site_id: UUID | None = None,
    first_on: Annotated[Day | None, Query(description="The first day asked for.")] = None,
    last_on: Annotated[Day | None, Query(description="The last day asked for.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Paged[RequestOut]:
    """List requests, newest first: all, those about a customer of yours, those you asked for."""
    found = queries.page(
        session,
        ctx,
        cursor=cursor,
        limit=limit,
        state=state,
        kind=kind,
        customer_id=customer_id,
        site_id=site_id,
        first_on=first_on,
        last_on=last_on,
    )
    return paged(Page([_seen(ctx, row) for row in found.items], found.next))


@router.get("/{request_id}")
@door(allow_with_link("requests.read", LinkAction.ask))
def show(session: Session, ctx: Ctx, *, request_id: UUID) -> RequestDetail:
    """Show a request with everything that happened to it."""
    return _shown(session, ctx, request_id)


UNCHANGED = ("requests", "request_id", show)


@router.post("", status_code=201)
@door(allow_with_link("requests.ask", LinkAction.ask))
def ask(session: Session, ctx: Ctx, *, body: RequestIn) -> RequestDetail:
    """Ask for a pause, a stop, an extra product or another quantity, shift or driver; somebody else decides."""
    facts = body.sent()
    mine = reach(ctx)["my_customers"]
    if facts.get("customer_id") is None and facts.get("delivery_id") is None and len(mine) == 1:
        facts["customer_id"] = UUID(mine[0])
    return _shown(session, ctx, service.ask(session, ctx, **facts))


@router.post("/{request_id}/approve")
@door(allow("requests.decide"), unchanged=UNCHANGED)
def approve(session: Session, ctx: Ctx, *, request_id: UUID, body: Approve) -> RequestDetail:
    """Do what was asked for; the day is planned again. After the cut-off only with a reason."""
    service.approve(session, ctx, request_id, reason=body.reason, late=body.late)
    return _shown(session, ctx, request_id)


@router.post("/{request_id}/reject")
@door(allow("requests.decide"), unchanged=UNCHANGED)
def reject(session: Session, ctx: Ctx, *, request_id: UUID, body: Reject) -> RequestDetail:
    """Say no, and why."""
    service.reject(session, ctx, request_id, reason=body.reason)
    return _shown(session, ctx, request_id)


@router.post("/{request_id}/withdraw")
@door(allow_with_link("requests.withdraw", LinkAction.ask), unchanged=UNCHANGED)
def withdraw(session: Session, ctx: Ctx, *, request_id: UUID) -> RequestDetail:
    """Take back what you asked for, or what was asked for you, while it waits."""
    service.withdraw(session, ctx, request_id)
    return _shown(session, ctx, request_id)


def _shown(session: Session, ctx: Ctx, request_id: UUID) -> RequestDetail:
    return RequestDetail.model_validate(_seen(ctx, queries.show(session, ctx, request_id)))


def _seen(ctx: Ctx, row: dict[str, Any]) -> dict[str, Any]:
    """Return a request as the caller may see it."""
    return row | {"customer_name": short_name(row["customer_name"])} if ctx.actor.kind == "link" else row
