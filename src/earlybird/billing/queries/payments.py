"""Payments, what they settle, and the rows that were refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.billing import errors
from earlybird.billing.queries.scope import cut, visible, words
from earlybird.billing.states import PaymentState
from earlybird.identity.rules import reach
from earlybird.infra.db import rows
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.pages import Page

PAYMENTS = """
SELECT y.id, y.business_id, y.customer_id, c.code AS customer_code, c.name AS customer_name, y.client_id,
       y.amount_minor, s.minor AS allocated_minor,
       CASE y.state WHEN 'recorded' THEN y.amount_minor - s.minor ELSE 0 END AS unspent_minor, y.currency, y.method,
       y.received_on, y.reference, y.note, y.for_month, y.state, y.state_at, y.made_at
FROM payments y LEFT JOIN customers c ON c.id = y.customer_id
CROSS JOIN LATERAL (SELECT coalesce(sum(a.amount_minor), 0)::bigint AS minor FROM payment_allocations a
                    WHERE a.payment_id = y.id) AS s
"""


def page_payments(
    session: Session,
    ctx: Ctx,
    *,
    after: UUID | None,
    limit: int,
    customer_id: UUID | None = None,
    state: PaymentState | None = None,
) -> Page[dict[str, Any]]:
    """Return payments, the last recorded first."""
    facts = {"after": after, "limit": limit + 1, "customer_id": customer_id}
    wanted = [visible(ctx, "y.customer_id")]
    wanted += ["y.id < :after"] if after else []
    wanted += ["y.customer_id = :customer_id"] if customer_id else []
    wanted += words("y", state=state)
    found = rows(
        session, f"{PAYMENTS} WHERE {' AND '.join(wanted)} ORDER BY y.id DESC LIMIT :limit", facts | reach(ctx)
    )
    return cut(found, limit)


def show_payment(session: Session, ctx: Ctx, payment_id: UUID) -> dict[str, Any]:
    """Return a payment and the documents it settles."""
    found = rows(
        session, f"{PAYMENTS} WHERE y.id = :id AND {visible(ctx, 'y.customer_id')}", {"id": payment_id} | reach(ctx)
    )
    if not found:
        raise errors.NoSuchPayment
    return found[0] | {
        "allocations": rows(
            session,
            """
            SELECT i.id AS invoice_id, i.series || '/' || i.number AS number,
                   sum(a.amount_minor)::bigint AS amount_minor, max(a.made_at) AS made_at
            FROM payment_allocations a JOIN invoices i ON i.id = a.invoice_id WHERE a.payment_id = :id
            GROUP BY i.id HAVING sum(a.amount_minor) <> 0 ORDER BY max(a.made_at), i.id
            """,
            {"id": payment_id},
        )
    }


def payments_by_client_id(session: Session, names: Sequence[str]) -> dict[str, UUID]:
    """Return the payments of those `client_id`s."""
    found = rows(session, "SELECT client_id, id FROM payments WHERE client_id = ANY(:names)", {"names": list(names)})
    return {row["client_id"]: row["id"] for row in found}


def page_rejections(session: Session, *, after: UUID | None, limit: int) -> Page[dict[str, Any]]:
    """Return the payment rows that were refused, the last first."""
    found = rows(
        session,
        "SELECT id, body, field, rule, received_at FROM payment_rejections "
        f"{'WHERE id < :after ' if after else ''}ORDER BY id DESC LIMIT :limit",
        {"after": after, "limit": limit + 1},
    )
    return cut(found, limit)
