"""Documents: lists, one whole, on paper, issued, given back, and explained."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from earlybird.billing import documents, queries
from earlybird.billing.schemas import (
    Because,
    BillRunIn,
    BillRunOut,
    ExplanationOut,
    InvoiceDetailOut,
    InvoiceOut,
    MonthText,
    StatementOut,
)
from earlybird.billing.service import credit_notes, invoices
from earlybird.billing.states import InvoiceKind, InvoiceState
from earlybird.identity.access import allow
from earlybird.infra.db import Session, tried
from earlybird.infra.http import PROBLEMS, door, etag
from earlybird.infra.shapes import Cursor, Day, Limit, Paged, paged
from earlybird.kernel.clock import Month
from earlybird.kernel.ctx import Ctx

router = APIRouter(prefix="/api", tags=["invoices"], responses=PROBLEMS)


class Format(StrEnum):
    """How a document is shown."""

    pdf = "pdf"
    html = "html"
    text = "text"


TYPES = {Format.pdf: "application/pdf", Format.html: "text/html", Format.text: "text/plain"}

AsDocument: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The document.",
        "content": {
            "application/pdf": {"schema": {"type": "string", "format": "binary"}},
            "text/html": {"schema": {"type": "string"}},
            "text/plain": {"schema": {"type": "string"}},
        },
    }
}


@router.get("/invoices")
@door(allow("billing.list"))
def invoice_page(
    session: Session,
    ctx: Ctx,
    *,
    cursor: Cursor = None,
    limit: Limit = 50,
    customer_id: Annotated[UUID | None, Query(description="Only what this customer is to pay.")] = None,
    business_id: Annotated[UUID | None, Query(description="Only what this business issued.")] = None,
    month: Annotated[MonthText | None, Query(description="Only documents whose period ends in this month.")] = None,
    kind: Annotated[InvoiceKind | None, Query(description="Only documents of this kind.")] = None,
    state: Annotated[InvoiceState | None, Query(description="Only documents in this state.")] = None,
) -> Paged[InvoiceOut]:
    """List documents, newest first, with what is paid and open of each."""
    return paged(
        queries.page_documents(
            session,
            ctx,
            after=cursor,
            limit=limit,
            customer_id=customer_id,
            business_id=business_id,
            month=Month.parse(month) if month else None,
            kind=kind,
            state=state,
        )
    )


@router.post("/invoices/runs", status_code=201)
@door(allow("billing.run"))
def run_month(session: Session, ctx: Ctx, *, body: BillRunIn) -> BillRunOut:
    """Issue the bills of a month: all that is new since the last ones, once; or see what would be issued.

    Delivered lines without a charge are charged first. Repeating it, also twice at once, bills nothing twice.
    """
    firm = queries.business_by_id(session, body.business_id).id
    month = Month.parse(body.month)
    if body.dry_run:
        with tried(session):
            issued = invoices.issue_month(session, ctx, firm, month)
    else:
        issued = invoices.issue_month(session, ctx, firm, month)
    facts = {"business_id": firm, "month": str(month), "dry_run": body.dry_run}
    return BillRunOut.model_validate(facts | {"count": len(issued), "totals": invoices.totals(issued)})


@router.get("/invoices/lines/{line_id}/evidence")
@door(allow("billing.read"))
def explain_line(session: Session, ctx: Ctx, *, line_id: UUID) -> ExplanationOut:
    """Explain a line of a bill: back to the tap at the door, the price row, the pause and the cut-off."""
    return ExplanationOut.model_validate(queries.explain(session, ctx, line_id))


@router.get("/invoices/{invoice_id}")
@door(allow("billing.read"))
def invoice(session: Session, ctx: Ctx, *, invoice_id: UUID) -> InvoiceDetailOut:
    """Show a document whole: its lines with the facts they stand on, taxes, payments, what is open."""
    return InvoiceDetailOut.model_validate(queries.show_document(session, ctx, invoice_id))


@router.get("/invoices/{invoice_id}/document", response_class=Response, responses=AsDocument)
@door(allow("billing.read"))
def invoice_document(
    session: Session,
    ctx: Ctx,
    *,
    request: Request,
    invoice_id: UUID,
    format: Annotated[  # noqa: A002  # the name in the address
        Format | None, Query(description="Else what Accept asks for; else PDF.")
    ] = None,
) -> Response:
    """Show a document as people read it: PDF, a page, or text. Looking at it changes nothing."""
    queries.get_document(session, ctx, invoice_id)
    said = documents.page(session, invoice_id)
    kind = format or _accepted(request.headers.get("accept", ""))
    if kind == Format.pdf:
        content = documents.pdf(said)
    else:
        content = (documents.html(said) if kind == Format.html else documents.plain(said)).encode()
    answer = Response(content, media_type=TYPES[kind])
    answer.headers["ETag"] = etag(content)
    answer.headers["Vary"] = "Accept"
    answer.headers["Content-Disposition"] = f'inline; filename="{said.number.replace("/", "-")}.{SUFFIXES[kind]}"'
    return answer


SUFFIXES = {Format.pdf: "pdf", Format.html: "html", Format.text: "txt"}


def _accepted(header: str) -> Format:
    """Return the format a reader likes best among those named first; PDF where none is named."""
    for part in header.split(","):
        wanted = part.partition(";")[0].strip().lower()
        for kind, media_type in TYPES.items():
            if wanted == media_type:
                return kind
    return Format.pdf


@router.post("/invoices/{invoice_id}/credit-notes", status_code=201)
@door(allow("billing.adjust"), unchanged=("invoices", "invoice_id", invoice))
def credit_invoice(session: Session, ctx: Ctx, *, invoice_id: UUID, body: Because) -> InvoiceDetailOut:
    """Give a whole document back with a credit note, the only way it becomes void; answers with the note."""
    queries.get_document(session, ctx, invoice_id)
    note = credit_notes.credit_in_full(session, ctx, invoice_id, reason=body.reason)
    return InvoiceDetailOut.model_validate(queries.show_document(session, ctx, note.id))


@router.get("/customers/{customer_id}/invoices")
@door(allow("billing.read"))
def invoices_of_customer(
    session: Session, ctx: Ctx, *, customer_id: UUID, cursor: Cursor = None, limit: Limit = 50
) -> Paged[InvoiceOut]:
    """List a customer's documents, newest first."""
    queries.get_payer(session, ctx, customer_id)
    return paged(queries.page_documents(session, ctx, after=cursor, limit=limit, customer_id=customer_id))


@router.get("/customers/{customer_id}/statement")
@door(allow("billing.read"))
def statement(
    session: Session,
    ctx: Ctx,
    *,
    customer_id: UUID,
    since: Annotated[Day | None, Query(alias="from", description="The first day; a year before the last.")] = None,
    through: Annotated[Day | None, Query(alias="to", description="The last day; today.")] = None,
) -> StatementOut:
    """Show what a customer owes, has paid in advance and must pay, and what moved it between two days."""
    return StatementOut.model_validate(queries.show_statement(session, ctx, customer_id, since=since, through=through))
