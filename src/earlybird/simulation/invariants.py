"""What must hold every evening: the database, read with statements of its own, against the book of the reference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from earlybird.infra.db import Session, rows, value
from earlybird.simulation.model import Book, Stop

Finder = Callable[[Session, Book], Iterator[str]]

MOST = 20
"""How many violations of one invariant are told; the others are counted."""


@dataclass(frozen=True)
class Violation:
    """An invariant that does not hold, and where."""

    invariant: str
    what: str


def check(session: Session, book: Book) -> list[Violation]:
    """Return everything that does not hold; the session sees one moment."""
    return [Violation(name, what) for name, finder in INVARIANTS.items() for what in _few(finder(session, book))]


def _few(found: Iterator[str]) -> Iterator[str]:
    left = MOST
    rest = 0
    for what in found:
        if left:
            left -= 1
            yield what
        else:
            rest += 1
    if rest:
        yield f"… and {rest} more"


def planned_as_due(session: Session, book: Book) -> Iterator[str]:
    """Every day holds exactly what was due: no line missing, none too many, each with its quantity and price."""
    standing = {str(s.id): s.key for home in book.homes.values() for s in home.standing}
    extras = {str(extra.id): key for key, extra in book.extras.items()}
    goods = {str(article.id): key for key, article in book.articles.items()}
    found: Counter[tuple[Any, ...]] = Counter()
    lines = rows(
        session,
        "SELECT o.id, o.service_on, o.shift, l.subscription_id, l.product_id, l.quantity, l.unit_price "
        "FROM orders o JOIN order_lines l ON l.order_id = o.id "
        "WHERE l.cancelled_at IS NULL AND o.state NOT IN ('placed', 'cancelled')",
    )
    for row in lines:
        source = standing.get(str(row["subscription_id"])) or extras.get(str(row["id"]), "nobody's")
        article = goods[str(row["product_id"])]
        found[str(row["service_on"]), row["shift"], source, article, row["quantity"], row["unit_price"]] += 1
    wanted = Counter(
        (
            str(stop.day),
            stop.shift,
            line.standing.key if line.standing else stop.order or "",
            key,
            line.ordered,
            line.price,
        )
        for stop in book.stops.values()
        if stop.attempt == 1 and not stop.is_cancelled
        for key, line in stop.lines.items()
    )
    for key, count in sorted((wanted - found).items(), key=str):
        yield f"missing {count} × {_words(key)}"
    for key, count in sorted((found - wanted).items(), key=str):
        yield f"too many by {count}: {_words(key)}"


def delivered_as_told(session: Session, book: Book) -> Iterator[str]:
    """Every stop stands where the highest words about it put it: quantities by line, its state, its order's state."""
    goods = {str(article.id): key for key, article in book.articles.items()}
    found: dict[str, dict[str, Any]] = {}
    for row in rows(
        session,
        "SELECT d.id, d.state, o.state AS order_state, l.product_id, k.delivered_quantity, "
        "coalesce((SELECT sum(e.delta_quantity) FROM delivery_event_lines e WHERE e.delivery_line_id = k.id), 0) "
        "AS facts "
        "FROM deliveries d JOIN orders o ON o.id = d.order_id JOIN delivery_lines k ON k.delivery_id = d.id "
        "JOIN order_lines l ON l.id = k.order_line_id WHERE d.state <> 'cancelled' AND l.cancelled_at IS NULL",
    ):
        kept = found.setdefault(str(row["id"]), {"state": row["state"], "order": row["order_state"], "lines": {}})
        kept["lines"][goods[str(row["product_id"])]] = (row["delivered_quantity"], row["facts"])
    visits = book.attempts()
    for stop in book.stops.values():
        if stop.id is None or stop.is_cancelled:
            continue
        got = found.get(str(stop.id))
        if got is None:
            yield f"{stop.key} is not there"
            continue
        for key, line in stop.lines.items():
            wanted = stop.delivered(line)
            if got["lines"].get(key) != (wanted, wanted):
                yield f"{stop.key} {key}: {wanted} by the words, {got['lines'].get(key)} kept (quantity, sum of facts)"
        if got["state"] not in {stop.state(), "out" if stop.state() == "planned" else ""}:
            yield f"{stop.key} is {stop.state()} by the words, {got['state']} kept"
        if stop.first is None and got["order"] not in (right := _order_states(visits[stop.key])):
            yield f"the order of {stop.key} is {got['order']}, not one of {sorted(right)}"


def _order_states(visits: Sequence[Stop]) -> set[str]:
    """Return where an order may stand by the sum of its visits."""
    first = visits[0]
    got = {k: sum((visit.delivered(visit.lines[k]) for visit in visits), Decimal(0)) for k in first.lines}
    states = [visit.state() for visit in visits]
    is_open = "planned" in states
    if all(state == "planned" for state in states) or (is_open and not any(got.values())):
        return {"planned", "out"}
    if not any(got.values()):
        return {"not_delivered"}
    return {"delivered" if all(got[k] >= line.ordered for k, line in first.lines.items()) else "partially_delivered"}


def told_once(session: Session, book: Book) -> Iterator[str]:
    """Every word that was taken is kept once, and no other."""
    told = {client_id for stop in book.stops.values() for client_id in stop.tells}
    kept = Counter(row["client_id"] for row in rows(session, "SELECT client_id FROM delivery_events"))
    for client_id in sorted(told - kept.keys()):
        yield f"{client_id} was taken and is not there"
    for client_id in sorted(kept.keys() - told):
        yield f"{client_id} was refused and is there"
    yield from (f"{client_id} is kept {count} times" for client_id, count in sorted(kept.items()) if count > 1)


def charged_once(session: Session, book: Book) -> Iterator[str]:
    """Every fact at the door has one charge, every charge a fact, and a line's charges come to quantity × price."""
    for row in rows(
        session,
        "SELECT coalesce(e.id, c.event_line_id) AS id, count(c.id) AS count FROM delivery_event_lines e "
        "FULL JOIN charges c ON c.event_line_id = e.id GROUP BY 1 "
        "HAVING count(c.id) <> 1 OR count(e.id) <> 1 ORDER BY 1",
    ):
        yield f"fact {row['id']} has {row['count']} charges, or is not there"
    worth = {
        (str(stop.id), str(line.article.id)): (stop.worth(line), f"{stop.key} {key}")
        for stop in book.stops.values()
        for key, line in stop.lines.items()
    }
    charged = {
        (str(row["delivery_id"]), str(row["product_id"])): row["minor"]
        for row in rows(
            session,
            "SELECT k.delivery_id, l.product_id, sum(c.amount_minor) AS minor FROM charges c "
            "JOIN delivery_event_lines e ON e.id = c.event_line_id JOIN delivery_lines k ON k.id = e.delivery_line_id "
            "JOIN order_lines l ON l.id = k.order_line_id GROUP BY 1, 2",
        )
    }
    for place, (minor, name) in worth.items():
        if charged.get(place, 0) != minor:
            yield f"{name}: worth {minor}, charged {charged.get(place, 0)}"
    for place in sorted(charged.keys() - worth.keys()):
        yield f"{place} is charged, and nobody planned it"


def ledger_balances(session: Session, book: Book) -> Iterator[str]:
    """Every journal comes to nothing, and every household owes what it was billed less what it paid."""
    for row in rows(
        session,
        "SELECT journal_id, currency, sum(amount_minor) AS sum FROM postings GROUP BY 1, 2 "
        "HAVING sum(amount_minor) <> 0 ORDER BY 1",
    ):
        yield f"journal {row['journal_id']} is off by {row['sum']} {row['currency']}"
    total = value(session, "SELECT coalesce(sum(amount_minor), 0) FROM postings")
    if total:
        yield f"the books are off by {total}"
    owed = {
        str(row["customer_id"]): row["sum"]
        for row in rows(
            session,
            "SELECT customer_id, sum(amount_minor) AS sum FROM postings "
            "WHERE account IN ('receivable', 'customer_advance') GROUP BY 1",
        )
    }
    cash, held = book.cash()
    for home in book.homes.values():
        paid = home.paid + cash.get(home.key, 0)
        if owed.get(str(home.id), 0) != home.billed - paid:
            yield f"{home.key} owes {owed.get(str(home.id), 0)} by the books; billed {home.billed}, paid {paid}"
    bags = {
        str(row["user_id"]): row["sum"]
        for row in rows(
            session, "SELECT user_id, sum(amount_minor) AS sum FROM postings WHERE account = 'driver_cash' GROUP BY 1"
        )
    }
    for name, driver_id in book.drivers.items():
        wanted = held.get(name, 0) - book.counted.get(name, 0)
        if bags.get(str(driver_id), 0) != wanted:
            yield f"{name} holds {bags.get(str(driver_id), 0)} by the books, {wanted} by the words"


def billed_as_delivered(session: Session, book: Book) -> Iterator[str]:
    """Bills and credit notes of a household come to the money of what it got; no charge stands on two of them."""
    billed = {
        str(row["customer_id"]): row["sum"]
        for row in rows(
            session, "SELECT customer_id, sum(total_minor) AS sum FROM invoices WHERE state = 'issued' GROUP BY 1"
        )
    }
    for home in book.homes.values():
        if billed.get(str(home.id), 0) != home.billed:
            yield f"{home.key} was billed {billed.get(str(home.id), 0)}, what it got was {home.billed}"
    for row in rows(
        session,
        "SELECT charge_id, count(*) AS count FROM invoice_lines WHERE charge_id IS NOT NULL "
        "GROUP BY 1 HAVING count(*) > 1 ORDER BY 1",
    ):
        yield f"charge {row['charge_id']} stands on {row['count']} bills"


def containers_counted(session: Session, book: Book) -> Iterator[str]:
    """At each stop as many containers went each way as the highest word that counts them says."""
    kept = {
        (str(row["delivery_id"]), row["container"]): row["sum"]
        for row in rows(
            session,
            "SELECT e.delivery_id, m.container, sum(m.quantity) AS sum FROM container_movements m "
            "JOIN delivery_events e ON e.id = m.event_id GROUP BY 1, 2 HAVING sum(m.quantity) <> 0",
        )
    }
    wanted: Counter[tuple[str, str]] = Counter()
    for stop in book.stops.values():
        for way in sorted({way for tell in stop.tells.values() for way in tell.containers}):
            wanted[str(stop.id), way[1:]] += stop.moved(way) * (1 if way[0] == "+" else -1)
    for place in sorted(kept.keys() | wanted.keys()):
        if kept.get(place, 0) != wanted.get(place, 0):
            yield f"{place}: {wanted.get(place, 0)} by the words, {kept.get(place, 0)} kept"


INVARIANTS: dict[str, Finder] = {
    finder.__name__: finder
    for finder in (
        planned_as_due,
        delivered_as_told,
        told_once,
        charged_once,
        ledger_balances,
        billed_as_delivered,
        containers_counted,
    )
}
"""Every invariant by its name, in the order they are asked."""


def _words(key: tuple[Any, ...]) -> str:
    day, shift, source, article, quantity, price = key
    return f"{quantity} {article} at {price} for {source} on {day}, {shift}"
