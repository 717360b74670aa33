"""The reference: what each household should get, what was told at its door, what it costs. Plain Python.

It is written from the words of the product's promises, not from its code: a mistake over there cannot hide behind the
same mistake here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from uuid import UUID

SHIFTS = ("morning", "evening")
STAFF, DRIVER, SUBSTITUTE, LINK = 4, 3, 2, 1
NONE = Decimal(0)


def paise(price: Decimal, quantity: Decimal) -> int:
    """Return what so much costs at a unit price in rupees: rounded once, half up."""
    return int((price * quantity * 100).quantize(Decimal(1), ROUND_HALF_UP))


@dataclass
class Article:
    """Something sold; `prices` are (first day, rupees a unit)."""

    key: str
    name: str
    step: Decimal
    prices: list[tuple[date, Decimal]]
    id: UUID | None = None

    def price(self, day: date) -> Decimal:
        """Return the list price in force on the day."""
        return max((since, price) for since, price in self.prices if since <= day)[1]


@dataclass
class Want:
    """What a standing order wants from a day on."""

    since: date
    article: Article
    quantity: Decimal
    pattern: str
    shift: str
    weekdays: tuple[int, ...] = ()
    every_n: int = 1
    agreed: Decimal | None = None

    def usual(self, starts_on: date, day: date) -> Decimal:
        """Return what the pattern alone gives on the day."""
        is_due = {
            "daily": True,
            "weekly": day.weekday() in self.weekdays,
            "every_nth": (day - starts_on).days % self.every_n == 0,
        }[self.pattern]
        return self.quantity if is_due else NONE


@dataclass
class Standing:
    """A standing order with its whole history."""

    key: str
    home: Household
    starts_on: date
    wants: list[Want]
    stops_on: date | None = None
    pauses: list[tuple[date, date | None]] = field(default_factory=list)
    said: dict[date, tuple[Decimal | None, str | None]] = field(default_factory=dict)
    id: UUID | None = None

    def want(self, day: date) -> Want:
        """Return what is wanted on the day; of a day before the first wish, the first."""
        known = [want for want in self.wants if want.since <= day]
        return max(known or self.wants[:1], key=lambda want: want.since)

    def runs(self, day: date) -> bool:
        """Say whether the standing order exists on the day."""
        return self.starts_on <= day and (self.stops_on is None or day < self.stops_on)

    def is_paused(self, day: date) -> bool:
        """Say whether a pause covers the day, both of its ends included."""
        return any(first <= day and (last is None or day <= last) for first, last in self.pauses)

    def due(self, day: date) -> Iterator[tuple[str, Decimal]]:
        """Yield shift and quantity of what is due on the day."""
        if not self.runs(day) or self.home.is_away(day) or self.is_paused(day):
            return
        want = self.want(day)
        quantity, shift = self.said.get(day, (None, None))
        if quantity is None:
            quantity = want.usual(self.starts_on, day)
        for one in (shift,) if shift else SHIFTS if want.shift == "both" else (want.shift,):
            if quantity > 0:
                yield one, quantity


@dataclass
class Household:
    """A customer: what they want, what they were billed and what they paid, in paise."""

    key: str
    email: str
    area: int
    standing: list[Standing] = field(default_factory=list)
    away: list[tuple[date, date | None]] = field(default_factory=list)
    billed: int = 0
    paid: int = 0
    id: UUID | None = None
    code: str = ""

    def is_away(self, day: date) -> bool:
        """Say whether the whole household takes nothing on the day."""
        return any(first <= day and (last is None or day <= last) for first, last in self.away)


@dataclass(frozen=True)
class Tell:
    """One word about a stop, as it counts: absolute quantities by line, or for a return what came back.

    Containers are counted by way and name (`+crate` given, `-bottle` taken back), cash in paise; `by` is the driver.
    """

    client_id: str
    kind: str
    authority: int
    at: datetime
    quantities: dict[str, Decimal]
    containers: dict[str, int] = field(default_factory=dict)
    cash: int | None = None
    by: str | None = None


@dataclass
class Line:
    """So much of an article at a price, at one stop; `billed` in paise."""

    key: str
    article: Article
    ordered: Decimal
    price: Decimal
    standing: Standing | None = None
    billed: int = 0


@dataclass
class Stop:
    """One visit to one household; `order` names the one-time order it is for, or nothing."""

    key: str
    home: Household
    day: date
    shift: str
    lines: dict[str, Line]
    order: str | None = None
    attempt: int = 1
    tells: dict[str, Tell] = field(default_factory=dict)
    is_cancelled: bool = False
    first: Stop | None = None
    id: UUID | None = None
    order_id: UUID | None = None
    line_ids: dict[str, UUID] = field(default_factory=dict)
    driver: str | None = None

    def delivered(self, line: Line) -> Decimal:
        """Return how much of a line stays at the door: the highest word on it, less what came back after."""
        words = [t for t in self.tells.values() if t.kind != "return" and line.key in t.quantities]
        if not words:
            return NONE
        last = max(words, key=lambda t: (t.authority, t.at, t.client_id))
        back = sum(
            (
                t.quantities[line.key]
                for t in self.tells.values()
                if t.kind == "return" and line.key in t.quantities and (t.at, t.client_id) > (last.at, last.client_id)
            ),
            NONE,
        )
        return max(NONE, min(line.ordered, last.quantities[line.key]) - back)

    def moved(self, way: str) -> int:
        """Return how many containers count as moved one way here."""
        words = [t for t in self.tells.values() if way in t.containers]
        return max(words, key=lambda t: (t.authority, t.at, t.client_id)).containers[way] if words else 0

    def cash(self) -> tuple[int, str | None]:
        """Return the cash that counts as taken here, in paise, and in whose bag it is."""
        words = sorted(
            (t for t in self.tells.values() if t.cash is not None), key=lambda t: (t.authority, t.at, t.client_id)
        )
        if not words:
            return 0, None
        bags = [t.by for t in words if t.by is not None]
        return words[-1].cash or 0, bags[-1] if bags else self.driver

    def state(self) -> str:
        """Return where the visit stands."""
        if self.is_cancelled:
            return "cancelled"
        if not any(t.kind != "return" and t.quantities for t in self.tells.values()):
            return "planned"
        shares = [(line.ordered, self.delivered(line)) for line in self.lines.values()]
        if all(got == 0 for _, got in shares):
            return "not_delivered"
        return "delivered" if all(got == ordered for ordered, got in shares) else "partially_delivered"

    def worth(self, line: Line) -> int:
        """Return what a line's delivered quantity costs, in paise."""
        return paise(line.price, self.delivered(line))


@dataclass
class Extra:
    """A one-time order: what was ordered at which price."""

    key: str
    home: Household
    day: date
    shift: str
    lines: dict[str, Line]
    is_cancelled: bool = False
    id: UUID | None = None


class Book:
    """Everything that is wanted, planned, told and billed."""

    def __init__(self, articles: list[Article]) -> None:
        self.articles = {article.key: article for article in articles}
        self.homes: dict[str, Household] = {}
        self.extras: dict[str, Extra] = {}
        self.stops: dict[str, Stop] = {}
        self.closed: set[date] = set()
        self.drivers: dict[str, UUID] = {}
        self.counted: dict[str, int] = {}

    def plan(self, day: date) -> list[Stop]:
        """Make the stops of a day from what is wanted now, and keep them; a closed day has none."""
        made: dict[str, Stop] = {}
        for home in self.homes.values():
            for standing in home.standing:
                for shift, quantity in standing.due(day):
                    want = standing.want(day)
                    key = f"{day}/{shift}/{home.key}"
                    stop = made.setdefault(key, Stop(key, home, day, shift, {}))
                    price = want.agreed if want.agreed is not None else want.article.price(day)
                    line = Line(want.article.key, want.article, quantity, price, standing)
                    stop.lines[line.key] = line
        for extra in self.extras.values():
            if extra.day == day and not extra.is_cancelled:
                lines = {key: Line(key, line.article, line.ordered, line.price) for key, line in extra.lines.items()}
                made[extra.key] = Stop(extra.key, extra.home, day, extra.shift, lines, order=extra.key)
        if day in self.closed:
            made = {}
        self.stops |= made
        return list(made.values())

    def plan_again(self, day: date) -> None:
        """Make the stops of a day anew, on the evening before it: nobody is out with any of them."""
        self.stops = {key: stop for key, stop in self.stops.items() if stop.day != day}
        self.plan(day)

    def attempts(self) -> dict[str, list[Stop]]:
        """Return all visits for each order by the key of its first, in their order."""
        found: dict[str, list[Stop]] = {}
        for stop in sorted(self.stops.values(), key=lambda one: one.attempt):
            found.setdefault((stop.first or stop).key, []).append(stop)
        return found

    def cash(self) -> tuple[dict[str, int], dict[str, int]]:
        """Return the cash taken at doors, by household and by the driver who holds or held it, in paise."""
        paid: dict[str, int] = {}
        held: dict[str, int] = {}
        for stop in self.stops.values():
            amount, bag = stop.cash()
            if amount:
                paid[stop.home.key] = paid.get(stop.home.key, 0) + amount
                held[bag or ""] = held.get(bag or "", 0) + amount
        return paid, held

    def bill(self, through: date) -> None:
        """Bill every household what is new up to a day."""
        for stop in self.stops.values():
            if stop.day <= through:
                for line in stop.lines.values():
                    stop.home.billed += stop.worth(line) - line.billed
                    line.billed = stop.worth(line)
