"""Who am I, and what of the business is mine: the door every client opens first."""

from __future__ import annotations

from fastapi import APIRouter

from earlybird.identity import queries as identity
from earlybird.identity.access import allow
from earlybird.identity.errors import NotByThis
from earlybird.infra.db import Session
from earlybird.infra.http import PROBLEMS, door
from earlybird.kernel.ctx import Ctx
from earlybird.web.portal import queries
from earlybird.web.portal.schemas import MeOut

router = APIRouter(prefix="/api/auth", tags=["signing in"], responses=PROBLEMS)
legacy = APIRouter(prefix="/auth", tags=["legacy paths"], responses=PROBLEMS, deprecated=True)


@legacy.get("/me")
@router.get("/me")
@door(allow("me.read"))
def me(session: Session, ctx: Ctx) -> MeOut:
    """Show who asks; a customer's own login also sees profile, next and last deliveries and balance."""
    facts = identity.claims(session, ctx.actor.id, ctx.now) if ctx.actor.id and ctx.actor.kind == "user" else None
    if facts is None:
        raise NotByThis
    customer_id = facts["customer_id"]
    own = queries.portrait(session, customer_id, ctx.now) if customer_id else {}
    return MeOut.model_validate({"customer_v2_id": customer_id, **facts, **own})
