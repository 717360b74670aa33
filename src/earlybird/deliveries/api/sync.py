"""`/api/sync`: a driver's device had no signal; now it tells what happened and learns what changed."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from earlybird.deliveries.queries import sync as queries
from earlybird.deliveries.schemas import read
from earlybird.deliveries.schemas.asked import as_texts
from earlybird.deliveries.schemas.sync import SyncIn, SyncOut
from earlybird.deliveries.service import telling
from earlybird.identity.access import allow
from earlybird.infra import http
from earlybird.infra.db import Session
from earlybird.infra.http import door
from earlybird.kernel.ctx import Ctx

router = APIRouter(prefix="/api/sync", tags=["deliveries"], responses=http.PROBLEMS)


@router.post("")
@door(allow("deliveries.confirm"))
def sync(session: Session, ctx: Ctx, *, body: SyncIn) -> SyncOut:
    """Take a device's outbox, each confirmation judged alone, and answer what changed of its rounds since the cursor.

    Sent again, also in another order or in other parts, it ends in the same state; a lost answer loses nothing.
    """
    bodies = as_texts(body.items())
    verdicts = telling.tell_many(session, ctx, [read(text) for text in bodies], bodies=bodies) if bodies else []
    found: Any = {"verdicts": verdicts, **queries.changes(session, ctx, body.cursor)}
    return found  # type: ignore[no-any-return]  # the door shapes it
