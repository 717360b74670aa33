"""The paths under which the old apps mark a delivery: the same door, by other names."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request

from earlybird.deliveries.access import slow_down
from earlybird.deliveries.schemas import Answer, Verdict
from earlybird.deliveries.schemas.legacy import MarkDelivered, Marked
from earlybird.deliveries.schemas.links import Token
from earlybird.deliveries.service import links, telling
from earlybird.deliveries.states import LinkAction
from earlybird.identity.access import allow
from earlybird.identity.entrance import keys_of
from earlybird.infra import http
from earlybird.infra.db import Session
from earlybird.infra.http import door
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.errors import Failure

router = APIRouter(prefix="/api/delivery-boy", tags=["legacy paths"], responses=http.PROBLEMS, deprecated=True)
by_link = APIRouter(prefix="/api/shared-delivery-link", tags=["legacy paths"], responses=http.PROBLEMS, deprecated=True)

InPath = Annotated[Token, Path(description="The token of the link.")]


@router.post("/mark-delivered")
@door(allow("deliveries.confirm"))
def mark_delivered(session: Session, ctx: Ctx, *, body: MarkDelivered) -> Marked | Failure:
    """Mark an order of your round as delivered, in full or in part, or as not delivered. Use `/api/sync` instead."""
    return answer(telling.mark_delivered(session, ctx, body))


@by_link.post("/{link_id}/mark-delivered")
@door(http.PUBLIC)
def mark_delivered_by_link(
    session: Session, ctx: Ctx, *, link_id: InPath, body: MarkDelivered, request: Request
) -> Marked | Failure:
    """Mark an order of a shared link's stops; the link's token stands in the path. Open the link instead.

    Each network address and device counts as one use. A link with a PIN does not open here.
    """
    helper = links.enter(session, ctx, keys_of(request), token=link_id, wanted=LinkAction.confirm)
    slow_down(request, helper.actor.id)
    return answer(telling.mark_delivered(session, helper, body))


def answer(verdict: Verdict) -> Marked | Failure:
    """Return what the old apps are answered, or what refused it: returned, not raised, so that the refusal is kept."""
    if verdict.answer == Answer.rejected and verdict.failure is not None:
        return verdict.failure
    words = (verdict.outcome or "").replace("_", " ")
    return Marked.model_validate(
        {
            "success": True,
            "message": f"Delivery marked as {words}.",
            "order_id": verdict.order_id,
            "delivery_id": verdict.delivery_id,
            "status": verdict.outcome,
            "answer": verdict.answer,
        }
    )
