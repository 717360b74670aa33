"""Give a whole document back: the only way an issued invoice becomes void."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.billing import errors, queries
from earlybird.billing.models import Adjustment, Invoice, InvoiceLine, InvoiceTax
from earlybird.billing.rules import series
from earlybird.billing.service import allocation, invoices
from earlybird.billing.states import ADJUSTMENT, INVOICE, AdjustmentKind, AdjustmentState, InvoiceKind, InvoiceState
from earlybird.infra.db import rows, value
from earlybird.kernel import ids
from earlybird.kernel.clock import business_day
from earlybird.kernel.ctx import Ctx
from earlybird.ledger import service as ledger
from earlybird.territory.models import Business


def credit_in_full(session: Session, ctx: Ctx, invoice_id: UUID, *, reason: str) -> Invoice:
    """Issue a credit note over a whole invoice and void it; return the note.

    What was paid on it goes back to the customer's advance and settles other documents. Its charges stay
    on the void document: what is still to be asked is an adjustment.
    """
    if not reason.strip():
        raise errors.ReasonMissing(field="reason")
    invoice = session.get(Invoice, invoice_id)
    if invoice is None:
        raise errors.NoSuchDocument(id=invoice_id)
    queries.lock_payers(session, [invoice.customer_id])
    session.refresh(invoice, with_for_update=True)
    if invoice.state != InvoiceState.issued or invoice.kind == InvoiceKind.credit_note:
        raise errors.NotIssued(document=invoice_id, kind=invoice.kind, state=invoice.state)
    firm = session.get_one(Business, invoice.business_id)
    today = business_day(ctx.now, firm.zone)
    allocation.take_back(session, ctx, invoices=[invoice_id])
    carried = queries.statement(session, invoice.customer_id)["receivable_minor"]
    sums = rows(
        session,
        "SELECT coalesce(sum(amount_minor), 0)::bigint AS amount, coalesce(sum(tax_minor), 0)::bigint AS tax "
        "FROM invoice_lines WHERE invoice_id = :id",
        {"id": invoice_id},
    )[0]
    amount = Adjustment(
        id=ids.new_id(),
        business_id=invoice.business_id,
        customer_id=invoice.customer_id,
        kind=AdjustmentKind.credit,
        amount_minor=-sums["amount"],
        currency=invoice.currency,
        effective_on=today,
        reason=reason,
        state=AdjustmentState.proposed,
        state_at=ctx.now,
        approver=ctx.actor.name,
        made_at=ctx.now,
    )
    session.add(amount)
    session.flush()  # the line below refers to it
    audit.move(session, ctx, amount, ADJUSTMENT, "approve", reason=reason)
    journal_id = None
    if invoice.journal_id:
        ledger.reverse_many(
            session, ctx, [invoice.journal_id], kind="credit_note", posted_on=today, memo=f"credits {invoice_id}"
        )
        journal_id = value(session, "SELECT id FROM journals WHERE reverses_id = :id", {"id": invoice.journal_id})
    number_series = series("CN", firm.country, today)
    note = Invoice(
        id=ids.new_id(),
        business_id=invoice.business_id,
        customer_id=invoice.customer_id,
        kind=InvoiceKind.credit_note,
        series=number_series,
        number=1 + invoices.reserve(session, invoice.business_id, number_series, 1),
        state=InvoiceState.issued,
        state_at=ctx.now,
        period_from=invoice.period_from,
        period_to=invoice.period_to,
        issued_on=today,
        issued_at=ctx.now,
        due_on=today,
        subtotal_minor=-invoice.subtotal_minor,
        tax_minor=-invoice.tax_minor,
        rounding_minor=-invoice.rounding_minor,
        total_minor=-invoice.total_minor,
        carried_minor=carried,
        currency=invoice.currency,
        corrects_id=invoice_id,
        journal_id=journal_id,
        reason=reason,
    )
    session.add(note)
    session.flush()  # lines and taxes refer to it
    session.add(
        InvoiceLine(
            invoice_id=note.id,
            adjustment_id=amount.id,
            service_on=today,
            description=reason,
            amount_minor=-sums["amount"],
            tax_minor=-sums["tax"],
        )
    )
    session.add_all(
        InvoiceTax(
            invoice_id=note.id,
            component=row.component,
            rate=row.rate,
            base_minor=-row.base_minor,
            tax_minor=-row.tax_minor,
        )
        for row in session.query(InvoiceTax).filter_by(invoice_id=invoice_id)
    )
    audit.move(session, ctx, invoice, INVOICE, "void", reason=reason)
    audit.record(
        session, ctx, "invoices.credit", "invoice", note.id, after={"corrects": str(invoice_id)}, reason=reason
    )
    session.flush()  # the allocation below reads both documents with SQL
    allocation.allocate_open(session, ctx, [invoice.customer_id])
    return note
