"""Webhook endpoints over HTTP: made, changed, rotated, tried, replayed."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request

from earlybird.identity.access import allow
from earlybird.infra.db import Session
from earlybird.infra.http import PROBLEMS, door
from earlybird.infra.shapes import Cursor, Limit, Paged
from earlybird.kernel.ctx import Ctx
from earlybird.webhooks import queries, service
from earlybird.webhooks.schemas import (
    AttemptOut,
    EndpointChange,
    EndpointIn,
    EndpointMade,
    EndpointOut,
    EventSent,
    Replayed,
    ReplayIn,
    Secret,
)

router = APIRouter(prefix="/api/webhooks", tags=["webhooks"], responses=PROBLEMS)


@router.get("")
@door(allow("webhooks.read"))
def page(session: Session, _ctx: Ctx, *, cursor: Cursor = None, limit: Limit = 50) -> Paged[EndpointOut]:
    """List the endpoints, newest first."""
    return queries.page(session, cursor=cursor, limit=limit)  # type: ignore[return-value]


@router.get("/{endpoint_id}")
@door(allow("webhooks.read"))
def show(session: Session, _ctx: Ctx, *, endpoint_id: UUID) -> EndpointOut:
    """Show one endpoint, without its secret."""
    return queries.show(session, endpoint_id)  # type: ignore[return-value]


@router.get("/{endpoint_id}/attempts")
@door(allow("webhooks.read"))
def attempts(
    session: Session, _ctx: Ctx, *, endpoint_id: UUID, cursor: Cursor = None, limit: Limit = 50
) -> Paged[AttemptOut]:
    """List the tries to tell an endpoint, newest first; kept for 30 days."""
    queries.show(session, endpoint_id)
    return queries.attempts(session, endpoint_id, cursor=cursor, limit=limit)  # type: ignore[return-value]


@router.post("", status_code=201)
@door(allow("webhooks.change"), secret=True)
def create(session: Session, ctx: Ctx, *, body: EndpointIn, request: Request) -> EndpointMade:
    """Tell a URL of what happens from now on. The answer shows the signing secret, once."""
    made, secret = service.subscribe(
        session,
        ctx,
        request.app.state.keys,
        url=body.url,
        events=body.events,
        description=body.description,
        private=request.app.state.settings.webhooks_private,
    )
    shown: dict[str, Any] = queries.show(session, made) | {"secret": secret}
    return shown  # type: ignore[return-value]


@router.patch("/{endpoint_id}")
@door(allow("webhooks.change"), unchanged=("webhook_endpoints", "endpoint_id", show))
def change(session: Session, ctx: Ctx, *, endpoint_id: UUID, body: EndpointChange, request: Request) -> EndpointOut:
    """Change an endpoint's URL, events, description or state. A disabled one gives up what waited for it."""
    service.change(
        session,
        ctx,
        endpoint_id,
        url=body.url,
        events=body.events,
        description=body.description,
        state=body.state,
        private=request.app.state.settings.webhooks_private,
    )
    return queries.show(session, endpoint_id)  # type: ignore[return-value]


@router.delete("/{endpoint_id}", status_code=204)
@door(allow("webhooks.change"), unchanged=("webhook_endpoints", "endpoint_id", show))
def delete(session: Session, ctx: Ctx, *, endpoint_id: UUID) -> None:
    """Never tell this endpoint anything again."""
    service.unsubscribe(session, ctx, endpoint_id)


@router.post("/{endpoint_id}/rotate")
@door(allow("webhooks.change"), secret=True)
def rotate(session: Session, ctx: Ctx, *, endpoint_id: UUID, request: Request) -> Secret:
    """Make a new signing secret and show it, once; the one before signs too for 24 hours."""
    return Secret(secret=service.rotate(session, ctx, request.app.state.keys, endpoint_id))


@router.post("/{endpoint_id}/test", status_code=202)
@door(allow("webhooks.change"))
def test(session: Session, ctx: Ctx, *, endpoint_id: UUID) -> EventSent:
    """Send the endpoint a `webhook.test` event; see the tries for what came of it."""
    return EventSent(event_id=service.test(session, ctx, endpoint_id))


@router.post("/{endpoint_id}/replay", status_code=202)
@door(allow("webhooks.change"))
def replay(session: Session, ctx: Ctx, *, endpoint_id: UUID, body: ReplayIn) -> Replayed:
    """Send events of the last 30 days to the endpoint again, under their old ids."""
    count = service.replay(session, ctx, endpoint_id=endpoint_id, since=body.since, event_id=body.event_id)
    return Replayed(events=count)
