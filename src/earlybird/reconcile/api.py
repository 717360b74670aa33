"""The proof, the questions, and what they found."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from earlybird.audit.states import FindingState, Severity
from earlybird.billing.schemas import Because
from earlybird.identity.access import allow
from earlybird.infra.db import Session
from earlybird.infra.http import PROBLEMS, door
from earlybird.infra.shapes import Cursor, Day, Limit, Paged, paged
from earlybird.kernel.ctx import Ctx
from earlybird.reconcile import leakage, queries, service
from earlybird.reconcile.schemas import AnswersOut, FindingOut, ProofOut

router = APIRouter(prefix="/api", tags=["reconcile"], responses=PROBLEMS)


@router.get("/proof")
@door(allow("reconcile.read"))
def proof(
    session: Session,
    ctx: Ctx,
    *,
    as_of: Annotated[Day | None, Query(description="As it stood at the end of that date.")] = None,
) -> ProofOut:
    """Compare what was delivered with what was asked, in both directions: totals, months, customers' months."""
    return ProofOut.model_validate(leakage.as_facts(leakage.prove(session, ctx, as_of=as_of), as_of))


@router.get("/reconcile/findings")
@door(allow("reconcile.read"))
def findings(
    session: Session,
    _ctx: Ctx,
    *,
    cursor: Cursor = None,
    limit: Limit = 50,
    check: Annotated[str | None, Query(pattern="^[a-z_]{1,60}$", description="Only of this question.")] = None,
    state: Annotated[FindingState | None, Query(description="Only findings in this state.")] = None,
    severity: Annotated[Severity | None, Query(description="Only findings this grave.")] = None,
) -> Paged[FindingOut]:
    """List what the questions found, the last one first seen at the top."""
    return paged(queries.page_findings(session, after=cursor, limit=limit, check=check, state=state, severity=severity))


@router.get("/reconcile/findings/{finding_id}")
@door(allow("reconcile.read"))
def finding(session: Session, _ctx: Ctx, *, finding_id: UUID) -> FindingOut:
    """Show a finding."""
    return FindingOut.model_validate(queries.show_finding(session, finding_id))


@router.post("/reconcile/runs", status_code=201)
@door(allow("reconcile.run"))
def ask_questions(session: Session, ctx: Ctx) -> AnswersOut:
    """Ask every question now and keep the findings; each question sees one moment."""
    answers = service.ask(session, ctx)
    service.keep(session, ctx, answers)
    return AnswersOut.model_validate(
        {"ok": not any(answer.is_error for answer in answers), "checks": list(map(service.as_facts, answers))}
    )


@router.post("/findings/{finding_id}/accept")
@door(allow("findings.accept"), unchanged=("findings", "finding_id", finding))
def accept_finding(session: Session, ctx: Ctx, *, finding_id: UUID, body: Because) -> FindingOut:
    """Accept an open finding: known, explained, and no longer work."""
    service.accept(session, ctx, finding_id, reason=body.reason)
    return FindingOut.model_validate(queries.show_finding(session, finding_id))
