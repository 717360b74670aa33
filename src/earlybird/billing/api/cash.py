"""Cash taken at doors: what a driver holds, and its counting at the depot."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import APIRouter

from earlybird.billing import queries
from earlybird.billing.schemas import DriverCashOut, SettlementIn, SettlementOut
from earlybird.billing.service import cash
from earlybird.identity.access import allow
from earlybird.infra.db import Session
from earlybird.infra.http import PROBLEMS, door
from earlybird.infra.shapes import Cursor, Limit
from earlybird.kernel.ctx import Ctx

router = APIRouter(prefix="/api/drivers", tags=["payments"], responses=PROBLEMS)


@router.get("/{driver_id}/cash")
@door(allow("cash.read"))
def held(session: Session, ctx: Ctx, *, driver_id: UUID, cursor: Cursor = None, limit: Limit = 50) -> DriverCashOut:
    """Show what a driver holds of the cash taken at doors; drivers see their own.

    The confirmations of the last minute may not be booked yet.
    """
    found: Any = queries.driver_cash(session, ctx, driver_id, after=cursor, limit=limit)
    return found  # type: ignore[no-any-return]  # the door shapes it


@router.post("/{driver_id}/settlements", status_code=201)
@door(allow("cash.settle"))
def settle(session: Session, ctx: Ctx, *, driver_id: UUID, body: SettlementIn) -> SettlementOut:
    """Take a driver's counted cash into the depot; a difference stays on the driver's account and is a finding."""
    made = cash.settle(
        session,
        ctx,
        driver_id,
        counted_minor=body.counted_minor,
        currency=body.currency,
        note=body.note,
        business_id=body.business_id,
    )
    found: Any = queries.show_settlement(session, made)
    return found  # type: ignore[no-any-return]  # the door shapes it
