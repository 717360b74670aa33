"""Orders by key, and the short codes people know them by."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from earlybird.kernel.ids import ALPHABET
from earlybird.orders.errors import NoSuchOrder
from earlybird.orders.models import Order

PREFIX = "EB"


def code(key: str, length: int = 8) -> str:
    """Return the SQL of `kernel.ids.code` for an order's id: the code of a bulk-made order."""
    bits = f"('x' || right(replace({key}::text, '-', ''), 10))::bit(40)::bigint"
    letters = " || ".join(f"substr('{ALPHABET}', (bits >> {5 * n} & 31)::int + 1, 1)" for n in range(length))
    return f"(SELECT '{PREFIX}-' || {letters} FROM (SELECT {bits} AS bits) b)"


def get_for_update(session: Session, order_id: UUID) -> Order:
    """Return the order, locked until the transaction ends."""
    found = session.scalars(
        select(Order).where(Order.id == order_id).with_for_update().execution_options(populate_existing=True)
    ).one_or_none()
    if found is None:
        raise NoSuchOrder(field="order_id", order_id=order_id)
    return found
