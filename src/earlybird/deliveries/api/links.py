"""`/api/links` for the office, `/api/link` for whoever holds one: opening writes, looking never does."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Request

from earlybird.deliveries.access import allow_with_link
from earlybird.deliveries.errors import LinkClosed
from earlybird.deliveries.queries import links as queries
from earlybird.deliveries.schemas.links import (
    LinkDetail,
    LinkIn,
    LinkOut,
    LinkRound,
    MadeLink,
    OpenedLink,
    OpenLink,
    RevokeLink,
)
from earlybird.deliveries.service import links as service
from earlybird.deliveries.states import LinkAction, LinkState
from earlybird.identity.access import allow
from earlybird.identity.entrance import keys_of, site_of
from earlybird.infra import http
from earlybird.infra.db import Session
from earlybird.infra.http import door
from earlybird.infra.shapes import Cursor, Limit, Paged, paged
from earlybird.kernel.ctx import Ctx

router = APIRouter(tags=["links"], responses=http.PROBLEMS)


@router.get("/api/links")
@door(allow("links.read"))
def page(
    session: Session,
    ctx: Ctx,
    *,
    site_id: UUID | None = None,
    round_id: UUID | None = None,
    order_id: UUID | None = None,
    state: LinkState | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Paged[LinkOut]:
    """List shared links, newest first."""
    return paged(
        queries.page(
            session,
            ctx,
            cursor=cursor,
            limit=limit,
            site_id=site_id,
            round_id=round_id,
            order_id=order_id,
            state=state,
        )
    )


@router.post("/api/links", status_code=201)
@door(allow("links.change"), secret=True)
def create(session: Session, ctx: Ctx, *, body: LinkIn, request: Request) -> MadeLink:
    """Open a round, or an order, to a helper who has no login; the address is shown once."""
    return _made(request, service.create(session, ctx, keys_of(request), **body.sent()))


@router.get("/api/links/{link_id}")
@door(allow("links.read"))
def show(session: Session, ctx: Ctx, *, link_id: UUID) -> LinkDetail:
    """Show a link with the devices that opened it."""
    return LinkDetail.model_validate(queries.show(session, ctx, link_id))


@router.post("/api/links/{link_id}/revoke")
@door(allow("links.change"))
def revoke(session: Session, ctx: Ctx, *, link_id: UUID, body: RevokeLink) -> LinkDetail:
    """End a link at once, also where it is open."""
    service.revoke(session, ctx, link_id, reason=body.reason)
    return LinkDetail.model_validate(queries.show(session, ctx, link_id))


@router.post("/api/links/{link_id}/renew", status_code=201)
@door(allow("links.change"), secret=True)
def renew(session: Session, ctx: Ctx, *, link_id: UUID, request: Request) -> MadeLink:
    """Make the link of the same assignment's next day, with a token of its own."""
    return _made(request, service.renew(session, ctx, link_id))


@router.post("/api/link/open")
@door(http.PUBLIC, secret=True)
def open_link(session: Session, ctx: Ctx, *, body: OpenLink, request: Request) -> OpenedLink | LinkClosed:
    """Open a shared link for half an hour; a link or PIN that does not open is refused in one voice."""
    keys = keys_of(request)
    opened = service.open_link(session, ctx, keys, token=body.token, pin=body.pin, device_key=body.device_key)
    if isinstance(opened, LinkClosed):
        return opened
    return OpenedLink(
        access_token=opened.access_token, access_ends_at=opened.access_ends_at, device_key=opened.device_key
    )


@router.get("/api/link/round")
@door(allow_with_link("link.see", LinkAction.see))
def look(session: Session, ctx: Ctx) -> LinkRound:
    """Show the stops that the opened link is for, in their order."""
    return LinkRound.model_validate(queries.shown(session, ctx))


def _made(request: Request, made: service.Made) -> MadeLink:
    return MadeLink(id=made.id, url=f"{site_of(request)}/l/{made.token}", token=made.token, expires_at=made.expires_at)
