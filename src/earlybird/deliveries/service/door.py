"""At the door: confirmations, corrections and returns, one or a hundred thousand, judged each on its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.audit.errors import ChangedMeanwhile
from earlybird.deliveries import errors, rules
from earlybird.deliveries.rules import Cash, Line, Told, Whose
from earlybird.deliveries.schemas import Answer, Confirmation, NotRead, Verdict, said
from earlybird.deliveries.service import facts, stops
from earlybird.deliveries.service.stops import Chunk, Known, Order, Stop, Word
from earlybird.deliveries.states import MACHINE, DeliveryState, EventKind
from earlybird.kernel import ids
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.errors import Failure
from earlybird.kernel.states import Machine
from earlybird.orders.states import MACHINE as ORDER_MACHINE
from earlybird.orders.states import OrderState

TRIES = 5
AGAIN = frozenset({"40001", "40P01", "23505"})
"""Serialization, deadlock, somebody else wrote that client_id a moment ago: a second look decides."""
DATA = ("22", "23")
"""Classes of SQLSTATE that speak of a value, not of the server."""


def confirm(session: Session, ctx: Ctx, confirmation: Confirmation) -> Verdict:
    """Take one confirmation; a refused one is kept too, so the verdict is returned, not raised."""
    return confirm_many(session, ctx, [confirmation])[0]


def confirm_many(
    session: Session,
    ctx: Ctx,
    confirmations: Sequence[Confirmation | NotRead],
    *,
    bodies: Sequence[bytes] | None = None,
    whose: Whose | None = None,
) -> list[Verdict]:
    """Take confirmations in their order and answer each; what cannot be taken is kept as it came.

    `bodies` are the texts they were read from. A row that the database itself refuses is found by
    halving and rejected alone. Orders stay locked until the caller's transaction ends. With
    `whose`, the stops of others are not there, and the stop says how much the word counts; without it every stop
    is there, and the confirmation says so itself.
    """
    texts = bodies or [as_text(item) for item in confirmations]
    return confirm_words(session, [Word(ctx, *both, whose) for both in zip(confirmations, texts, strict=True)])


def as_text(item: Confirmation | NotRead) -> bytes:
    """Return a confirmation as the text that is kept of it where it is refused."""
    return item.model_dump_json().encode() if isinstance(item, Confirmation) else b""


def confirm_words(session: Session, words: Sequence[Word], *, is_tried: bool = False) -> list[Verdict]:
    """Take confirmations of many people, as `confirm_many` does, all at the first one's `now`: each by its own.

    With `is_tried` a collision and a value the database refuses are raised, for the caller to take all of it back.
    """
    if not words:
        return []
    return _take(session, list(words)) if is_tried else _within(session, list(words))


def _within(session: Session, words: list[Word]) -> list[Verdict]:
    """Take a chunk inside a savepoint: again after a collision, in halves where a value is refused."""
    for left in reversed(range(TRIES)):
        try:
            with session.begin_nested():
                return _take(session, words)
        except DBAPIError as failure:
            state = getattr(failure.orig, "sqlstate", None) or ""
            if failure.connection_invalidated or not (state in AGAIN or state.startswith(DATA)):
                raise
            if state in AGAIN and left:
                continue
            if not state.startswith(DATA):
                raise
            reason = str(failure.orig).splitlines()[0]
            break
    if len(words) > 1:
        half = len(words) // 2
        return [*_within(session, words[:half]), *_within(session, words[half:])]
    refusal = errors.DatabaseRefused(reason=reason)
    verdict = refused(words[0].item.client_id, refusal)
    facts.keep_rejections(session, words[0].ctx, [words[0].body], [verdict])
    return [verdict]


def _take(session: Session, words: list[Word]) -> list[Verdict]:
    """Load, judge and write one chunk."""
    ctx, bodies = words[0].ctx, [word.body for word in words]
    chunk = stops.load(session, [word.item for word in words if isinstance(word.item, Confirmation)])
    verdicts = []
    for word in words:
        item = word.item
        if isinstance(item, Confirmation):
            try:
                verdicts.append(_judge(chunk, word, item))
            except Failure as failure:
                verdicts.append(refused(item.client_id, failure))
        else:
            verdicts.append(Verdict(Answer.rejected, item.client_id, field=item.field, rule=item.rule))
    facts.keep(session, ctx, chunk.kept)
    _move(session, ctx, chunk)
    if chunk.has_refused:
        facts.resolve_rejections(session, ctx, verdicts)
    facts.keep_rejections(session, ctx, bodies, verdicts)
    return verdicts


def refused(client_id: str | None, failure: Failure) -> Verdict:
    """Return the verdict on what a failure speaks of."""
    return Verdict(Answer.rejected, client_id, field=failure.field, rule=said(failure), failure=failure)


def _judge(chunk: Chunk, word: Word, item: Confirmation) -> Verdict:
    """Judge one confirmation against what is known and take it in; raise what refuses it."""
    ctx, whose = word.ctx, word.whose
    digest = item.digest()
    known = chunk.known.get(item.client_id)
    if known is not None:
        if known.digest is not None and not (known.digest == digest and chunk.is_about(item, known.verdict)):
            raise errors.ClientIdTaken(field="client_id")
        return known.verdict
    order = _order(chunk, item, whose)
    stop = _stop(stops.of_whom(whose, order), item)
    authority = stops.authority(whose, order, stop) if whose else None
    rank = item.rank if authority is None else authority.value
    rules.check_when(
        chunk.policy,
        kind=item.kind,
        authority=rank,
        reason=item.reason,
        device_at=item.device_at,
        device_on=item.device_at.astimezone(order.zone).date(),
        planned_on=stop.planned_on,
        now=ctx.now,
    )
    if item.outcome is not None:
        quantities = rules.shortcut(stop.lines, delivered=item.outcome == "delivered")
    else:
        quantities = rules.quantities(chunk.policy, stop.lines, item.claims)
    if item.cash and item.cash.currency != order.currency:
        raise errors.CashCurrency(field="cash.currency", currency=order.currency)
    return _accept(ctx, chunk, order, stop, item, rank, digest, quantities)


def _order(chunk: Chunk, item: Confirmation, whose: Whose | None) -> Order:
    """Return the order that a confirmation names."""
    where = "order_code" if item.order_code is not None else "order_id"
    found = chunk.order_named(item)
    if isinstance(found, Failure):
        raise found
    order = chunk.orders.get(found) if found is not None else None
    if order is None or (whose is not None and not stops.of_whom(whose, order)):
        raise errors.OrderUnknown(field=where)
    if order.state == OrderState.cancelled:
        raise errors.OrderCancelled(field=where)
    return order


def _stop(mine: list[Stop], item: Confirmation) -> Stop:
    """Return the attempt that a confirmation names, else the latest."""
    if item.delivery_id is not None:
        found, where = [s for s in mine if s.id == str(item.delivery_id)], "delivery_id"
        if item.attempt is not None:
            found, where = [s for s in found if s.attempt == item.attempt], "attempt" if found else where
    elif item.attempt is not None:
        found, where = [s for s in mine if s.attempt == item.attempt], "attempt"
    else:
        found, where = mine[-1:], "order_id"
    if not found:
        raise errors.DeliveryUnknown(field=where)
    if found[0].state == DeliveryState.cancelled:
        raise errors.DeliveryCancelled(field=where)
    if not any(not line.is_cancelled for line in found[0].lines):
        raise errors.NothingToDeliver(field=where)
    return found[0]


def _accept(
    ctx: Ctx,
    chunk: Chunk,
    order: Order,
    stop: Stop,
    item: Confirmation,
    rank: int,
    digest: str,
    quantities: dict[str, Decimal],
) -> Verdict:
    """Add an event to its stop and note by how much it changes what follows from all of them."""
    if item.actor is None:
        actor = (ctx.actor.kind, ctx.actor.id, ctx.actor.name)
    else:
        actor = (item.actor.kind, item.actor.id, item.actor.name)
    told = Told(
        item.client_id,
        item.kind,
        rank,
        item.device_at,
        stops.actor_word(*actor),
        quantities,
        item.containers,
        (item.cash.amount_minor, item.cash.currency) if item.cash else None,
        stops.user_of(actor[0], actor[1]),
        item.device_id,
    )
    event_id = ids.new_id()
    before = {way: rules.containers(stop.events, way) for way in told.containers}
    cash_before = rules.cash(stop.events, stop.driver_id)
    stop.events.append(told)
    reasons = _reasons(stop, item)
    for line in stop.lines:
        if line.id in quantities:
            settled = rules.settle(stop.events, line.id, line.ordered)
            delta = settled - stop.delivered[line.id]
            if delta:
                revision = chunk.revisions[line.id] = chunk.revisions.get(line.id, 0) + 1
                stop.delivered[line.id] = settled
                chunk.kept.add_line(order.customer_id, event_id, line, revision, delta, reasons.get(line.id))
            if len(stop.events) > 1 or not chunk.policy.quantities:
                _compare(chunk, order, stop, line)
    for way, earlier in before.items():
        moved = rules.containers(stop.events, way) - earlier
        chunk.kept.add_containers(order.customer_id, event_id, stop.planned_on, way[1:], moved)
    if told.cash is not None:
        _take_cash(chunk, order, stop, event_id, cash_before)
    received_on = ctx.now.astimezone(order.zone).date()
    if rules.is_late(chunk.policy, kind=item.kind, planned_on=stop.planned_on, received_on=received_on):
        chunk.kept.find(
            "told_late",
            item.client_id,
            "What happened at a door became known long after its day.",
            order.customer_id,
            order_id=order.id,
            delivery_id=stop.id,
            planned_on=str(stop.planned_on),
            received_on=str(received_on),
        )
    stop.now_state = stop.outcome()
    order.spoken_by = ctx
    chunk.touched[order.id] = order
    has_word = len(stop.events) == 1 and item.kind != EventKind.return_
    answer = Answer.accepted if has_word or rules.has_word(stop.events, told) else Answer.superseded
    verdict = Verdict(answer, item.client_id, UUID(order.id), UUID(stop.id), event_id, str(stop.now_state))
    chunk.kept.add_event(ctx, item, actor, stop.planned_on, told, verdict, digest, order.customer_id)
    chunk.known[item.client_id] = Known(digest, verdict._replace(answer=Answer.repeated, first=answer))
    return verdict


def _reasons(stop: Stop, item: Confirmation) -> dict[str, str]:
    """Return why, per line: the line's own reason, else the confirmation's."""
    found = dict.fromkeys((line.id for line in stop.lines), item.reason) if item.reason else {}
    for place, claimed in enumerate(item.lines or ()):
        if claimed.reason:
            found[rules.find_line(stop.lines, item.claims[place], place).id] = claimed.reason
    return {line_id: reason for line_id, reason in found.items() if reason}


def _take_cash(chunk: Chunk, order: Order, stop: Stop, event_id: UUID, before: Cash | None) -> None:
    """Note what the cash of a stop stands at now, where that changed, and where words about it disagree."""
    now = rules.cash(stop.events, stop.driver_id)
    if now and now != before and (before or now.amount_minor):
        revision = chunk.cash_revisions[stop.id] = chunk.cash_revisions.get(stop.id, 0) + 1
        chunk.kept.add_cash(order.customer_id, event_id, stop.id, revision, now, stop.planned_on)
    if not rules.disagree_on_cash(stop.events):
        return
    chunk.kept.find(
        "cash_disagrees",
        stop.id,
        "Two people, or two devices, told different cash of one stop.",
        order.customer_id,
        order_id=order.id,
        delivery_id=stop.id,
        counts=max((e for e in stop.events if e.cash), key=rules.rank).client_id,
        told={e.client_id: e.cash[0] for e in sorted(stop.events, key=rules.rank) if e.cash},
    )
    if rules.cash_is_decided(stop.events):
        chunk.kept.over("cash_disagrees", stop.id)


def _compare(chunk: Chunk, order: Order, stop: Stop, line: Line) -> None:
    """Note where words about a line disagree or go beyond the goods."""
    best = rules.winner(stop.events, line.id)
    if best is None:
        return
    if rules.disagree(stop.events, line.id):
        chunk.kept.find(
            "confirmations_disagree",
            line.id,
            "Two people, or two devices, told different quantities of one line.",
            order.customer_id,
            order_id=order.id,
            delivery_id=stop.id,
            counts=best.client_id,
            told={
                e.client_id: str(e.quantities[line.id])
                for e in sorted(stop.events, key=rules.rank)
                if e.kind != EventKind.return_ and line.id in e.quantities
            },
        )
        if rules.is_decided(stop.events, line.id):
            chunk.kept.over("confirmations_disagree", line.id)
    if over := rules.excess(stop.events, line.id, line.ordered):
        chunk.kept.find(
            "quantities_beyond_order",
            line.id,
            "More was told or returned than the line holds.",
            order.customer_id,
            order_id=order.id,
            delivery_id=stop.id,
            quantity=str(over),
        )
    elif len(stop.events) > 1:
        chunk.kept.over("quantities_beyond_order", line.id)


def _move(session: Session, ctx: Ctx, chunk: Chunk) -> None:
    """Move the touched deliveries and their orders to where the words put them."""
    visits: dict[str, list[tuple[str, Ctx]]] = defaultdict(list)
    orders: dict[tuple[str, ...], list[tuple[str, Ctx]]] = defaultdict(list)
    for order in chunk.touched.values():
        by = order.spoken_by or ctx
        for stop in order.stops:
            if stop.now_state != stop.state:
                visits[rules.VERBS[stop.now_state]].append((stop.id, by))
        totals = order.totals()
        if len(order.stops) > 1:
            _compare_attempts(chunk, order, totals)
        pairs = [(order.wanted[line_id], total) for line_id, total in totals.items()]
        target = rules.order_state(pairs, [stop.now_state for stop in order.stops])
        if target is not None and target != order.state:
            orders[tuple(rules.order_path(order.state, target))].append((order.id, by))
    for verb, moving in visits.items():
        _move_all(session, ctx, "deliveries", MACHINE, verb, moving)
    for path, moving in orders.items():
        for verb in path:
            _move_all(session, ctx, "orders", ORDER_MACHINE, verb, moving)
    facts.keep_findings(session, ctx, chunk.kept)


def _move_all(
    session: Session, ctx: Ctx, table: str, machine: Machine[Any], verb: str, moving: list[tuple[str, Ctx]]
) -> None:
    """Move rows, each by who spoke of it; refuse to go on when one under our lock was moved by somebody without it."""
    by = [who for _, who in moving]
    moved = audit.move_many(session, ctx, table, machine, verb, [key for key, _ in moving], by=by)
    if len(moved) != len(moving):
        raise ChangedMeanwhile(moved=len(moved), expected=len(moving))


def _compare_attempts(chunk: Chunk, order: Order, totals: dict[str, Decimal]) -> None:
    """Note where the attempts together handed over more than the order."""
    for line_id, total in totals.items():
        if total > order.wanted[line_id]:
            chunk.kept.find(
                "quantities_beyond_order",
                line_id,
                "The attempts together delivered more than was ordered.",
                order.customer_id,
                order_id=order.id,
                quantity=str(total - order.wanted[line_id]),
            )
        else:
            chunk.kept.over("quantities_beyond_order", line_id)
