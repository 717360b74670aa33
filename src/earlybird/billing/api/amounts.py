"""Adjustments proposed and decided, charges and what is not asked for."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from earlybird.billing import queries
from earlybird.billing.schemas import AdjustmentIn, AdjustmentOut, Because, ChargeOut, WaiverOut
from earlybird.billing.service import adjustments, charges
from earlybird.billing.states import AdjustmentKind, AdjustmentState
from earlybird.identity.access import allow
from earlybird.infra.db import Session
from earlybird.infra.http import PROBLEMS, door
from earlybird.infra.shapes import Cursor, Limit, Paged, paged
from earlybird.kernel.ctx import Ctx

router = APIRouter(prefix="/api", responses=PROBLEMS)


@router.get("/adjustments", tags=["adjustments"])
@door(allow("billing.list"))
def adjustment_page(
    session: Session,
    ctx: Ctx,
    *,
    cursor: Cursor = None,
    limit: Limit = 50,
    customer_id: Annotated[UUID | None, Query(description="Only this customer's.")] = None,
    kind: Annotated[AdjustmentKind | None, Query(description="Only amounts of this kind.")] = None,
    state: Annotated[AdjustmentState | None, Query(description="Only amounts in this state.")] = None,
) -> Paged[AdjustmentOut]:
    """List amounts that are not delivered lines, the last proposed first."""
    return paged(
        queries.page_adjustments(
            session, ctx, after=cursor, limit=limit, customer_id=customer_id, kind=kind, state=state
        )
    )


@router.post("/adjustments", tags=["adjustments"], status_code=201)
@door(allow("billing.adjust"))
def propose_adjustment(session: Session, ctx: Ctx, *, body: AdjustmentIn) -> AdjustmentOut:
    """Propose a fee, discount, deposit, goodwill or recovery; it goes on a bill once somebody approves it."""
    made = adjustments.propose_adjustment(
        session,
        ctx,
        body.customer_id,
        kind=AdjustmentKind(body.kind),
        amount_minor=body.amount_minor,
        effective_on=body.effective_on,
        reason=body.reason,
        currency=body.currency,
    )
    return AdjustmentOut.model_validate(queries.show_adjustment(session, ctx, made.id))


@router.get("/adjustments/{adjustment_id}", tags=["adjustments"])
@door(allow("billing.list"))
def adjustment(session: Session, ctx: Ctx, *, adjustment_id: UUID) -> AdjustmentOut:
    """Show an amount that is not a delivered line, who decided on it, and the document it stands on."""
    return AdjustmentOut.model_validate(queries.show_adjustment(session, ctx, adjustment_id))


@router.post("/adjustments/{adjustment_id}/approve", tags=["adjustments"])
@door(allow("billing.adjust"), unchanged=("adjustments", "adjustment_id", adjustment))
def approve_adjustment(session: Session, ctx: Ctx, *, adjustment_id: UUID) -> AdjustmentOut:
    """Let a proposed amount go on the customer's next bill; a proposal is decided once."""
    queries.show_adjustment(session, ctx, adjustment_id)
    adjustments.approve_adjustment(session, ctx, adjustment_id)
    return AdjustmentOut.model_validate(queries.show_adjustment(session, ctx, adjustment_id))


@router.post("/adjustments/{adjustment_id}/waive", tags=["adjustments"])
@door(allow("billing.waive"), unchanged=("adjustments", "adjustment_id", adjustment))
def waive_adjustment(session: Session, ctx: Ctx, *, adjustment_id: UUID, body: Because) -> AdjustmentOut:
    """Decide that a proposed amount is never asked for; a proposal is decided once."""
    queries.show_adjustment(session, ctx, adjustment_id)
    adjustments.waive_adjustment(session, ctx, adjustment_id, reason=body.reason)
    return AdjustmentOut.model_validate(queries.show_adjustment(session, ctx, adjustment_id))


@router.get("/charges", tags=["charges"])
@door(allow("billing.list"))
def charge_page(
    session: Session,
    ctx: Ctx,
    *,
    cursor: Cursor = None,
    limit: Limit = 50,
    customer_id: Annotated[UUID | None, Query(description="Only this customer's.")] = None,
    unbilled: Annotated[bool, Query(description="Only what waits for a document, by customer and day.")] = False,
) -> Paged[ChargeOut]:
    """List charges, the last made first, with the document each stands on."""
    look = queries.page_unbilled if unbilled else queries.page_charges
    return paged(look(session, ctx, after=cursor, limit=limit, customer_id=customer_id))


@router.post("/charges/{charge_id}/waive", tags=["charges"], status_code=201)
@door(allow("billing.waive"))
def waive_charge(session: Session, ctx: Ctx, *, charge_id: UUID, body: Because) -> WaiverOut:
    """Decide not to ask for a charge that is on no document yet; who decided is kept with the reason."""
    return WaiverOut.model_validate(
        charges.waive_charge(session, ctx, charge_id, reason=body.reason), from_attributes=True
    )
