"""Who tells what: a confirmation that came over the network is told by whoever sent it, not by whom it names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from earlybird.deliveries import errors
from earlybird.deliveries.queries import door as queries
from earlybird.deliveries.queries import shown
from earlybird.deliveries.rules import Whose
from earlybird.deliveries.schemas import Answer, Confirmation, NotRead, Teller, Verdict, said
from earlybird.deliveries.schemas.legacy import NOTHING_WENT, SOME_WENT, LegacyItem, MarkDelivered
from earlybird.deliveries.service import door, facts
from earlybird.deliveries.service.stops import Word
from earlybird.deliveries.states import Authority, EventKind, Via
from earlybird.identity.rules import Scope, reach
from earlybird.kernel import ids
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.errors import Failure
from earlybird.kernel.money import scale

FROM_THE_REQUEST = ("actor", "authority", "via", "device")


class Telling(NamedTuple):
    """Who tells of which delivery, in the words of a `Confirmation` without it."""

    ctx: Ctx
    delivery_id: UUID
    words: Mapping[str, Any]


def tell(session: Session, ctx: Ctx, delivery_id: UUID, *, words: Mapping[str, Any]) -> Verdict:
    """Take one confirmation of a delivery the actor reaches; a refused one is kept, so its verdict is returned.

    `words` are those of a `Confirmation` without the delivery; the order may be left out, as the delivery names it.
    """
    verdict = tell_together(session, [Telling(ctx, delivery_id, words)])[0]
    if isinstance(verdict, Failure):
        raise verdict
    return verdict


def tell_together(session: Session, tellings: Sequence[Telling], *, is_tried: bool = False) -> list[Verdict | Failure]:
    """Take confirmations of many people at once, each as `tell` takes it; what `tell` would raise is in its place.

    Those of one order are taken one after the other, all in the caller's transaction, at the first one's `now`.
    With `is_tried` what no verdict can tell is raised, for the caller to take all of it back.
    """
    answers: list[Verdict | Failure] = []
    rounds: list[list[tuple[int, Ctx, Confirmation]]] = []
    turns: Counter[UUID] = Counter()
    for n, (telling, order_id) in enumerate(zip(tellings, shown.orders_of(session, tellings), strict=True)):
        try:
            given = _named(telling, order_id)
        except Failure as failure:
            answers.append(failure)
            continue
        assert order_id is not None  # noqa: S101  # it was named
        answers.append(Verdict(Answer.rejected, None))
        if turns[order_id] == len(rounds):
            rounds.append([])
        rounds[turns[order_id]].append((n, telling.ctx, given))
        turns[order_id] += 1
    for taken in rounds:
        words = [_word(ctx, _as_told(ctx, given)) for _, ctx, given in taken]
        for (n, _, _), verdict in zip(taken, door.confirm_words(session, words, is_tried=is_tried), strict=True):
            answers[n] = verdict
        facts.note_sequences(session, [(ctx, given) for _, ctx, given in taken])
    return answers


def _named(telling: Telling, order_id: UUID | None) -> Confirmation:
    """Return the whole confirmation of a delivery that the actor reaches."""
    if order_id is None:
        raise errors.NoSuchDelivery(field="delivery_id", delivery_id=telling.delivery_id)
    named = {"delivery_id": telling.delivery_id, "order_id": telling.words.get("order_id") or order_id}
    return Confirmation.model_validate({**telling.words, **named})


def _word(ctx: Ctx, item: Confirmation | NotRead) -> Word:
    return Word(through(ctx), item, door.as_text(item), _whose(ctx))


def tell_many(
    session: Session, ctx: Ctx, confirmations: Sequence[Confirmation | NotRead], *, bodies: Sequence[bytes]
) -> list[Verdict]:
    """Take a synced round; each is judged alone. Who is no admin and says who tells it is refused."""
    items = [item if isinstance(item, NotRead) else _as_told(ctx, item) for item in confirmations]
    verdicts = door.confirm_many(session, through(ctx), items, bodies=bodies, whose=_whose(ctx))
    facts.note_sequences(session, [(ctx, item) for item in confirmations if isinstance(item, Confirmation)])
    return verdicts


def mark_delivered(session: Session, ctx: Ctx, body: MarkDelivered) -> Verdict:
    """Take a delivery as the old apps mark it; a refused one is kept, so its verdict is returned.

    They send no id of their own. What an actor says again, word for word, is a repeat; anything else is said anew.
    """
    text = body.model_dump_json(exclude_none=True).encode()
    try:
        given = _marked(session, ctx, body)
    except Failure as failure:
        refused = door.refused(None, failure)
        facts.keep_rejections(session, ctx, [text], [refused])
        return refused
    verdict = door.confirm_many(session, through(ctx), [_as_told(ctx, given)], bodies=[text], whose=_whose(ctx))[0]
    if verdict.failure and verdict.failure.field:
        field = verdict.failure.field.replace("device_at", "delivery_date").replace("lines.", "items.")
        verdict.failure.field = field.replace(".quantity", ".delivered_qty")
    return verdict


def _marked(session: Session, ctx: Ctx, body: MarkDelivered) -> Confirmation:
    """Return the confirmation that the words of an old app amount to."""
    if not body.order_id:
        raise errors.OrderMissing(field="order_id")
    order_id, delivery_id = _reached(session, ctx, body.order_id)
    customer_id, zone = next((row[1], row[3]) for row in queries.orders_locked(session, [order_id]))
    words: dict[str, Any] = {"kind": EventKind.confirm, "order_id": order_id, "delivery_id": delivery_id}
    if body.items and body.status not in NOTHING_WENT:
        words["lines"] = _marked_lines(session, order_id, body.items)
    elif body.status in SOME_WENT:
        raise errors.ContentNotNamed("Say of which product how much was delivered.", field="items")
    else:
        words["outcome"] = "not_delivered" if body.status in NOTHING_WENT else "delivered"
    if body.cash_collected is not None:
        currency = dict(tuple(row) for row in queries.currencies(session, [customer_id]))[customer_id]
        exact = body.cash_collected * scale(currency)
        if exact != int(exact):
            raise errors.CashCurrency(f"{currency} has fewer decimals than that.", field="cash_collected")
        words["cash"] = {"amount_minor": int(exact), "currency": currency}
    words |= {"reason": body.reason, "note": body.notes}
    at = body.delivered_at or ctx.now
    if body.delivered_at is None and body.delivery_date:
        local = at.astimezone(ZoneInfo(zone))
        at = datetime.combine(body.delivery_date, local.time(), local.tzinfo)
    digest = sha256(body.model_dump_json(exclude_none=True).encode()).hexdigest()[:32]
    client_id, last = f"legacy:{digest}:{ids.new_id()}", queries.last_told(session, order_id, ctx.actor)
    if last is not None and last[0].startswith(f"legacy:{digest}:"):
        client_id, at = last
    return Confirmation.model_validate({**words, "client_id": client_id, "device_at": at})


def _reached(session: Session, ctx: Ctx, name: str) -> tuple[str, UUID]:
    """Return the order of that name, ours or the old system's, and its latest attempt of which the actor may speak."""
    try:
        found: str | None = str(UUID(name))
    except ValueError:
        found = None
    for order_id in (found, queries.order_named(session, name)):
        delivery_id = shown.latest_of_order(session, ctx, UUID(order_id)) if order_id is not None else None
        if order_id is not None and delivery_id is not None:
            return order_id, delivery_id
    raise errors.OrderUnknown(field="order_id")


def _marked_lines(session: Session, order_id: str, items: Sequence[LegacyItem]) -> list[dict[str, Any]]:
    """Return the lines that items name, by product id, old id or name."""
    goods = queries.goods(session, order_id)
    lines = []
    for place, item in enumerate(items):
        name = item.product_id or (item.product_name or "").strip().lower()
        found = [line_id for line_id, names in goods if name in names]
        if len(found) != 1:
            kind = errors.LineAmbiguous if found else errors.LineUnknown
            raise kind(field=f"items.{place}.{'product_id' if item.product_id else 'product_name'}")
        lines.append({"order_line_id": found[0], "quantity": item.delivered_qty})
    return lines


def _as_told(ctx: Ctx, item: Confirmation) -> Confirmation | NotRead:
    """Return the confirmation as told by the actor; only who reaches every round may speak for another."""
    spoken = [name for name in FROM_THE_REQUEST if name in item.model_fields_set]
    if Scope.all in ctx.actor.scopes:
        mine = {"authority": Authority.staff.name, "via": Via.api}
        return item.model_copy(update={name: word for name, word in mine.items() if name not in spoken})
    if spoken:
        return NotRead(item.client_id, spoken[0], said(errors.TellerNamed()))
    if item.kind == EventKind.correct:
        return NotRead(item.client_id, "kind", said(errors.CorrectionByStaff()))
    actor = Teller.model_construct(kind=ctx.actor.kind, id=ctx.actor.id, name=ctx.actor.name)
    return item.model_copy(update={"via": _entrance(ctx), "actor": actor})


def _entrance(ctx: Ctx) -> Via:
    """Return how it came: who drives tells it by the driver's app, a helper by a link, a machine by the API."""
    if ctx.actor.kind == "link":
        return Via.link
    return Via.driver_app if ctx.actor.kind == "user" and Scope.round in ctx.actor.scopes else Via.api


def through(ctx: Ctx) -> Ctx:
    """Return the circumstances with the entrance the actor came by; staff may have named another."""
    return ctx if Scope.all in ctx.actor.scopes else replace(ctx, via=str(_entrance(ctx)))


def _whose(ctx: Ctx) -> Whose | None:
    """Return of which stops the actor may speak; None for every stop."""
    scopes = ctx.actor.scopes
    if Scope.all in scopes:
        return None
    reached = reach(ctx)
    return Whose(
        str(ctx.actor.id) if ctx.actor.id and Scope.round in scopes else None,
        frozenset(reached["my_rounds"]) if Scope.link in scopes else frozenset(),
        frozenset(reached["my_orders"]) if Scope.link in scopes else frozenset(),
    )
