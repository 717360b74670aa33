"""Adjustments and charges, with the documents they stand on."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.billing import errors
from earlybird.billing.queries.scope import cut, visible, words
from earlybird.billing.states import AdjustmentKind, AdjustmentState
from earlybird.identity.rules import Scope, reach
from earlybird.infra.db import rows
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.pages import Page

ADJUSTMENTS = """
SELECT a.id, a.business_id, a.customer_id, c.code AS customer_code, c.name AS customer_name, a.kind, a.amount_minor,
       a.currency, a.effective_on, a.reason, a.state, a.state_at, a.approver, a.made_at, l.invoice_id
FROM adjustments a JOIN customers c ON c.id = a.customer_id LEFT JOIN invoice_lines l ON l.adjustment_id = a.id
"""

CHARGES = """
SELECT h.id, h.customer_id, c.code AS customer_code, h.event_line_id, h.service_on, ol.product_name, h.quantity,
       ol.unit, h.amount_minor, h.currency, h.charged_at, l.invoice_id, w.reason AS waived_because
FROM charges h JOIN customers c ON c.id = h.customer_id
JOIN delivery_event_lines e ON e.id = h.event_line_id JOIN delivery_lines d ON d.id = e.delivery_line_id
JOIN order_lines ol ON ol.id = d.order_line_id
LEFT JOIN invoice_lines l ON l.charge_id = h.id LEFT JOIN waivers w ON w.charge_id = h.id
"""


def page_adjustments(
    session: Session,
    ctx: Ctx,
    *,
    after: UUID | None,
    limit: int,
    customer_id: UUID | None = None,
    kind: AdjustmentKind | None = None,
    state: AdjustmentState | None = None,
) -> Page[dict[str, Any]]:
    """Return adjustments, the last proposed first."""
    facts = {"after": after, "limit": limit + 1, "customer_id": customer_id}
    wanted = [visible(ctx, "a.customer_id")]
    wanted += ["a.id < :after"] if after else []
    wanted += ["a.customer_id = :customer_id"] if customer_id else []
    wanted += words("a", kind=kind, state=state)
    found = rows(
        session, f"{ADJUSTMENTS} WHERE {' AND '.join(wanted)} ORDER BY a.id DESC LIMIT :limit", facts | reach(ctx)
    )
    return cut(found, limit)


def show_adjustment(session: Session, ctx: Ctx, adjustment_id: UUID) -> dict[str, Any]:
    """Return an adjustment."""
    found = rows(
        session,
        f"{ADJUSTMENTS} WHERE a.id = :id AND {visible(ctx, 'a.customer_id')}",
        {"id": adjustment_id} | reach(ctx),
    )
    if not found:
        raise errors.NoSuchAdjustment
    return found[0]


def page_charges(
    session: Session, ctx: Ctx, *, after: UUID | None, limit: int, customer_id: UUID | None = None
) -> Page[dict[str, Any]]:
    """Return charges, the last made first.

    OFFSET 0 has a customer's charges found first: they may lie far behind those of everybody else.
    """
    wanted = [visible(ctx, "customer_id")]
    wanted += ["id < :after"] if after else []
    wanted += ["customer_id = :customer_id"] if customer_id else []
    few = "" if Scope.all in ctx.actor.scopes and not customer_id else "OFFSET 0"
    chosen = (
        f"SELECT id FROM (SELECT id FROM charges WHERE {' AND '.join(wanted)} {few}) c ORDER BY id DESC LIMIT :limit"
    )
    return _charges(session, ctx, chosen, "h.id DESC", after=after, limit=limit, customer_id=customer_id)


def page_unbilled(
    session: Session, ctx: Ctx, *, after: UUID | None, limit: int, customer_id: UUID | None = None
) -> Page[dict[str, Any]]:
    """Return the charges that wait for a document, by customer and day."""
    wanted = [visible(ctx, "customer_id")]
    if after:
        place = "(SELECT customer_id, service_on, id FROM charges WHERE id = :after)"
        wanted.append(f"(customer_id, service_on, charge_id) > {place}")
    wanted += ["customer_id = :customer_id"] if customer_id else []
    order = "customer_id, service_on, charge_id"
    chosen = f"SELECT charge_id AS id FROM unbilled_charges WHERE {' AND '.join(wanted)} ORDER BY {order} LIMIT :limit"
    in_order = "h.customer_id, h.service_on, h.id"
    return _charges(session, ctx, chosen, in_order, after=after, limit=limit, customer_id=customer_id)


def _charges(session: Session, ctx: Ctx, chosen: str, order: str, *, limit: int, **facts: Any) -> Page[dict[str, Any]]:
    """Return the charges of a page: chosen first, whatever the planner thinks of the tables they lead to."""
    found = rows(
        session,
        f"WITH chosen AS MATERIALIZED ({chosen}) {CHARGES} JOIN chosen ON chosen.id = h.id ORDER BY {order}",
        facts | {"limit": limit + 1} | reach(ctx),
    )
    return cut(found, limit)
