"""Place and cancel orders by hand; those of standing orders are made by the plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.catalog import queries as catalog
from earlybird.customers.models import Customer
from earlybird.infra.db import run
from earlybird.kernel import ids
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.money import Money
from earlybird.orders import queries
from earlybird.orders.errors import NoPriceInForce, NoSuchProduct, NothingOrdered
from earlybird.orders.models import Order, OrderLine
from earlybird.orders.states import MACHINE, CancelledBy, OrderSource
from earlybird.subscriptions.errors import NoSuchCustomer
from earlybird.subscriptions.service import check_cutoff
from earlybird.territory.states import Shift


@dataclass(frozen=True, slots=True)
class Wanted:
    """So much of a product, in its unit; at a given unit price (major units), or at the one in force."""

    product_id: UUID
    quantity: Decimal
    unit_price: Decimal | None = None


def place(
    session: Session,
    ctx: Ctx,
    customer_id: UUID,
    *,
    service_on: date,
    shift: Shift,
    lines: Sequence[Wanted],
    address_id: UUID | None = None,
    note: str | None = None,
) -> Order:
    """Take a one-time order for a service date still open; a line copies the price it is sold at."""
    if not lines or any(line.quantity <= 0 for line in lines):
        raise NothingOrdered(field="lines")
    customer = session.get(Customer, customer_id)
    if customer is None:
        raise NoSuchCustomer(field="customer_id", customer_id=customer_id)
    check_cutoff(session, ctx, customer.site_id, service_on, [shift], field="service_on")
    key = ids.new_id()
    order = Order(
        id=key,
        code=ids.code(queries.PREFIX, key),
        seller_id=customer.business_id,
        site_id=customer.site_id,
        customer_id=customer_id,
        address_id=address_id,
        source=OrderSource.one_time,
        service_on=service_on,
        shift=shift,
        state=MACHINE.start,
        state_at=ctx.now,
        placed_at=ctx.now,
        note=note,
    )
    session.add(order)
    session.flush()  # the lines' foreign key
    session.add_all(_priced(session, ctx, order, line) for line in lines)
    session.flush()  # so that what reads next sees the lines
    audit.record(session, ctx, "orders.place", "order", key, after={"code": order.code, "lines": len(lines)})
    return order


def cancel(session: Session, ctx: Ctx, order_id: UUID, *, reason: str) -> Order:
    """Cancel an order before its cut-off and before it is out; the plan never brings its lines back."""
    order = queries.get_for_update(session, order_id)
    if order.service_on is not None and order.shift is not None:
        check_cutoff(session, ctx, order.site_id, order.service_on, [order.shift], field="service_on")
    audit.move(session, ctx, order, MACHINE, "cancel", reason=reason)
    session.flush()  # the order before its lines
    run(
        session,
        "UPDATE order_lines SET cancelled_at = coalesce(cancelled_at, :now), cancelled_by = :by WHERE order_id = :id",
        {"now": ctx.now, "by": str(CancelledBy.person), "id": order_id},
    )
    return order


def _priced(session: Session, ctx: Ctx, order: Order, line: Wanted) -> OrderLine:
    product = catalog.price_on(session, line.product_id, order.customer_id, order.service_on or ctx.now.date())
    if product is None:
        raise NoSuchProduct(field="product_id", product_id=line.product_id)
    unit_price = product["unit_price"] if line.unit_price is None else line.unit_price
    if unit_price is None:
        raise NoPriceInForce(field="unit_price", product=product["name"], service_on=order.service_on)
    return OrderLine(
        order_id=order.id,
        customer_id=order.customer_id,
        service_on=order.service_on,
        shift=order.shift,
        source=order.source,
        price_id=product["price_id"] if line.unit_price is None else None,
        product_id=line.product_id,
        product_name=product["name"],
        unit=product["unit_code"],
        quantity=line.quantity,
        base_quantity=line.quantity,
        unit_price=unit_price,
        currency=product["currency"],
        amount_minor=Money.of(unit_price, line.quantity, product["currency"]).minor,
        tax_class_id=product["tax_class_id"],
        planned_at=ctx.now,
    )
