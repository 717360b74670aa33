"""Adjustments and charges, with the documents they stand on."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.billing import errors
from earlybird.billing.queries.scope import cut, visible
from earlybird.billing.states import AdjustmentKind, AdjustmentState
from earlybird.identity.rules import reach
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
    facts = {"after": after, "limit": limit + 1, "customer_id": customer_id, "kind": kind, "state": state}
    wanted = [visible(ctx, "a.customer_id")]
    wanted += ["a.id < :after"] if after else []
    wanted += [f"a.{name} = :{name}" for name in ("customer_id", "kind", "state") if facts[name]]
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
    """Return charges, the last made first."""
    wanted = [visible(ctx, "h.customer_id")]
    wanted += ["h.id < :after"] if after else []
    wanted += ["h.customer_id = :customer_id"] if customer_id else []
    found = rows(
        session,
        f"{CHARGES} WHERE {' AND '.join(wanted)} ORDER BY h.id DESC LIMIT :limit",
        {"after": after, "limit": limit + 1, "customer_id": customer_id} | reach(ctx),
    )
    return cut(found, limit)


def page_unbilled(
    session: Session, ctx: Ctx, *, after: UUID | None, limit: int, customer_id: UUID | None = None
) -> Page[dict[str, Any]]:
    """Return the charges that wait for a document, by customer and day."""
    wanted = [visible(ctx, "u.customer_id")]
    if after:
        place = "(SELECT customer_id, service_on, id FROM charges WHERE id = :after)"
        wanted.append(f"(u.customer_id, u.service_on, u.charge_id) > {place}")
    wanted += ["u.customer_id = :customer_id"] if customer_id else []
    found = rows(
        session,
        f"""
        WITH waiting AS MATERIALIZED (
            SELECT u.* FROM unbilled_charges u WHERE {" AND ".join(wanted)}
            ORDER BY u.customer_id, u.service_on, u.charge_id LIMIT :limit
        )
        {CHARGES} JOIN waiting u ON u.charge_id = h.id ORDER BY u.customer_id, u.service_on, u.charge_id
        """,
        {"after": after, "limit": limit + 1, "customer_id": customer_id} | reach(ctx),
    )
    return cut(found, limit)
