"""What counts at the door: who wins, how much was delivered, which days and quantities are real."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from earlybird.deliveries import errors
from earlybird.deliveries.states import Authority, DeliveryState, EventKind
from earlybird.orders.states import OrderState

TOLERANCE = timedelta(minutes=5)
"""How far a device's clock may run ahead."""

LINK_DAYS = 31
"""How many days a shared link may be for, and how far away its end may lie."""

ACCESS_MINUTES = 30
"""How long an opened link is good before it is opened again."""

MOST_WRONG_PINS = 30
"""After so many wrong PINs, from wherever they came, a link ends."""

PIN = re.compile(r"[0-9]{4,8}", re.ASCII)

ZERO = Decimal(0)
PENDING = frozenset({DeliveryState.planned, DeliveryState.out})
VERBS = {
    DeliveryState.delivered: "deliver",
    DeliveryState.partially_delivered: "deliver_partly",
    DeliveryState.not_delivered: "fail",
}
"""Which move leads to an outcome: the same verbs for a delivery and for its order."""


class Policy(NamedTuple):
    """The switches of the house that the door obeys; days on either side of the planned one."""

    quantities: bool = True
    dates: bool = True
    window_days: int = 1


class Line(NamedTuple):
    """A line of a planned stop. Keys stay text on this path: a hundred thousand of them are hashed and written."""

    id: str
    order_line_id: str
    product_id: str
    ordered: Decimal
    service_on: date
    is_cancelled: bool = False


class Claim(NamedTuple):
    """A line as a confirmation names it, in exactly one of three ways, and a quantity."""

    order_line_id: str | None
    product_id: str | None
    line: int | None
    quantity: Decimal


class Whose(NamedTuple):
    """Of which stops somebody may speak: those they drive or stand in for, those of a link's rounds and orders."""

    me: str | None = None
    rounds: frozenset[str] = frozenset()
    orders: frozenset[str] = frozenset()

    def authority(
        self, *, order_id: str, round_id: str | None, driver_id: str | None, substitute_id: str | None
    ) -> Authority | None:
        """Return how much the word counts about a stop; None where the stop is not theirs to speak of."""
        if self.me is not None and driver_id == self.me:
            return Authority.driver
        if self.me is not None and substitute_id == self.me:
            return Authority.substitute
        if order_id in self.orders or round_id in self.rounds:
            return Authority.link
        return None


class Cash(NamedTuple):
    """Cash taken at a stop, in minor units, and the user who holds it; None while nobody drives there."""

    amount_minor: int
    currency: str
    holder_id: str | None


class Told(NamedTuple):
    """An accepted event: absolute quantities per delivery line, or for a return what came back.

    `containers` counts those given (`+crate`) and taken back (`-crate`); `cash` is minor units and currency;
    `user_id` is who spoke, where it was a user; `device_id` their device's own name, where it gave one.
    """

    client_id: str
    kind: str
    authority: int
    device_at: datetime
    actor: str
    quantities: Mapping[str, Decimal]
    containers: Mapping[str, int]
    cash: tuple[int, str] | None = None
    user_id: str | None = None
    device_id: str | None = None


def check_when(
    policy: Policy,
    *,
    kind: str,
    authority: int,
    reason: str | None,
    device_at: datetime,
    device_on: date,
    planned_on: date,
    now: datetime,
) -> None:
    """Refuse a time that is not real, or too far from the planned day for who tells it."""
    if not policy.dates:
        return
    if device_at > now + TOLERANCE:
        raise errors.InTheFuture(field="device_at", device_at=device_at.isoformat())
    if abs((device_on - planned_on).days) <= policy.window_days:
        return
    if kind != EventKind.correct or authority != Authority.staff or not reason:
        raise errors.OutsideWindow(
            field="device_at", device_on=device_on, planned_on=planned_on, window_days=policy.window_days
        )


def find_line(lines: Sequence[Line], claim: Claim, place: int) -> Line:
    """Return the one line that a claim names; `place` is where it stands in the confirmation."""
    if claim.line is not None:
        if claim.line > len(lines):
            raise errors.LineUnknown(field=f"lines.{place}.line", line=claim.line)
        found = [lines[claim.line - 1]]
        field = "line"
    elif claim.order_line_id is not None:
        found = [line for line in lines if line.order_line_id == claim.order_line_id]
        field = "order_line_id"
    else:
        found = [line for line in lines if line.product_id == claim.product_id and not line.is_cancelled]
        field = "product_id"
    if not found:
        raise errors.LineUnknown(field=f"lines.{place}.{field}")
    if len(found) > 1:
        raise errors.LineAmbiguous(field=f"lines.{place}.{field}")
    if found[0].is_cancelled:
        raise errors.LineCancelled(field=f"lines.{place}.{field}")
    return found[0]


def quantities(policy: Policy, lines: Sequence[Line], claims: Sequence[Claim]) -> dict[str, Decimal]:
    """Return the quantity told per delivery line; refuse unknown, repeated and excessive ones."""
    told: dict[str, Decimal] = {}
    for place, claim in enumerate(claims):
        line = find_line(lines, claim, place)
        if line.id in told:
            raise errors.LineNamedTwice(field=f"lines.{place}")
        if policy.quantities and claim.quantity > line.ordered:
            raise errors.MoreThanOrdered(
                field=f"lines.{place}.quantity", ordered=f"{line.ordered.normalize():f}",
                told=f"{claim.quantity.normalize():f}",
            )  # fmt: skip
        told[line.id] = claim.quantity
    return told


def shortcut(lines: Sequence[Line], *, delivered: bool) -> dict[str, Decimal]:
    """Return all of every line, or none of any."""
    return {line.id: line.ordered if delivered else ZERO for line in lines if not line.is_cancelled}


def rank(told: Told) -> tuple[int, datetime, str]:
    """Order events by whose word counts: authority, then the device's time, then the client id."""
    return told.authority, told.device_at, told.client_id


def winner(events: Iterable[Told], line_id: str) -> Told | None:
    """Return the confirmation or correction whose word counts for a line."""
    best = None
    for event in events:
        if event.kind != EventKind.return_ and line_id in event.quantities and (not best or rank(event) > rank(best)):
            best = event
    return best


def returns(events: Iterable[Told], line_id: str, since: Told) -> Decimal:
    """Return how much came back after `since` was told."""
    mark = (since.device_at, since.client_id)
    back = ZERO
    for event in events:
        if event.kind == EventKind.return_ and line_id in event.quantities:
            back += event.quantities[line_id] if (event.device_at, event.client_id) > mark else ZERO
    return back


def settle(events: Sequence[Told], line_id: str, ordered: Decimal) -> Decimal:
    """Return the delivered quantity of a line: a function of the set of its events, not of their order.

    The winner's word, at most what was ordered, less what came back after it, at least zero.
    """
    best = winner(events, line_id)
    if best is None:
        return ZERO
    return max(ZERO, min(ordered, best.quantities[line_id]) - returns(events, line_id, best))


def containers(events: Iterable[Told], way: str) -> int:
    """Return how many containers went one way at a stop: the word of the highest-ranking event that counts them.

    `way` is `+` or `-` and the container. What was taken back leaves the customer: it counts below zero.
    """
    best = max((e for e in events if way in e.containers), key=rank, default=None)
    return best.containers[way] * (-1 if way.startswith("-") else 1) if best else 0


def cash(events: Sequence[Told], driver_id: str | None) -> Cash | None:
    """Return the cash of a stop by the word that counts; None while nobody spoke of cash.

    It is held by the driver or substitute whose word about it counts most, else by whoever drives the stop: staff
    and links speak of money that is in the driver's bag.
    """
    best = _of_cash(events)
    if best is None or best.cash is None:
        return None
    went = [e for e in events if e.cash and e.user_id and e.authority in (Authority.driver, Authority.substitute)]
    holder = max(went, key=rank).user_id if went else driver_id
    return Cash(*best.cash, holder)


def _of_cash(events: Iterable[Told]) -> Told | None:
    return max((e for e in events if e.cash is not None), key=rank, default=None)


def has_word(events: Sequence[Told], told: Told) -> bool:
    """Say whether an event bears on any line or container; otherwise others have superseded it."""
    for line_id in told.quantities:
        best = winner(events, line_id)
        if told.kind != EventKind.return_:
            if best is told:
                return True
        elif best and (told.device_at, told.client_id) > (best.device_at, best.client_id):
            return True
    if told.cash is not None and _of_cash(events) is told:
        return True
    return any(max((e for e in events if c in e.containers), key=rank) is told for c in told.containers)


def disagree(events: Iterable[Told], line_id: str) -> bool:
    """Say whether two people, or two devices of one, told different quantities of a line."""
    tellings = [e for e in events if e.kind != EventKind.return_ and line_id in e.quantities]
    return len({e.quantities[line_id] for e in tellings}) > 1 and _are_several(tellings)


def _are_several(tellings: Sequence[Told]) -> bool:
    return len({e.actor for e in tellings}) > 1 or len({e.device_id for e in tellings if e.device_id}) > 1


def is_decided(events: Iterable[Told], line_id: str) -> bool:
    """Say whether a correction had the last word about a line: a disagreement about it is over."""
    best = winner(events, line_id)
    return best is not None and best.kind == EventKind.correct


def disagree_on_cash(events: Sequence[Told]) -> bool:
    """Say whether two people, or two devices of one, told different cash of a stop."""
    tellings = [e for e in events if e.cash is not None]
    return len({e.cash for e in tellings}) > 1 and _are_several(tellings)


def cash_is_decided(events: Sequence[Told]) -> bool:
    """Say whether a correction had the last word about the cash of a stop."""
    best = _of_cash(events)
    return best is not None and best.kind == EventKind.correct


def is_late(policy: Policy, *, kind: str, planned_on: date, received_on: date) -> bool:
    """Say whether a word came so long after its day that somebody should look at it; corrections come when they do."""
    return kind != EventKind.correct and (received_on - planned_on).days > policy.window_days


def excess(events: Sequence[Told], line_id: str, ordered: Decimal) -> Decimal:
    """Return by how much the words go beyond the goods: told over ordered, or returned over delivered."""
    best = winner(events, line_id)
    if best is None:
        return ZERO
    over = max(ZERO, best.quantities[line_id] - ordered)
    under = max(ZERO, returns(events, line_id, best) - min(ordered, best.quantities[line_id]))
    return over + under


def outcome(lines: Iterable[tuple[Decimal, Decimal]]) -> DeliveryState:
    """Return what (ordered, delivered) pairs amount to: all, some or none."""
    short = some = False
    for ordered, delivered in lines:
        short = short or delivered < ordered
        some = some or delivered > 0
    if not some:
        return DeliveryState.not_delivered
    return DeliveryState.partially_delivered if short else DeliveryState.delivered


def order_state(lines: Iterable[tuple[Decimal, Decimal]], attempts: Sequence[DeliveryState]) -> OrderState | None:
    """Return where an order stands by the sum of its attempts; None while nothing has been told.

    `lines` are (ordered, delivered in all attempts). With nothing delivered, an attempt still to
    come keeps the order planned or out.
    """
    counted = [state for state in attempts if state != DeliveryState.cancelled]
    open_ones = [state for state in counted if state in PENDING]
    if len(open_ones) == len(counted):
        return None
    found = outcome(lines)
    if found == DeliveryState.not_delivered and open_ones:
        return OrderState.out if DeliveryState.out in open_ones else OrderState.planned
    return OrderState(found)


def order_path(state: OrderState, target: OrderState) -> list[str]:
    """Return the moves that bring an order from where it stands to `target`."""
    waiting = {OrderState.placed, OrderState.planned, OrderState.out}
    if state == target or (state in waiting and target in waiting):
        return []
    if target not in waiting:
        return [VERBS[DeliveryState(target)]]
    path = ["plan"] if state == OrderState.not_delivered else ["fail", "plan"]
    return [*path, "send_out"] if target == OrderState.out else path


def check_days(first: date, last: date, *, served_on: date | None, today: date) -> None:
    """Refuse days of a link that are reversed, past or too many, or that leave out the day of its round."""
    is_whole = first <= last < first + timedelta(days=LINK_DAYS) and last >= today
    if not is_whole or (served_on is not None and not first <= served_on <= last):
        raise errors.LinkDaysUnfit(field="first_on", first_on=first, last_on=last)


def check_end(expires_at: datetime, now: datetime) -> None:
    """Refuse an end of a link that is over, or too far away."""
    if not now < expires_at <= now + timedelta(days=LINK_DAYS + 1):
        raise errors.LinkEndUnfit(field="expires_at", expires_at=expires_at.isoformat())


def short_name(name: str) -> str:
    """Return how a helper without a login sees somebody called: `Asha R.` for Asha Devi Rao."""
    words = name.split()
    return f"{words[0]} {words[-1][0]}." if len(words) > 1 else name


def masked(phone: str | None) -> str | None:
    """Return a phone number without all but its last two digits."""
    return None if phone is None else "•" * max(len(phone) - 2, 0) + phone[-2:]
