"""The path under which the old driver's app marks a delivery: the same door, by another name."""

from __future__ import annotations

from fastapi import APIRouter

from earlybird.deliveries.schemas import Answer, Verdict
from earlybird.deliveries.schemas.legacy import MarkDelivered, Marked
from earlybird.deliveries.service import telling
from earlybird.identity.access import allow
from earlybird.infra import http
from earlybird.infra.db import Session
from earlybird.infra.http import door
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.errors import Failure

router = APIRouter(prefix="/api/delivery-boy", tags=["legacy paths"], responses=http.PROBLEMS, deprecated=True)


@router.post("/mark-delivered")
@door(allow("deliveries.confirm"))
def mark_delivered(session: Session, ctx: Ctx, *, body: MarkDelivered) -> Marked | Failure:
    """Mark an order of your round as delivered, in full or in part, or as not delivered. Use `/api/sync` instead."""
    return answer(telling.mark_delivered(session, ctx, body))


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
