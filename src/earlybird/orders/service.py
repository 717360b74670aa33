"""Place, change and cancel orders by hand; those of standing orders are made by the plan.

An order that has a stop is changed together with it: doors call `deliveries.service.changes`.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.identity.rules import Scope
from earlybird.infra import fields, policies
from earlybird.infra.db import run
from earlybird.kernel import ids
from earlybird.kernel.clock import business_day
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.money import Money
from earlybird.orders import errors, queries
from earlybird.orders.models import Order, OrderLine
from earlybird.orders.states import MACHINE, CancelledBy, OrderSource, OrderState
from earlybird.subscriptions.errors import CutoffPassed, NoSuchCustomer
from earlybird.subscriptions.service import check_cutoff
from earlybird.territory import queries as territory
from earlybird.territory import service as days
from earlybird.territory.states import Shift

DAYS_AHEAD = 366
BUSINESS = "business"


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
    lines: Sequence[Wanted],
    service_on: date | None = None,
    shift: Shift | None = None,
    address_id: UUID | None = None,
    note: str | None = None,
    after_cutoff: bool = False,
) -> Order:
    """Take a one-time order for a service date still open; a line copies the price it is sold at.

    Only a business customer's order may leave the day open; it then costs what is in force today. `after_cutoff`:
    also for a day whose cut-off has passed, if it is not past itself.
    """
    _check_lines(session, ctx, lines)
    buyer = queries.find_buyer(session, ctx, customer_id)
    if buyer is None:
        raise NoSuchCustomer(field="customer_id", customer_id=customer_id)
    _check_day(session, ctx, buyer, service_on, shift, after_cutoff=after_cutoff)
    _check_address(session, customer_id, address_id)
    key = ids.new_id()
    order = Order(
        id=key,
        code=ids.code(queries.PREFIX, key),
        seller_id=buyer["business_id"],
        site_id=buyer["site_id"],
        customer_id=customer_id,
        address_id=address_id,
        source=OrderSource.one_time,
        service_on=service_on,
        shift=shift,
        state=MACHINE.start,
        state_at=ctx.now,
        placed_at=ctx.now,
        placed_by_id=ctx.actor.id if ctx.actor.kind == "user" else None,
        note=note,
    )
    session.add(order)
    session.flush()  # the lines' foreign key
    made = _priced(session, ctx, order, buyer["zone"], list(enumerate(lines)), first=1)
    session.add_all(made)
    session.flush()  # so that what reads next sees the lines
    audit.record(session, ctx, "orders.place", "order", key, after={"code": order.code, **_content(order, made)})
    if service_on is not None:
        days.replan(session, ctx, order.site_id, first_on=service_on, last_on=service_on, reason="orders.place")
    return order


def change(
    session: Session,
    ctx: Ctx,
    order_id: UUID,
    *,
    lines: Sequence[Wanted],
    address_id: UUID | None = None,
    note: str | None = None,
) -> Order:
    """Let a one-time order hold these lines, this address and this note instead, before its cut-off.

    A line that stays keeps its price unless another is given; one that is not named is cancelled.
    """
    _check_lines(session, ctx, lines)
    order = queries.get_for_update(session, ctx, order_id)
    if order.source != OrderSource.one_time:
        raise errors.MadeByStandingOrder(field="order_id")
    if order.state not in MACHINE.sources("cancel"):
        raise errors.OrderNotOpen(field="order_id", state=str(order.state))
    _check_cutoff(session, ctx, order)
    _check_address(session, order.customer_id, address_id)
    standing = queries.lines(session, order_id)
    before = _content(order, standing)
    kept, gone, wished = _matched(standing, lines)
    for line, wish in kept:
        line.quantity = line.base_quantity = wish.quantity
        if wish.unit_price is not None and wish.unit_price != line.unit_price:
            line.unit_price, line.price_id = wish.unit_price, None
        line.amount_minor = Money.of(line.unit_price, line.quantity, line.currency).minor
    for line in gone:
        line.cancelled_at, line.cancelled_by = ctx.now, CancelledBy.person
    zone = queries.zone_of(session, order.site_id)
    made = _priced(session, ctx, order, zone, wished, first=max((line.position for line in standing), default=0) + 1)
    session.add_all(made)
    order.note = note
    if order.address_id != address_id:
        order.address_id = address_id
        is_planned = order.state == OrderState.planned  # the plan takes the snapshot
        order.address = queries.address_of(session, order.customer_id, address_id) if is_planned else None
    session.flush()  # so that what reads next sees the lines
    after = _content(order, [*(line for line, _ in kept), *made])
    audit.record(session, ctx, "orders.change", "order", order_id, before=before, after=after)
    return order


def cancel(session: Session, ctx: Ctx, order_id: UUID, *, reason: str) -> Order:
    """Cancel an order before its cut-off and before it is out; the plan never brings its lines back."""
    order = queries.get_for_update(session, ctx, order_id)
    _check_cutoff(session, ctx, order)
    return _end(session, ctx, order, "cancel", reason)


def withdraw(session: Session, ctx: Ctx, order_id: UUID, *, reason: str) -> Order:
    """Cancel an order nobody went out with, also after its cut-off."""
    return _end(session, ctx, queries.get_for_update(session, ctx, order_id), "withdraw", reason)


def _end(session: Session, ctx: Ctx, order: Order, verb: str, reason: str) -> Order:
    audit.move(session, ctx, order, MACHINE, verb, reason=reason)
    session.flush()  # the order before its lines
    run(
        session,
        "UPDATE order_lines SET cancelled_at = coalesce(cancelled_at, :now), cancelled_by = :by WHERE order_id = :id",
        {"now": ctx.now, "by": str(CancelledBy.person), "id": order.id},
    )
    return order


def _check_lines(session: Session, ctx: Ctx, lines: Sequence[Wanted]) -> None:
    if not lines or any(line.quantity <= 0 for line in lines):
        raise errors.NothingOrdered(field="lines")
    for place, line in enumerate(lines):
        wished = {"quantity": line.quantity, "unit_price": line.unit_price}
        fields.check(session, "order_lines", inside=f"lines.{place}.", **wished)
    if Scope.all not in ctx.actor.scopes:
        for place, line in enumerate(lines):
            if line.unit_price is not None:
                raise errors.PriceNotYours(field=f"lines.{place}.unit_price")


def _check_day(
    session: Session,
    ctx: Ctx,
    buyer: dict[str, Any],
    service_on: date | None,
    shift: Shift | None,
    *,
    after_cutoff: bool,
) -> None:
    """Refuse a day or shift that cannot be ordered for: by whom, too late, too early, or that the site does not run."""
    today = business_day(ctx.now, buyer["zone"])
    is_stopped = buyer["is_stopped"] and (buyer["state_from"] is None or buyer["state_from"] <= (service_on or today))
    if (buyer["is_archived"] or is_stopped) and policies.is_on(session, policies.REFERENCES):
        raise errors.CustomerGone(field="customer_id")
    if service_on is None:
        if buyer["kind"] != BUSINESS or shift is not None:
            raise errors.DayNotNamed(field="service_on")
        return
    if shift is None:
        raise errors.ShiftNotRun(field="shift")
    closes_at = check_cutoff(
        session, ctx, buyer["site_id"], service_on, [shift], field="service_on", after_cutoff=after_cutoff
    )
    if service_on < today:
        raise CutoffPassed(field="service_on", service_on=service_on)
    if closes_at is None:
        raise errors.ShiftNotRun(field="shift", shift=str(shift))
    if service_on > today + timedelta(days=DAYS_AHEAD):
        raise errors.TooFarAhead(field="service_on", service_on=service_on)
    if buyer["cutover_on"] is not None and service_on < buyer["cutover_on"]:
        raise errors.BeforeTakeOver(field="service_on", service_on=service_on, cutover_on=buyer["cutover_on"])
    closed = territory.closed(session, buyer["site_id"], service_on)
    if closed is not None:
        raise errors.SiteClosed(field="service_on", service_on=service_on, reason=closed)


def _check_cutoff(session: Session, ctx: Ctx, order: Order) -> None:
    if order.service_on is not None and order.shift is not None:
        check_cutoff(session, ctx, order.site_id, order.service_on, [order.shift], field="service_on")


def _check_address(session: Session, customer_id: UUID, address_id: UUID | None) -> None:
    if address_id is not None and not queries.has_address(session, customer_id, address_id):
        raise errors.NoSuchAddress(field="address_id", address_id=address_id)


def _matched(
    standing: Sequence[OrderLine], lines: Sequence[Wanted]
) -> tuple[list[tuple[OrderLine, Wanted]], list[OrderLine], list[tuple[int, Wanted]]]:
    """Pair what is wanted with the lines of the same product; return the pairs, the lines left, the wishes left."""
    pools: dict[UUID, deque[OrderLine]] = defaultdict(deque)
    for line in standing:
        pools[line.product_id].append(line)
    kept, wished = [], []
    for place, wish in enumerate(lines):
        pool = pools[wish.product_id]
        if pool:
            kept.append((pool.popleft(), wish))
        else:
            wished.append((place, wish))
    return kept, [line for pool in pools.values() for line in pool], wished


def _priced(
    session: Session, ctx: Ctx, order: Order, zone: str, wished: Sequence[tuple[int, Wanted]], *, first: int
) -> list[OrderLine]:
    """Return new lines, numbered from `first`; `wished` says where each stands in what was asked."""
    if not wished:
        return []
    day = order.service_on or business_day(ctx.now, zone)
    keys = [wish.product_id for _, wish in wished]
    offers = queries.offers(session, order.seller_id, order.customer_id, keys, day)
    line_ids = sorted(ids.new_id() for _ in wished)  # so that by id they stand as they were named
    return [
        _line(session, ctx, order, offers, wish, field=f"lines.{place}", key=line_ids[n], position=first + n)
        for n, (place, wish) in enumerate(wished)
    ]


def _line(
    session: Session,
    ctx: Ctx,
    order: Order,
    offers: dict[UUID, dict[str, Any]],
    wish: Wanted,
    *,
    field: str,
    key: UUID,
    position: int,
) -> OrderLine:
    offer = offers.get(wish.product_id)
    if offer is None:
        raise errors.NoSuchProduct(field=f"{field}.product_id", product_id=wish.product_id)
    if offer["is_archived"] and policies.is_on(session, policies.REFERENCES):
        raise errors.NotSoldAnyMore(field=f"{field}.product_id", product=offer["name"])
    is_given = wish.unit_price is not None
    unit_price = wish.unit_price if is_given else offer["unit_price"]
    if unit_price is None:
        raise errors.NoPriceInForce(field=f"{field}.product_id", product=offer["name"], service_on=order.service_on)
    if not is_given and offer["price_currency"] != offer["currency"]:
        raise errors.ForeignCurrency(field=f"{field}.product_id", product=offer["name"])
    return OrderLine(
        id=key,
        order_id=order.id,
        position=position,
        customer_id=order.customer_id,
        service_on=order.service_on,
        shift=order.shift,
        source=order.source,
        price_id=None if is_given else offer["price_id"],
        product_id=wish.product_id,
        product_name=offer["name"],
        unit=offer["unit_code"],
        quantity=wish.quantity,
        base_quantity=wish.quantity,
        unit_price=unit_price,
        currency=offer["currency"],
        amount_minor=Money.of(unit_price, wish.quantity, offer["currency"]).minor,
        tax_class_id=offer["tax_class_id"],
        planned_at=ctx.now,
    )


def _content(order: Order, lines: Iterable[OrderLine]) -> dict[str, Any]:
    """Return what an order holds, as the audit keeps it."""
    return {
        "lines": [
            {
                "id": str(line.id),
                "product_id": str(line.product_id),
                "quantity": f"{line.quantity.normalize():f}",
                "unit_price": f"{line.unit_price.normalize():f}",
                "amount_minor": line.amount_minor,
            }
            for line in lines
        ],
        "address_id": order.address_id and str(order.address_id),
        "note": order.note,
    }
