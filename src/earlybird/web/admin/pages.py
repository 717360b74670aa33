"""The console's pages: the proof, a customer's month, the evidence of a line, and refusals."""

from __future__ import annotations

import math
from http import HTTPStatus
from pathlib import Path
from time import monotonic
from typing import Annotated, Any
from uuid import UUID

import jinja2
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from earlybird.billing import queries as billing
from earlybird.identity.access import allow
from earlybird.identity.errors import PasswordChangeNeeded, SecondFactorRequired
from earlybird.identity.states import Role
from earlybird.infra.db import Session
from earlybird.infra.http import door
from earlybird.kernel.clock import Month
from earlybird.kernel.ctx import Ctx
from earlybird.reconcile import leakage, queries
from earlybird.web.admin import views

FRESH_SECONDS = 10
"""How long one reading of the proof serves the pages; the command line always reads anew."""

router = APIRouter(include_in_schema=False)

templates = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
templates.filters |= {"money": views.money, "quantity": views.quantity, "day": views.day, "instant": views.instant,
                      "rate": views.rate, "month_name": views.month_name}  # fmt: skip


REMEDIES = {
    PasswordChangeNeeded().message: ("/password", "Change the password"),
    SecondFactorRequired().message: ("/second-factor", "Set it up"),
}
"""Where a refusal leads that asks for something first: the page and the words of its button."""


def render(name: str, answer: int = 200, **facts: Any) -> HTMLResponse:
    """Return a page."""
    return HTMLResponse(templates.get_template(name).render(**facts), answer)


def problem(request: Request, status: int, sentence: str) -> Response:
    """Show a refusal; who is not signed in gets the sign-in page instead."""
    if status == HTTPStatus.UNAUTHORIZED:
        return render("sign_in.html", 401, sentence=None, person=None, email="", asks_otp=False)
    trace_id = request.state.trace_id
    remedy = REMEDIES.get(sentence)
    return render(
        "problem.html", status, status=status, sentence=sentence, trace_id=trace_id, person=None, remedy=remedy
    )


def _rows(session: Session, ctx: Ctx, request: Request) -> list[queries.CustomerMonth]:
    state = request.app.state
    kept = getattr(state, "proof", None)
    if kept is not None and monotonic() - kept[0] < FRESH_SECONDS:
        found: list[queries.CustomerMonth] = kept[1]
        return found
    rows = queries.customer_months(session, ctx)
    state.proof = (monotonic(), rows)
    return rows


@router.get("/")
@door(allow("me.read"))
def home(_session: Session, ctx: Ctx) -> Response:
    """Lead an admin to the proof, everybody else to their own page."""
    is_admin = any(reach.role == Role.admin for reach in ctx.actor.reaches)
    return RedirectResponse("/proof" if is_admin else "/account", 303)


@router.get("/proof")
@door(allow("reconcile.read"))
def proof(
    session: Session,
    ctx: Ctx,
    *,
    request: Request,
    month: Annotated[str, Query(pattern=r"^(\d{4}-(0[1-9]|1[0-2]))?$")] = "",
    q: Annotated[str, Query(max_length=100)] = "",
    sort: str = "lost",
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    """Show what was delivered beside what was asked, per month and customer."""
    rows = _rows(session, ctx, request)
    chosen = views.choose(rows, month=month, search=q, sort=sort)
    sums = views.add_up(chosen if month or q else rows)
    currency = sums[0].currency if sums else "INR"
    columns, lines = views.chart(rows, currency)
    pages = max(math.ceil(len(chosen) / views.PAGE_ROWS), 1)
    page = min(page, pages)
    return render(
        "proof.html",
        person=ctx.actor,
        sums=sums,
        columns=columns,
        months_summed=[column.sum for column in reversed(columns)],
        lines=lines,
        column_width=views.COLUMN,
        currency=currency,
        rows=chosen[(page - 1) * views.PAGE_ROWS : page * views.PAGE_ROWS],
        count=len(chosen),
        months=sorted({row.month for row in rows}, reverse=True),
        month=month,
        q=q,
        sort=sort if sort in views.SORTS else "lost",
        page=page,
        pages=pages,
        findings=queries.findings(session),
        has_legacy=any(row.is_legacy for row in rows),
        now=ctx.now,
    )


@router.get("/proof/lines/{line_id}")
@door(allow("reconcile.read"))
def evidence(session: Session, ctx: Ctx, *, line_id: UUID) -> Response:
    """Show everything one delivered line stands on."""
    found = billing.evidence(session, line_id)
    return render("evidence.html", person=ctx.actor, line=found.line, price=found.price, events=found.events)


@router.get("/proof/{customer_id}/{month}")
@door(allow("reconcile.read"))
def customer_month(session: Session, ctx: Ctx, *, customer_id: UUID, month: str) -> Response:
    """Show a customer's month line by line, and what the old system asked for it."""
    customer = queries.customer(session, customer_id)
    which = Month.parse(month)
    lines = leakage.lines_of(session, ctx, customer_id, which)
    legacy = queries.legacy_bill(session, customer_id, which)
    return render("month.html", person=ctx.actor, customer=customer, month=str(which), lines=lines, legacy=legacy)
