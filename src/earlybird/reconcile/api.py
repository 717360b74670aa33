"""The proof as JSON."""

from __future__ import annotations

from datetime import date
from typing import Any

from fastapi import APIRouter

from earlybird.identity.access import allow
from earlybird.infra.db import Session
from earlybird.infra.http import door
from earlybird.kernel.ctx import Ctx
from earlybird.reconcile import leakage

router = APIRouter(prefix="/api")


@router.get("/proof")
@door(allow("reconcile.read"))
def proof(session: Session, ctx: Ctx, *, as_of: date | None = None) -> dict[str, Any]:
    """Return the leakage proof: totals per currency, per month, and per customer and month; minor units."""
    return leakage.as_facts(leakage.prove(session, ctx, as_of=as_of), as_of)
