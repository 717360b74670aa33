"""Messages to people: their storey lies under those who admit, so its door is up here."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request

from earlybird.customers.service import telling
from earlybird.identity.access import allow
from earlybird.infra import http
from earlybird.infra.db import Session
from earlybird.infra.http import door
from earlybird.infra.shapes import Cursor, Limit, Paged, paged
from earlybird.kernel.ctx import Ctx
from earlybird.notifications import queries
from earlybird.notifications.schemas import MessageOut, ResendIn
from earlybird.notifications.states import MessageKind, MessageState

router = APIRouter(prefix="/api/messages", tags=["messages"], responses=http.PROBLEMS)


@router.get("")
@door(allow("messages.read"))
def page(
    session: Session,
    _ctx: Ctx,
    *,
    state: Annotated[MessageState | None, Query(description="Only in this state.")] = None,
    kind: Annotated[MessageKind | None, Query(description="Only of this kind.")] = None,
    customer_id: Annotated[UUID | None, Query(description="Only to this customer.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Paged[MessageOut]:
    """List messages, newest first: to whom, about what, and what became of them; those that failed with the reason."""
    return paged(queries.page(session, cursor=cursor, limit=limit, state=state, kind=kind, customer_id=customer_id))


@router.post("/{message_id}/resend", status_code=202)
@door(allow("messages.resend"))
def resend(session: Session, ctx: Ctx, *, message_id: UUID, body: ResendIn, request: Request) -> MessageOut:
    """Send a message to a customer again, at once, to where they are reached today. Codes and links never are."""
    keys = request.app.state.keys
    return telling.resend(session, ctx, keys, message_id, reason=body.reason)  # type: ignore[return-value]
