"""Change or end an order together with its stop, in one transaction: the plan of the day follows at once."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.deliveries.errors import SomebodyWent
from earlybird.deliveries.states import MACHINE
from earlybird.infra.db import rows, run, value
from earlybird.kernel.ctx import Ctx
from earlybird.orders import service as orders
from earlybird.orders.service import Wanted

TOUCHED = """
SELECT EXISTS (SELECT FROM deliveries d WHERE d.order_id = :id AND (d.attempt > 1 OR d.state NOT IN
    ('planned', 'cancelled') OR EXISTS (SELECT FROM delivery_events e WHERE e.delivery_id = d.id)))"""

NEW_LINES = """
INSERT INTO delivery_lines (delivery_id, order_line_id, customer_id, service_on, ordered_quantity)
SELECT d.id, l.id, l.customer_id, d.planned_on, l.quantity
FROM deliveries d JOIN order_lines l ON l.order_id = d.order_id
WHERE d.order_id = :id AND d.state = 'planned' AND l.cancelled_at IS NULL
  AND NOT EXISTS (SELECT FROM delivery_lines k WHERE k.delivery_id = d.id AND k.order_line_id = l.id)"""

QUANTITIES = """
UPDATE delivery_lines k SET ordered_quantity = CASE WHEN l.cancelled_at IS NULL THEN l.quantity ELSE 0 END
FROM deliveries d JOIN order_lines l ON l.order_id = d.order_id
WHERE d.order_id = :id AND k.delivery_id = d.id AND k.order_line_id = l.id"""


def change(
    session: Session,
    ctx: Ctx,
    order_id: UUID,
    *,
    lines: Sequence[Wanted],
    address_id: UUID | None = None,
    note: str | None = None,
) -> None:
    """Let a one-time order hold these lines, this address and this note; a planned stop owes them at once."""
    orders.change(session, ctx, order_id, lines=lines, address_id=address_id, note=note)
    _check_untouched(session, order_id)
    run(session, NEW_LINES, {"id": order_id})
    run(session, QUANTITIES, {"id": order_id})


def cancel(session: Session, ctx: Ctx, order_id: UUID, *, reason: str) -> None:
    """Cancel an order and its stop, before the cut-off and before anybody is out with it."""
    orders.cancel(session, ctx, order_id, reason=reason)
    _drop_stop(session, ctx, order_id, reason)


def withdraw(session: Session, ctx: Ctx, order_id: UUID, *, reason: str) -> None:
    """Cancel an order nobody went out with, and its stop, also after the cut-off."""
    orders.withdraw(session, ctx, order_id, reason=reason)
    _drop_stop(session, ctx, order_id, reason)


def _drop_stop(session: Session, ctx: Ctx, order_id: UUID, reason: str) -> None:
    _check_untouched(session, order_id)
    stops = rows(session, "SELECT id FROM deliveries WHERE order_id = :id AND state = 'planned'", {"id": order_id})
    audit.move_many(session, ctx, "deliveries", MACHINE, "cancel", [stop["id"] for stop in stops], reason=reason)
    run(session, QUANTITIES, {"id": order_id})


def _check_untouched(session: Session, order_id: UUID) -> None:
    """Refuse what somebody went out with; the order is under lock, so nobody tells anything meanwhile."""
    if value(session, TOUCHED, {"id": order_id}):
        raise SomebodyWent(field="order_id")
