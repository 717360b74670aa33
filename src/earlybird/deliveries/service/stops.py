"""What the door knows of the stops a chunk names: orders under lock, their attempts, what was told before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from earlybird.deliveries import errors, rules
from earlybird.deliveries.queries import door as queries
from earlybird.deliveries.rules import Line, Policy, Told, Whose
from earlybird.deliveries.schemas import Answer, Confirmation, NotRead, OrderKey, Verdict
from earlybird.deliveries.service import facts
from earlybird.deliveries.states import Authority, DeliveryState, EventKind
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.errors import Failure
from earlybird.orders.states import OrderState


class Word(NamedTuple):
    """One confirmation on its way in: who brings it, the text it came as, of which stops they may speak."""

    ctx: Ctx
    item: Confirmation | NotRead
    body: bytes
    whose: Whose | None = None


@dataclass(slots=True)
class Stop:
    """One attempt at a door, with all that was told about it."""

    id: str
    attempt: int
    planned_on: date
    state: DeliveryState
    now_state: DeliveryState
    driver_id: str | None = None
    substitute_id: str | None = None
    round_id: str | None = None
    lines: list[Line] = field(default_factory=list)
    delivered: dict[str, Decimal] = field(default_factory=dict)
    events: list[Told] = field(default_factory=list)

    def outcome(self) -> DeliveryState:
        """Where the stop stands by what was told of its goods; where it stood while nothing was."""
        if all(e.kind == EventKind.return_ or (e.kind == EventKind.correct and not e.quantities) for e in self.events):
            return self.state
        return rules.outcome((n.ordered, self.delivered[n.id]) for n in self.lines if not n.is_cancelled)


@dataclass(slots=True)
class Order:
    """An order under lock, with its attempts."""

    id: str
    customer_id: str
    state: OrderState
    zone: ZoneInfo
    currency: str | None = None
    spoken_by: Ctx | None = None
    stops: list[Stop] = field(default_factory=list)
    wanted: dict[str, Decimal] = field(default_factory=dict)

    def totals(self) -> dict[str, Decimal]:
        """Return how much of each order line was delivered in all attempts."""
        found = dict.fromkeys(self.wanted, rules.ZERO)
        for stop in self.stops:
            for line in stop.lines:
                if line.order_line_id in found:
                    found[line.order_line_id] += stop.delivered[line.id]
        return found


class Known(NamedTuple):
    """An event that is already kept under its client_id."""

    digest: str | None
    verdict: Verdict


@dataclass(slots=True)
class Chunk:
    """What is known about a chunk, and what is to be written of it."""

    policy: Policy
    orders: dict[str, Order]
    names: dict[Any, str | Failure]
    known: dict[str, Known]
    revisions: dict[str, int]
    cash_revisions: dict[str, int]
    has_refused: bool = False
    kept: facts.Kept = field(default_factory=facts.Kept)
    touched: dict[str, Order] = field(default_factory=dict)

    def order_named(self, item: Confirmation) -> str | Failure | None:
        """Return the id of the order that a confirmation names; None for none, a failure where it cannot be told."""
        if item.order_code is not None:
            return self.names.get(item.order_code)
        name = item.order_id
        return self.names.get((name.source, name.kind, name.key)) if isinstance(name, OrderKey) else str(name)

    def is_about(self, item: Confirmation, verdict: Verdict) -> bool:
        """Say whether a confirmation is about the order and delivery that an earlier verdict speaks of."""
        is_same_stop = item.delivery_id is None or str(item.delivery_id) == str(verdict.delivery_id)
        return is_same_stop and self.order_named(item) == str(verdict.order_id)


def authority(whose: Whose | None, order: Order, stop: Stop) -> Authority | None:
    """Return how much the word of the one who tells counts about that stop; None where it is not theirs."""
    if whose is None:
        return Authority.staff
    return whose.authority(
        order_id=order.id, round_id=stop.round_id, driver_id=stop.driver_id, substitute_id=stop.substitute_id
    )


def of_whom(whose: Whose | None, order: Order) -> list[Stop]:
    """Return the attempts of that order the one who tells may speak of."""
    return [stop for stop in order.stops if authority(whose, order, stop) is not None]


def load(session: Session, items: Sequence[Confirmation]) -> Chunk:
    """Lock the orders a chunk names and read all that judging it needs."""
    chunk = Chunk(Policy(), {}, {}, {}, {}, {})
    if not items:
        return chunk
    _resolve(session, chunk, items)
    wanted = {str(i.order_id) for i in items if isinstance(i.order_id, UUID)}
    wanted.update(found for found in chunk.names.values() if isinstance(found, str))
    zones: dict[str, ZoneInfo] = {}
    client_ids = {i.client_id for i in items}
    for order_id, customer_id, state, zone, switches, has_refused in queries.orders_locked(session, wanted, client_ids):
        chunk.policy, chunk.has_refused = queries.as_policy(switches or {}), has_refused
        if zone not in zones:
            zones[zone] = ZoneInfo(zone)
        chunk.orders[order_id] = Order(order_id, customer_id, OrderState(state), zones[zone])
    found = _load_stops(session, chunk)
    _load_told(session, chunk, found, client_ids)
    if found and any(item.cash for item in items):
        _load_cash(session, chunk, found)
    return chunk


def _load_cash(session: Session, chunk: Chunk, stops: dict[str, Stop]) -> None:
    """Learn in which currency each customer pays, and how often the cash of each stop was told anew."""
    currencies = dict(tuple(row) for row in queries.currencies(session, {o.customer_id for o in chunk.orders.values()}))
    for order in chunk.orders.values():
        order.currency = currencies[order.customer_id]
    chunk.cash_revisions.update((stop_id, last) for stop_id, last in queries.cash_revisions(session, stops))


def _resolve(session: Session, chunk: Chunk, items: Sequence[Confirmation]) -> None:
    """Find the orders that are named by code or by another system's key."""
    codes = {i.order_code for i in items if i.order_code is not None}
    keys = {(i.order_id.source, i.order_id.kind, i.order_id.key) for i in items if isinstance(i.order_id, OrderKey)}
    if codes:
        for code, order_id in queries.orders_by_code(session, codes):
            taken = code in chunk.names
            chunk.names[code] = errors.OrderAmbiguous(field="order_code") if taken else order_id
    if keys:
        for source, kind, key, order_id in queries.orders_by_key(session, keys):
            chunk.names[source, kind, key] = order_id


def _load_stops(session: Session, chunk: Chunk) -> dict[str, Stop]:
    """Hang attempts and lines on the locked orders; return the attempts by id."""
    stops: dict[str, Stop] = {}
    if not chunk.orders:
        return stops
    for row in queries.stops(session, chunk.orders):
        (order_id, stop_id, attempt, planned_on, state, line_id, order_line_id, product_id, service_on, ordered,
         delivered, wanted, is_cancelled, driver_id, substitute_id, round_id) = row  # fmt: skip
        order = chunk.orders[order_id]
        stop = stops.get(stop_id)
        if stop is None:
            where = DeliveryState(state)
            stop = stops[stop_id] = Stop(stop_id, attempt, planned_on, where, where, driver_id, substitute_id, round_id)
            order.stops.append(stop)
        if line_id is not None:
            stop.lines.append(Line(line_id, order_line_id, product_id, ordered, service_on, is_cancelled))
            stop.delivered[line_id] = delivered
            if not is_cancelled:
                order.wanted[order_line_id] = wanted
    return stops


def _load_told(session: Session, chunk: Chunk, stops: dict[str, Stop], client_ids: set[str]) -> None:
    """Hang what was told before on the attempts, know again what repeats, and count the revisions of the lines."""
    seen: set[str] = set()
    for row in queries.told(session, client_ids, stops):
        (client_id, event_id, stop_id, order_id, kind, authority, device_at, actor_kind, actor_id, actor_name, told,
         deltas) = row  # fmt: skip
        words = told or {}
        if client_id in client_ids:
            chunk.known[client_id] = Known(
                words.get("digest"),
                Verdict(
                    Answer.repeated,
                    client_id,
                    order_id,
                    UUID(stop_id),
                    event_id,
                    words.get("outcome"),
                    first=words.get("answer"),
                ),
            )
        if stop_id not in stops:
            continue
        lines = words.get("lines") or deltas or {}
        cash = words.get("cash")
        stops[stop_id].events.append(
            Told(
                client_id, kind, authority, device_at, actor_word(actor_kind, actor_id, actor_name),
                {line: Decimal(quantity) for line, quantity in lines.items()}, _containers(words),
                (cash["amount_minor"], cash["currency"]) if cash else None, user_of(actor_kind, actor_id),
                words.get("device_id"),
            )
        )  # fmt: skip
        seen.add(stop_id)
    if seen:
        line_ids = [line.id for stop_id in seen for line in stops[stop_id].lines]
        chunk.revisions.update((line_id, last) for line_id, last in queries.revisions(session, line_ids))


def _containers(words: dict[str, Any]) -> dict[str, int]:
    given = {f"+{container}": count for container, count in (words.get("given") or {}).items()}
    return given | {f"-{container}": count for container, count in (words.get("empties") or {}).items()}


def user_of(kind: str, key: UUID | None) -> str | None:
    """Return who spoke, where it was a user."""
    return str(key) if kind == "user" and key else None


def actor_word(kind: str, key: UUID | None, name: str) -> str:
    """Return who spoke, as one word to compare."""
    return f"{kind}:{key or name}"
