"""The trail, searched: its storey lies under those who admit, so its door is up here."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from earlybird.audit.queries import seals, trail
from earlybird.audit.schemas import AuditOut, SealOut
from earlybird.identity.access import allow
from earlybird.infra import http
from earlybird.infra.db import Session
from earlybird.infra.http import door
from earlybird.infra.shapes import Cursor, Limit, Moment, Paged
from earlybird.kernel.ctx import Ctx

router = APIRouter(prefix="/api/audit", tags=["audit"], responses=http.PROBLEMS)

Name = Annotated[str | None, Query(max_length=100, pattern=r"^[a-z_.]+$")]


@router.get("")
@door(allow("audit.read"))
def search(
    session: Session,
    _ctx: Ctx,
    *,
    entity: Name = None,
    entity_id: UUID | None = None,
    actor_id: UUID | None = None,
    action: Annotated[Name, Query(description="An action, or a slice for all of its actions.")] = None,
    via: Name = None,
    since: Moment | None = None,
    until: Annotated[Moment | None, Query(description="Before this instant.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Paged[AuditOut]:
    """Search the trail of changes, newest first; what is not sealed yet is among it."""
    return trail.page(  # type: ignore[return-value]  # the door validates it
        session,
        cursor=cursor,
        limit=limit,
        entity=entity,
        entity_id=entity_id,
        actor_id=actor_id,
        action=action,
        via=via,
        since=since,
        until=until,
    )


@router.get("/seals")
@door(allow("audit.read"))
def newest_seals(session: Session, _ctx: Ctx, *, limit: Limit = 50) -> list[SealOut]:
    """Return the newest seals, each with its signature: kept elsewhere, they show whether the chain was cut."""
    return seals.newest(session, limit)  # type: ignore[return-value]
