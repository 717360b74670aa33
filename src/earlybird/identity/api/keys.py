"""Keys of machines over HTTP."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter

from earlybird.identity import queries
from earlybird.identity.access import allow
from earlybird.identity.schemas import KeyIn, KeyOut, NewKeyOut
from earlybird.identity.service import keys
from earlybird.infra.db import Session
from earlybird.infra.http import PROBLEMS, door
from earlybird.infra.shapes import Cursor, Limit, Paged, paged
from earlybird.kernel.ctx import Ctx

router = APIRouter(prefix="/api/keys", tags=["keys"], responses=PROBLEMS)


@router.get("")
@door(allow("keys.read"))
def keys_page(session: Session, _ctx: Ctx, *, cursor: Cursor = None, limit: Limit = 50) -> Paged[KeyOut]:
    """List keys, the revoked ones too; never the keys themselves."""
    return paged(queries.api_keys(session, cursor=cursor, limit=limit))


@router.post("", status_code=201)
@door(allow("keys.change"), secret=True)
def create_key(session: Session, ctx: Ctx, *, body: KeyIn) -> NewKeyOut:
    """Make a key. This answer is the only one that holds it."""
    made, secret = keys.create(session, ctx, **body.sent())
    return NewKeyOut.model_validate(queries.api_key(session, made) | {"key": secret})


@router.get("/{key_id}")
@door(allow("keys.read"))
def show_key(session: Session, _ctx: Ctx, *, key_id: UUID) -> KeyOut:
    """Show a key's facts."""
    return KeyOut.model_validate(queries.api_key(session, key_id))


@router.delete("/{key_id}", status_code=204)
@door(allow("keys.change"))
def revoke_key(session: Session, ctx: Ctx, *, key_id: UUID) -> None:
    """End a key at once."""
    keys.revoke(session, ctx, key_id)
