"""The next attempt: an order that was not delivered is tried again."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.deliveries import errors
from earlybird.deliveries.queries import door as queries
from earlybird.infra.db import run
from earlybird.kernel import ids
from earlybird.kernel.ctx import Ctx
from earlybird.orders.states import MACHINE


def plan_next(
    session: Session, ctx: Ctx, order_id: UUID, *, on: date, shift: str | None, driver_id: UUID | None
) -> UUID:
    """Plan another attempt for an order that was not delivered; return the new delivery."""
    if not queries.orders_locked(session, [str(order_id)]):
        raise errors.OrderUnknown(field="order_id")
    if driver_id is not None and not queries.drives_for(session, driver_id, order_id):
        raise errors.NotADriver(field="driver_id", driver_id=driver_id)
    if not audit.move_many(session, ctx, "orders", MACHINE, "plan", [order_id], reason=f"next attempt on {on}"):
        raise errors.NoNextAttempt(field="order_id")
    delivery_id = ids.new_id()
    made = run(
        session,
        """
        INSERT INTO deliveries (id, order_id, customer_id, planned_on, shift, driver_id, attempt, state, state_at)
        SELECT :id, o.id, o.customer_id, :on, :shift, :driver_id, max(d.attempt) + 1, 'planned', :now
        FROM orders o JOIN deliveries d ON d.order_id = o.id WHERE o.id = :order_id GROUP BY o.id
        """,
        {"id": delivery_id, "order_id": order_id, "on": on, "shift": shift, "driver_id": driver_id, "now": ctx.now},
    )
    if not made:
        raise errors.NoNextAttempt("An order that was never tried has no next attempt.", field="order_id")
    run(
        session,
        """
        INSERT INTO delivery_lines (delivery_id, order_line_id, customer_id, service_on, ordered_quantity)
        SELECT :id, p.id, p.customer_id, :on, p.quantity FROM order_lines p
        WHERE p.order_id = :order_id AND p.cancelled_at IS NULL AND p.quantity > 0
        """,
        {"id": delivery_id, "order_id": order_id, "on": on},
    )
    audit.record(
        session, ctx, "deliveries.plan_next_attempt", "delivery", delivery_id, after={"order_id": str(order_id)}
    )
    return delivery_id
