"""Ask, decide, withdraw. What is approved is done here and now by the slices below, and the day planned again."""

from __future__ import annotations

import hashlib
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.infra.db import Engine, transaction
from earlybird.kernel import ids
from earlybird.kernel.ctx import Ctx
from earlybird.orders import service as orders
from earlybird.orders.service import Wanted
from earlybird.requests import errors, queries, rules
from earlybird.requests.models import Request
from earlybird.requests.states import MACHINE, Kind, Late
from earlybird.subscriptions import queries as standing
from earlybird.subscriptions import service as subscriptions
from earlybird.subscriptions.errors import NotSold
from earlybird.subscriptions.rules import concerned
from earlybird.territory import queries as territory
from earlybird.territory.errors import NotADriver
from earlybird.territory.states import Shift


def ask(
    session: Session,
    ctx: Ctx,
    *,
    client_id: str,
    kind: Kind,
    service_on: date,
    customer_id: UUID | None = None,
    delivery_id: UUID | None = None,
    note: str | None = None,
    **wishes: Any,
) -> UUID:
    """Ask for something on a day of a customer within reach; return the request. The same again is that request.

    `wishes`: subscription_id, ends_on, product_id, quantity, shift, driver_id, as the kind needs them. Without a
    standing order a pause or stop is for all of the customer's. The cut-off of the day is stamped on it.
    """
    digest = _digest(kind, service_on, customer_id, delivery_id, note, wishes)
    known = queries.find_known(session, ctx, client_id)
    if known is not None:
        return _same(known, digest)
    rules.check_asker(ctx.actor.scopes, kind)
    rules.check_facts(kind, wishes)
    customer = queries.find_customer(session, ctx, customer_id=customer_id, delivery_id=delivery_id)
    if customer is None:
        if customer_id is None and delivery_id is None:
            raise errors.CustomerNotNamed(field="customer_id")
        raise errors.NoSuchCustomer(field="customer_id" if customer_id else "delivery_id")
    rules.check_days(service_on, wishes.get("ends_on"), customer["today"])
    _check_wishes(session, ctx, customer, wishes)
    if queries.waiting_count(session, ctx) >= rules.MOST_WAITING:
        raise errors.TooManyWaiting
    row = Request(
        id=ids.new_id(),
        client_id=client_id,
        digest=digest,
        kind=kind,
        site_id=customer["site_id"],
        customer_id=customer["id"],
        delivery_id=delivery_id,
        service_on=service_on,
        note=note,
        **wishes,
    )
    closes_at = _cutoff(session, row, service_on)
    facts = {
        "asked_by_kind": ctx.actor.kind,
        "asked_by_id": ctx.actor.id,
        "asked_by": ctx.actor.name,
        "via": ctx.via,
        "made_at": ctx.now,
        "state_at": ctx.now,
        "cutoff_at": closes_at,
        "is_in_time": closes_at is None or ctx.now <= closes_at,
    }
    names = ("id", "client_id", "digest", "kind", "site_id", "customer_id", "delivery_id", "service_on", "note")
    written = {name: getattr(row, name) for name in names} | wishes | facts
    made: UUID | None = session.scalar(insert(Request).values(written).on_conflict_do_nothing().returning(Request.id))
    if made is None:  # asked twice at once
        return _same(queries.find_known(session, ctx, client_id) or {}, digest)
    told = ("kind", "customer_id", "service_on", "cutoff_at", "is_in_time", "note")
    after = audit.plain({name: written[name] for name in told} | wishes)
    audit.record(session, ctx, "request.ask", "request", made, after=after)
    return made


def approve(
    session: Session, ctx: Ctx, request_id: UUID, *, reason: str | None = None, late: Late | None = None
) -> None:
    """Do what was asked for, in this transaction, and have the day planned again.

    After the cut-off of its day only with a reason, and then as `late` says: on that day, if it is not over, or from
    the next day that is still open. What is out or confirmed stays as it is either way.
    """
    row = queries.get_for_update(session, ctx, request_id)
    audit.move(session, ctx, row, MACHINE, "approve", reason=reason)
    row.effective_on, row.is_after_cutoff = _effective(session, ctx, row, reason, late)
    _decide(ctx, row, reason)
    session.flush()  # so that what reads next sees it decided
    row.order_id = _carry_out(session, ctx, row, row.effective_on)
    session.flush()
    said = {"effective_on": row.effective_on, "is_after_cutoff": row.is_after_cutoff, "order_id": row.order_id}
    audit.record(session, ctx, "request.carry_out", "request", row.id, after=audit.plain(said), reason=reason)


def reject(session: Session, ctx: Ctx, request_id: UUID, *, reason: str) -> None:
    """Say no, and why."""
    row = queries.get_for_update(session, ctx, request_id)
    audit.move(session, ctx, row, MACHINE, "reject", reason=reason)
    _decide(ctx, row, reason)
    session.flush()  # so that what reads next sees it decided


def withdraw(session: Session, ctx: Ctx, request_id: UUID) -> None:
    """Take back what waits: whoever asked, the customer themselves, or the office."""
    row = queries.get_for_update(session, ctx, request_id)
    audit.move(session, ctx, row, MACHINE, "withdraw")
    _decide(ctx, row, None)
    session.flush()  # so that what reads next sees it decided


def expire(engine: Engine, ctx: Ctx) -> int:
    """End what waited for an answer until its day was over; return how many."""
    with transaction(engine) as session:
        over = queries.over(session, ctx)
        return len(audit.move_many(session, ctx, "requests", MACHINE, "expire", over, reason="nobody decided in time"))


def _decide(ctx: Ctx, row: Request, reason: str | None) -> None:
    row.decided_at, row.decided_by, row.reason = ctx.now, ctx.actor.name, reason


def _same(known: dict[str, Any], digest: str) -> UUID:
    if known.get("digest") != digest:
        raise errors.ClientIdTaken(field="client_id")
    found: UUID = known["id"]
    return found


def _digest(kind: Kind, service_on: date, *facts: Any) -> str:
    def as_text(fact: Any) -> str:
        return f"{fact.normalize():f}" if isinstance(fact, Decimal) else str(fact)

    content = orjson.dumps([kind, service_on, *facts], default=as_text, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(content).hexdigest()


def _check_wishes(session: Session, ctx: Ctx, customer: dict[str, Any], wishes: dict[str, Any]) -> None:
    """Refuse a standing order, product or driver that is not theirs, not sold or none."""
    subscription_id = wishes.get("subscription_id")
    if subscription_id is not None and not queries.is_theirs(session, customer["id"], subscription_id):
        raise errors.NotTheirOrder(field="subscription_id", subscription_id=subscription_id)
    product_id = wishes.get("product_id")
    if product_id is not None and not standing.is_sold(session, product_id, customer["business_id"]):
        raise NotSold(field="product_id", product_id=product_id)
    driver_id = wishes.get("driver_id")
    if driver_id is not None and not territory.is_driver(session, ctx, driver_id):
        raise NotADriver(field="driver_id", driver_id=driver_id)


def _cutoff(session: Session, row: Request, day: date) -> datetime | None:
    """Return the last moment for what is asked, were it for `day`; None where its shifts have no hours."""
    shifts = concerned(*queries.shifts(session, row, day))
    return min(territory.cutoffs(session, row.site_id, day, shifts).values(), default=None)


def _effective(session: Session, ctx: Ctx, row: Request, reason: str | None, late: Late | None) -> tuple[date, bool]:
    """Return the first day it holds, and whether that day's cut-off has passed."""
    today = territory.today(session, ctx, row.site_id)
    closes_at = _cutoff(session, row, row.service_on)
    is_open = row.service_on >= today if closes_at is None else ctx.now <= closes_at
    if is_open:
        return row.service_on, False
    shifts = concerned(*queries.shifts(session, row, row.service_on))
    first_open = territory.first_open_on(session, row.site_id, shifts, ctx.now)
    if late is None:
        raise errors.TooLateToApprove(field="late", service_on=row.service_on, next_open_on=first_open)
    if not reason:
        raise errors.ReasonNeeded(field="reason")
    if late is Late.that_day:
        if row.service_on < today:
            raise errors.DayIsOver(field="late", service_on=row.service_on)
        return row.service_on, True
    if row.ends_on is not None and row.ends_on < first_open:
        raise errors.NothingLeft(field="late", next_open_on=first_open)
    return first_open, False


def _carry_out(session: Session, ctx: Ctx, row: Request, day: date) -> UUID | None:
    """Do what was asked for from `day` on, or on it; return the order where that made one."""
    why = f"asked for by {row.asked_by}" + (f": {row.note}" if row.note else "")
    after_cutoff = row.is_after_cutoff
    if row.kind == Kind.extra_product:
        wanted = [Wanted(_there(row.product_id), _there(row.quantity))]
        shift = Shift(_there(row.shift))
        made = orders.place(
            session,
            ctx,
            row.customer_id,
            lines=wanted,
            service_on=day,
            shift=shift,
            note=row.note,
            after_cutoff=after_cutoff,
        )
        return made.id
    if row.kind in rules.OF_A_DAY:
        key = _there(row.subscription_id)
        given = {"quantity": row.quantity, "shift": row.shift and Shift(row.shift), "driver_id": row.driver_id}
        wished = {name: fact for name, fact in given.items() if fact is not None}
        said = {"service_on": day, "reason": why, "after_cutoff": after_cutoff}
        subscriptions.override(session, ctx, key, **(queries.said_of(session, key, day) | wished | said))
        return None
    is_stop = row.kind == Kind.stop
    one = [row.subscription_id] if row.subscription_id else None
    keys = one or queries.running(session, row.customer_id, day, last_on=row.ends_on, is_stop=is_stop)
    if not keys:
        raise errors.NothingToChange(field="request_id")
    for key in keys:
        if is_stop:
            subscriptions.stop(session, ctx, key, stops_on=day, reason=why, after_cutoff=after_cutoff)
        else:
            subscriptions.pause(
                session, ctx, key, starts_on=day, ends_on=row.ends_on, reason=why, after_cutoff=after_cutoff
            )
    return None


def _there(fact: Any) -> Any:
    assert fact is not None  # noqa: S101  # the rules of its kind ask for it
    return fact
