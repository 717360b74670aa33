"""`/api/orders`: an order is shown, changed and ended with its stops, so its doors stand where stops are known."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from earlybird.deliveries.queries import shown
from earlybird.deliveries.schemas.shown import OrderOut
from earlybird.deliveries.service import changes
from earlybird.identity.access import allow
from earlybird.identity.rules import reach
from earlybird.infra import http
from earlybird.infra.db import Session
from earlybird.infra.http import door
from earlybird.infra.shapes import Cursor, Limit, Paged, Search, Word
from earlybird.kernel.ctx import Ctx
from earlybird.orders import queries, service
from earlybird.orders.errors import CustomerNotNamed, ProductTwice
from earlybird.orders.schemas import CancelOrder, OrderChange, OrderIn, OrderRow, WantedLine
from earlybird.orders.service import Wanted
from earlybird.orders.states import OrderSource, OrderState

router = APIRouter(prefix="/api/orders", tags=["orders"], responses=http.PROBLEMS)


@router.get("")
@door(allow("orders.read"))
def page(
    session: Session,
    ctx: Ctx,
    *,
    customer_id: UUID | None = None,
    site_id: UUID | None = None,
    first_on: Annotated[date | None, Query(description="The first service date.")] = None,
    last_on: Annotated[date | None, Query(description="The last service date, included.")] = None,
    state: OrderState | None = None,
    source: OrderSource | None = None,
    q: Search = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Paged[OrderRow]:
    """List the orders you may see, newest first; `q` is an order's code."""
    return queries.page(  # type: ignore[return-value]  # the door shapes it
        session,
        ctx,
        cursor=cursor,
        limit=limit,
        customer_id=customer_id,
        site_id=site_id,
        first_on=first_on,
        last_on=last_on,
        state=state,
        source=source,
        q=q,
    )


@router.get("/{order_id}")
@door(allow("orders.read"))
def show(session: Session, ctx: Ctx, *, order_id: UUID) -> OrderOut:
    """Show an order with its lines, its stops, and who delivered when."""
    return _shown(session, ctx, order_id)


@router.post("", status_code=201)
@door(allow("orders.place"))
def place(session: Session, ctx: Ctx, *, body: OrderIn) -> OrderOut:
    """Place a one-time order, before the cut-off of its day: a customer for themselves, staff for anybody."""
    mine = reach(ctx)["my_customers"]
    if body.customer_id is None and len(mine) != 1:
        raise CustomerNotNamed(field="customer_id")
    order = service.place(
        session,
        ctx,
        body.customer_id or UUID(mine[0]),
        lines=_wanted(body.lines),
        service_on=body.service_on,
        shift=body.shift,
        address_id=body.address_id,
        note=body.note,
    )
    return _shown(session, ctx, order.id)


@router.put("/{order_id}")
@door(allow("orders.change"), unchanged=("orders", "order_id", show))
def change(session: Session, ctx: Ctx, *, order_id: UUID, body: OrderChange) -> OrderOut:
    """Change what a one-time order holds, before the cut-off; its planned stop changes with it."""
    changes.change(session, ctx, order_id, lines=_wanted(body.lines), address_id=body.address_id, note=body.note)
    return _shown(session, ctx, order_id)


@router.post("/{order_id}/cancel")
@door(allow("orders.cancel"), unchanged=("orders", "order_id", show))
def cancel(session: Session, ctx: Ctx, *, order_id: UUID, body: CancelOrder) -> OrderOut:
    """Cancel an order and its stop, before the cut-off; the plan never brings it back."""
    changes.cancel(session, ctx, order_id, reason=body.reason)
    return _shown(session, ctx, order_id)


@router.delete("/{order_id}")
@door(allow("orders.withdraw"), unchanged=("orders", "order_id", show))
def withdraw(
    session: Session,
    ctx: Ctx,
    *,
    order_id: UUID,
    reason: Annotated[Word, Query(description="Why; it is kept.", examples=["Placed twice by mistake."])],
) -> OrderOut:
    """Withdraw an order nobody went out with, also after the cut-off; it stays to be seen as cancelled."""
    changes.withdraw(session, ctx, order_id, reason=reason)
    return _shown(session, ctx, order_id)


def _shown(session: Session, ctx: Ctx, order_id: UUID) -> OrderOut:
    found: Any = shown.order(session, ctx, order_id)
    return found  # type: ignore[no-any-return]  # the door shapes it


def _wanted(lines: list[WantedLine]) -> list[Wanted]:
    products = [line.product_id for line in lines]
    for place, product_id in enumerate(products):
        if product_id in products[:place]:
            raise ProductTwice(field=f"lines.{place}.product_id")
    return [Wanted(line.product_id, line.quantity, line.unit_price) for line in lines]
