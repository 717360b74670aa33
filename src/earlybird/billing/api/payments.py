"""Payments: listed, recorded one by one or in batches, taken back."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from earlybird.billing import queries
from earlybird.billing.schemas import (
    Because,
    PaymentBatchOut,
    PaymentDetailOut,
    PaymentIn,
    PaymentOut,
    PaymentRejectionOut,
    PaymentsIn,
)
from earlybird.billing.service import payments
from earlybird.billing.states import PaymentState
from earlybird.identity.access import allow
from earlybird.infra.db import Session
from earlybird.infra.http import PROBLEMS, door
from earlybird.infra.shapes import Cursor, Limit, Paged, paged
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.errors import Failure

router = APIRouter(prefix="/api", tags=["payments"], responses=PROBLEMS)


@router.get("/payments")
@door(allow("billing.list"))
def payment_page(
    session: Session,
    ctx: Ctx,
    *,
    cursor: Cursor = None,
    limit: Limit = 50,
    customer_id: Annotated[UUID | None, Query(description="Only what this customer paid.")] = None,
    state: Annotated[PaymentState | None, Query(description="Only payments in this state.")] = None,
) -> Paged[PaymentOut]:
    """List payments, the last recorded first."""
    return paged(queries.page_payments(session, ctx, after=cursor, limit=limit, customer_id=customer_id, state=state))


@router.post("/payments", status_code=201)
@door(allow("payments.record"))
def record_payment(session: Session, ctx: Ctx, *, body: PaymentIn) -> PaymentDetailOut | Failure:
    """Record a payment and settle the oldest open documents with it.

    A `client_id` that was recorded before changes nothing and answers with the payment there is; with other facts
    it is refused. What is left over is the customer's advance. A row that breaks a rule is refused and kept.
    """
    found = payments.record(session, ctx, body)
    if isinstance(found, Failure):
        return found
    return PaymentDetailOut.model_validate(queries.show_payment(session, ctx, found))


@router.post("/payments/batches")
@door(allow("payments.record"))
def record_payments(session: Session, ctx: Ctx, *, body: PaymentsIn) -> PaymentBatchOut:
    """Record up to 1,000 payments, each judged on its own by the rules of one; refused rows are kept."""
    return PaymentBatchOut.model_validate(payments.receive_batch(session, ctx, body.payments))


@router.get("/payments/rejections")
@door(allow("billing.list"))
def payment_rejections(
    session: Session, _ctx: Ctx, *, cursor: Cursor = None, limit: Limit = 50
) -> Paged[PaymentRejectionOut]:
    """List the payment rows that were refused, the last first, as they came, with the rule each broke."""
    return paged(queries.page_rejections(session, after=cursor, limit=limit))


@router.get("/payments/{payment_id}")
@door(allow("billing.read"))
def payment(session: Session, ctx: Ctx, *, payment_id: UUID) -> PaymentDetailOut:
    """Show a payment and the documents it settles."""
    return PaymentDetailOut.model_validate(queries.show_payment(session, ctx, payment_id))


@router.post("/payments/{payment_id}/reverse")
@door(allow("payments.reverse"), unchanged=("payments", "payment_id", payment))
def reverse_payment(session: Session, ctx: Ctx, *, payment_id: UUID, body: Because) -> PaymentDetailOut:
    """Take a payment back that did not hold: what it settled is open again. Taking it back twice changes nothing."""
    queries.show_payment(session, ctx, payment_id)
    payments.reverse_one(session, ctx, payment_id, reason=body.reason)
    return PaymentDetailOut.model_validate(queries.show_payment(session, ctx, payment_id))


@router.get("/customers/{customer_id}/payments")
@door(allow("billing.read"))
def payments_of_customer(
    session: Session, ctx: Ctx, *, customer_id: UUID, cursor: Cursor = None, limit: Limit = 50
) -> Paged[PaymentOut]:
    """List what a customer paid, the last recorded first."""
    queries.get_payer(session, ctx, customer_id)
    return paged(queries.page_payments(session, ctx, after=cursor, limit=limit, customer_id=customer_id))
