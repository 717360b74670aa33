"""The work list: what nobody but a person can decide."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from earlybird.identity.access import allow
from earlybird.infra.db import Session
from earlybird.infra.http import PROBLEMS, door
from earlybird.infra.shapes import Cursor, Limit, Paged, paged
from earlybird.kernel.ctx import Ctx
from earlybird.worklist import queries, service
from earlybird.worklist.schemas import CountsOut, EvidenceOut, ItemOut, ResolveIn, UndoIn
from earlybird.worklist.states import Decided, Kind

router = APIRouter(prefix="/api/worklist", tags=["worklist"], responses=PROBLEMS)


@router.get("")
@door(allow("worklist.read"))
def worklist(
    session: Session,
    _ctx: Ctx,
    *,
    cursor: Cursor = None,
    limit: Limit = 50,
    kind: Annotated[Kind | None, Query(description="Only of this kind.")] = None,
    customer_id: Annotated[UUID | None, Query(description="Only what is known to be this customer's.")] = None,
    state: Annotated[Decided, Query(description="What waits, or what was decided.")] = Decided.waiting,
) -> Paged[ItemOut]:
    """List what waits for a person, the oldest first."""
    found = queries.page(session, after=cursor, limit=limit, kind=kind, customer_id=customer_id, decided=state)
    return paged(found)


@router.get("/counts")
@door(allow("worklist.read"))
def worklist_counts(session: Session, _ctx: Ctx) -> CountsOut:
    """Say how many items of each kind wait."""
    return CountsOut.model_validate({"waiting": queries.counts(session)})


@router.get("/{item_id}")
@door(allow("worklist.read"))
def item(session: Session, _ctx: Ctx, *, item_id: UUID) -> EvidenceOut:
    """Show an item with the evidence: its row, what it may belong to side by side, what was decided before."""
    return EvidenceOut.model_validate(queries.show(session, item_id))


@router.post("/{item_id}/resolve")
@door(allow("worklist.resolve"))
def resolve_item(session: Session, ctx: Ctx, *, item_id: UUID, body: ResolveIn) -> EvidenceOut:
    """Decide an item; steps and later dumps leave a decision alone."""
    service.resolve(session, ctx, item_id, choice=body.choice, reason=body.reason, target_id=body.target_id)
    return EvidenceOut.model_validate(queries.show(session, item_id))


@router.post("/{item_id}/undo")
@door(allow("worklist.resolve"))
def undo_item(session: Session, ctx: Ctx, *, item_id: UUID, body: UndoIn) -> EvidenceOut:
    """Take a decision back: what it wrote is as it was before, and the item waits again."""
    service.undo(session, ctx, item_id, reason=body.reason)
    return EvidenceOut.model_validate(queries.show(session, item_id))
