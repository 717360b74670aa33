"""The jobs and whether they ran: their storey lies under those who admit, so its door is up here."""

from __future__ import annotations

from fastapi import APIRouter, Request

from earlybird.identity.access import allow
from earlybird.infra import http
from earlybird.infra.db import Session
from earlybird.infra.http import door
from earlybird.jobs import queries
from earlybird.jobs.schemas import JobOut
from earlybird.kernel.ctx import Ctx

router = APIRouter(prefix="/api/jobs", tags=["jobs"], responses=http.PROBLEMS)


@router.get("")
@door(allow("jobs.read"))
def standings(session: Session, ctx: Ctx, *, request: Request) -> list[JobOut]:
    """List every job on a schedule: when it last ran and how, when it is due, and since when it did not run."""
    return queries.standings(session, request.app.state.jobs, ctx.now)  # type: ignore[return-value]
