"""Amounts that are not delivered lines: proposed by one, approved or waived by a person, billed once."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.billing import errors
from earlybird.billing.models import Adjustment, InvoiceLine
from earlybird.billing.rules import has_right_sign
from earlybird.billing.states import ADJUSTMENT, AdjustmentKind
from earlybird.customers.models import Customer
from earlybird.kernel import ids
from earlybird.kernel.ctx import Ctx
from earlybird.territory.models import Business


def propose_adjustment(
    session: Session,
    ctx: Ctx,
    customer_id: UUID,
    *,
    kind: AdjustmentKind,
    amount_minor: int,
    effective_on: date,
    reason: str,
    currency: str | None = None,
) -> Adjustment:
    """Propose an amount (minor units, negative gives back) for the bill of the month of `effective_on`.

    A `currency`, where one is given, must be the one the customer is billed in.
    """
    if not reason.strip():
        raise errors.ReasonMissing(field="reason")
    if amount_minor == 0:
        raise errors.AmountMissing(field="amount_minor")
    if not has_right_sign(kind, amount_minor):
        raise errors.WrongSign(field="amount_minor", kind=kind)
    customer = session.get(Customer, customer_id)
    if customer is None:
        raise errors.NoSuchCustomer(field="customer_id", customer=customer_id)
    billed_in = session.get_one(Business, customer.business_id).currency
    if currency not in {None, billed_in}:
        raise errors.WrongCurrency(field="currency", billed_in=billed_in)
    row = Adjustment(
        id=ids.new_id(),
        business_id=customer.business_id,
        customer_id=customer_id,
        kind=str(kind),
        amount_minor=amount_minor,
        currency=billed_in,
        effective_on=effective_on,
        reason=reason,
        state=ADJUSTMENT.start,
        state_at=ctx.now,
        made_at=ctx.now,
    )
    session.add(row)
    session.flush()  # the audit entry and a following approval need the row
    audit.record(
        session,
        ctx,
        "adjustments.propose",
        "adjustment",
        row.id,
        after={"kind": str(kind), "amount_minor": amount_minor, "effective_on": effective_on.isoformat()},
        reason=reason,
    )
    return row


def approve_adjustment(session: Session, ctx: Ctx, adjustment_id: UUID) -> Adjustment:
    """Let a proposed amount go on the customer's next bill."""
    row = _locked(session, adjustment_id)
    audit.move(session, ctx, row, ADJUSTMENT, "approve", reason=row.reason)
    row.approver = ctx.actor.name
    session.flush()  # a bill run in this transaction reads it with SQL
    return row


def waive_adjustment(session: Session, ctx: Ctx, adjustment_id: UUID, *, reason: str) -> Adjustment:
    """Decide that a proposed amount is never asked for."""
    if not reason.strip():
        raise errors.ReasonMissing(field="reason")
    row = _locked(session, adjustment_id)
    audit.move(session, ctx, row, ADJUSTMENT, "waive", reason=reason)
    row.approver = ctx.actor.name
    session.flush()  # a bill run in this transaction reads it with SQL
    return row


def reopen_adjustment(session: Session, ctx: Ctx, adjustment_id: UUID, *, reason: str) -> Adjustment:
    """Take a decision about an amount back; refused once the amount stands on a document."""
    if not reason.strip():
        raise errors.ReasonMissing(field="reason")
    row = _locked(session, adjustment_id)
    if session.scalar(select(InvoiceLine.id).where(InvoiceLine.adjustment_id == adjustment_id)):
        raise errors.AmountBilled(adjustment=adjustment_id)
    audit.move(session, ctx, row, ADJUSTMENT, "reopen", reason=reason)
    row.approver = None
    session.flush()  # a bill run in this transaction reads it with SQL
    return row


def _locked(session: Session, adjustment_id: UUID) -> Adjustment:
    row = session.get(Adjustment, adjustment_id, with_for_update=True)
    if row is None:
        raise errors.NoSuchAdjustment(adjustment=adjustment_id)
    return row
