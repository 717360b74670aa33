"""Charging, booking and billing a month by many while the doors are still telling, and they are killed: as by one."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

import make
from conftest import NOW, SOAK, scratch
from earlybird.billing import queries
from earlybird.billing.service import cash, charges, invoices
from earlybird.deliveries.schemas import Answer, Confirmation
from earlybird.deliveries.service import door
from earlybird.infra import db
from earlybird.infra.db import rehearsal, rows, run, transaction, value
from earlybird.infra.embedded import Embedded
from earlybird.kernel.clock import Month
from earlybird.kernel.ctx import EVERYWHERE, Actor, Ctx
from make import entrance
from make.delivered import customers_many
from make.served import until

WORKERS = 32 if SOAK else 12
KILLS = 100 if SOAK else 8
CUSTOMERS = 60 if SOAK else 16
STOPS = 12 if SOAK else 4
SEED = 4711
JANUARY = Month(2026, 1)
ROLES = ("tell", "charge", "book", "bill")
NAME = "at-once"


@dataclass
class Dairy:
    """A business with planned stops in the order in which they were made; the same wherever it is founded."""

    business_id: UUID
    stops: list[UUID]


def found(engine: Engine) -> Dairy:
    with transaction(engine) as session:
        firm = make.business(session)
        product = make.product(session, firm, "Milk", "61.25", tax="0.05")
        customers_many(session, firm, CUSTOMERS)
        driver = entrance.person(session, "driver", site_id=firm.site_id, name="Prakash", email="p@example.com")
        keys = [row["id"] for row in rows(session, "SELECT id FROM customers ORDER BY code")]
        stops = [
            make.planned(session, firm, key, [product.id], ["2", "1.5"], on=date(2026, 1, 14 + n % 2)).order_id
            for n in range(STOPS)
            for key in keys
        ]
        run(session, "UPDATE deliveries SET driver_id = :d", {"d": driver})
        run(session, "UPDATE order_lines SET unit_price = 61.25, tax_class_id = :t", {"t": product.tax_class_id})
    return Dairy(firm.id, stops)


def words(dairy: Dairy, place: int) -> list[Confirmation]:
    """What is told of one stop, in the order in which it is told: taps, cash, then corrections of both."""
    chance = random.Random(SEED + place)
    facts = {"order_id": dairy.stops[place], "device_at": "2026-01-15T06:30:00+05:30", "via": "api"}
    first: dict[str, Any] = {"kind": "confirm", "outcome": chance.choice(["delivered"] * 4 + ["not_delivered"])}
    if chance.random() < 0.4:
        first["cash"] = {"amount_minor": chance.choice([5_000, 12_000, 60_000]), "currency": "INR"}
    told = [first]
    for _ in range(chance.choice([0, 0, 1, 2])):
        again: dict[str, Any] = {"kind": "correct", "authority": "staff", "reason": "counted again"}
        if chance.random() < 0.3:
            again["cash"] = {"amount_minor": chance.choice([0, 7_000]), "currency": "INR"}
        quantity = str(chance.choice([Decimal("0.5"), Decimal("1.5"), Decimal(2)]))
        told.append(again | {"lines": [{"line": 1, "quantity": quantity}]})
    return [Confirmation.model_validate(facts | word | {"client_id": f"{place}-{n}"}) for n, word in enumerate(told)]


CTX = Ctx(actor=Actor(kind="user", name="Asha", role="admin", reaches=EVERYWHERE), now=NOW, via="api")


def tell(engine: Engine, dairy: Dairy, mine: range) -> None:
    """Tell all of one's stops, three at a time; what was told before is a repeat."""
    for start in range(0, len(mine), 3):
        for told in zip(*(words(dairy, n) + [None] * 3 for n in mine[start : start + 3]), strict=False):
            with transaction(engine) as session:
                verdicts = door.confirm_many(session, CTX, [word for word in told if word is not None])
            assert all(v.answer in {Answer.accepted, Answer.repeated} for v in verdicts), verdicts


def charge(engine: Engine, _: Dairy) -> int:
    with transaction(engine) as session:
        return charges.charge_delivered(session, CTX, limit=7)


def book(engine: Engine, _: Dairy) -> int:
    with transaction(engine) as session:
        return cash.book(session, CTX, limit=3)


def bill(engine: Engine, dairy: Dairy) -> int:
    """Bill as `bill run` does, three customers in a transaction."""
    with rehearsal(engine) as session:
        payers = queries.payers_to_bill(session, dairy.business_id, since=date.min, through=JANUARY.last)
    count = 0
    for start in range(0, len(payers), 3):
        with transaction(engine) as session:
            count += len(invoices.run_month(session, CTX, dairy.business_id, JANUARY, payers[start : start + 3]))
    return count


def work(url: str, role: str, dairy: Dairy, mine: range) -> None:
    """Be a worker of one role until the work is done, or for ever; one whose connection is cut comes again."""
    signal.alarm(300)
    engine = db.connect(url, pool_size=1, max_overflow=0, connect_args={"application_name": NAME})
    jobs: dict[str, Callable[[Engine, Dairy], int]] = {"charge": charge, "book": book, "bill": bill}
    while True:
        try:
            if role == "tell":
                tell(engine, dairy, mine)
                engine.dispose()
                os._exit(0)
            jobs[role](engine, dairy)
        except DBAPIError:
            engine.dispose()


class Crew:
    """The workers; whoever is killed is replaced by another who does the same."""

    def __init__(self, url: str, dairy: Dairy) -> None:
        self.url, self.dairy = url, dairy
        self.chance = random.Random(SEED)
        self.tellers = max(2, WORKERS // 4)
        self.hands = [self.start(ROLES[n % 4], n // 4) for n in range(WORKERS)]

    def start(self, role: str, n: int) -> tuple[str, int, Any]:
        mine = range(n, len(self.dairy.stops), self.tellers)
        hand = multiprocessing.get_context("fork").Process(
            target=work, args=(self.url, role, self.dairy, mine), daemon=True
        )
        hand.start()
        return role, n, hand

    def kill(self, watcher: psycopg.Connection[Any]) -> str:
        """Kill a process, or cut a connection; return which."""
        if self.chance.random() < 0.5:
            cut = watcher.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s "
                "AND datname = current_database() ORDER BY state = 'active' DESC, random() LIMIT 1", [NAME],
            ).fetchall()  # fmt: skip
            if cut:
                return "connection"
        living = [place for place, (_, _, hand) in enumerate(self.hands) if hand.is_alive()]
        place = self.chance.choice(living)
        role, n, hand = self.hands[place]
        hand.kill()
        hand.join()
        self.hands[place] = self.start(role, n)
        return "process"

    def told(self) -> bool:
        """Whether every teller has come to the end."""
        found = [hand for role, _, hand in self.hands if role == "tell"]
        assert all(hand.exitcode in (None, 0) for hand in found), [hand.exitcode for hand in found]
        return all(hand.exitcode == 0 for hand in found)

    def stop(self, watcher: psycopg.Connection[Any]) -> None:
        """Kill whoever is left, and wait until the server has taken back what they left undone."""
        for _, _, hand in self.hands:
            hand.kill()
            hand.join()
        there = "SELECT 1 FROM pg_stat_activity WHERE application_name = %s AND datname = current_database()"
        until(lambda: not watcher.execute(there, [NAME]).fetchall())


def finish(engine: Engine, dairy: Dairy) -> None:
    """Do what waits until nothing does."""
    while charge(engine, dairy) + book(engine, dairy) + bill(engine, dairy):
        pass


BOOKS = {
    "facts": "SELECT c.code, e.client_id, l.service_on, l.revision, l.delta_quantity FROM delivery_event_lines l "
    "JOIN delivery_events e ON e.id = l.event_id JOIN customers c ON c.id = l.customer_id",
    "charges": "SELECT c.code, e.client_id, h.service_on, h.quantity, h.amount_minor, h.currency FROM charges h "
    "JOIN delivery_event_lines l ON l.id = h.event_line_id JOIN delivery_events e ON e.id = l.event_id "
    "JOIN customers c ON c.id = h.customer_id",
    "lines": "SELECT c.code, e.client_id, l.service_on, l.description, l.quantity, l.unit_price, l.amount_minor, "
    "l.tax_minor FROM invoice_lines l JOIN invoices i ON i.id = l.invoice_id JOIN customers c ON c.id = i.customer_id "
    "JOIN charges h ON h.id = l.charge_id JOIN delivery_event_lines k ON k.id = h.event_line_id "
    "JOIN delivery_events e ON e.id = k.event_id",
    "totals": "SELECT c.code, sum(i.subtotal_minor), sum(i.tax_minor), sum(i.rounding_minor), sum(i.total_minor) "
    "FROM invoices i JOIN customers c ON c.id = i.customer_id GROUP BY c.code",
    "payments": "SELECT c.code, p.amount_minor, p.method, p.received_on, u.email FROM payments p "
    "JOIN customers c ON c.id = p.customer_id JOIN users u ON u.id = p.holder_id WHERE p.state = 'recorded'",
    "balances": "SELECT p.account, c.code, u.email, sum(p.amount_minor) FROM postings p "
    "LEFT JOIN customers c ON c.id = p.customer_id LEFT JOIN users u ON u.id = p.user_id "
    "GROUP BY 1, 2, 3 HAVING sum(p.amount_minor) <> 0",
    "left": "SELECT count(*) FROM uncharged_lines UNION ALL SELECT count(*) FROM unbilled_charges "
    "UNION ALL SELECT count(*) FROM unbooked_cash",
}


def books(engine: Engine) -> dict[str, Counter[tuple[Any, ...]]]:
    """All that was told, charged, billed, paid and booked; ids, instants and the order of numbers apart."""
    with rehearsal(engine) as session:
        return {name: Counter(tuple(row.values()) for row in rows(session, sql)) for name, sql in BOOKS.items()}


def test_many_who_are_killed_end_as_one_who_was_not(server: Embedded, fresh: Engine, fresh_url: str) -> None:
    with scratch(server) as url:
        alone = db.connect(url)
        dairy = found(alone)
        tell(alone, dairy, range(len(dairy.stops)))
        finish(alone, dairy)
        expected = books(alone)
        alone.dispose()
    dairy = found(fresh)
    fresh.dispose()
    address = fresh_url.replace("+psycopg", "")
    killed: Counter[str] = Counter()
    progress = "SELECT count(*) FROM delivery_events"
    whole = sum(len(words(dairy, place)) for place in range(len(dairy.stops)))
    with psycopg.connect(address, autocommit=True) as watcher:
        crew = Crew(fresh_url, dairy)
        try:
            for n in range(KILLS):
                due = whole * (n + 1) // (KILLS + 2)
                until(lambda due=due: watcher.execute(progress).fetchone()[0] >= due)  # type: ignore[misc,index]
                killed[crew.kill(watcher)] += 1
            until(crew.told)
        finally:
            crew.stop(watcher)
    assert killed.total() == KILLS, killed
    assert len(killed) == len({"process", "connection"})
    with rehearsal(fresh) as session:
        assert value(session, "SELECT count(*) FROM invoices") > 0  # they billed while it was told
    finish(fresh, dairy)
    ended = books(fresh)
    for name, rows_ in expected.items():
        assert ended[name] == rows_, name
        assert rows_
    with rehearsal(fresh) as session:
        for row in rows(
            session,
            "SELECT i.series, min(number) AS first, max(number) AS last, count(DISTINCT number) AS numbers, "
            "count(*) AS documents, min(s.next_number) AS next FROM invoices i JOIN invoice_series s "
            "ON s.series = i.series GROUP BY i.series",
        ):
            assert row["first"] == 1, row
            assert row["last"] == row["numbers"] == row["documents"] == row["next"] - 1, row
        twice = "SELECT event_line_id FROM charges GROUP BY 1 HAVING count(*) > 1"
        assert rows(session, twice) == []
        uneven = "SELECT journal_id FROM postings GROUP BY 1, currency HAVING sum(amount_minor) <> 0"
        assert rows(session, uneven) == []
