"""Three devices without signal, a helper's link and the office: in whatever order their words arrive, one state results."""

from __future__ import annotations

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from threading import Barrier
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlalchemy.orm import Session

import make
from conftest import SOAK
from earlybird.billing.service import cash, charges
from earlybird.deliveries.schemas import read
from earlybird.deliveries.service import telling
from earlybird.infra.db import rows, run, transaction
from earlybird.kernel import ids
from earlybird.kernel.ctx import Actor, Ctx, Reach

ON = date(2026, 1, 15)
NOW = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
SPEAKERS = ("driver", "substitute", "helper", "office")

Word = tuple[str, int, str, int, tuple[int, int], int | None, int | None, int | None]
"""Who, at which stop, of what kind, at which minute; the quantities of two lines; cash, empties, crates."""

WORDS = st.lists(
    st.tuples(
        st.sampled_from(SPEAKERS),
        st.integers(0, 1),
        st.sampled_from(["confirm", "confirm", "confirm", "return"]),
        st.integers(0, 3),
        st.tuples(st.integers(0, 3), st.integers(0, 2)),
        st.sampled_from([None, None, 0, 5_000, 12_000]),
        st.sampled_from([None, 0, 2]),
        st.sampled_from([None, 1]),
    ),
    max_size=9,
)


@dataclass
class Round:
    """Two stops of one customer on a round with a driver, a substitute and a helper's link; `name` tells runs apart."""

    name: str
    firm: make.Firm
    people: dict[str, UUID]
    customer: UUID
    round_id: UUID
    stops: list[Any] = field(default_factory=list)

    def ctx(self, who: str) -> Ctx:
        """The circumstances of a speaker."""
        reaches = {
            "driver": Reach("driver", "round", site_id=self.firm.site_id),
            "substitute": Reach("driver", "round", site_id=self.firm.site_id),
            "helper": Reach("link", "link", round_id=self.round_id),
            "office": Reach("admin", "all"),
        }[who]
        kind = "link" if who == "helper" else "user"
        actor = Actor(kind=kind, name=who, role=reaches.role, id=self.people[who], reaches=(reaches,))
        return Ctx(actor=actor, now=NOW, via="api")

    def sayings(self, words: Sequence[Word]) -> list[tuple[str, bytes]]:
        """The words as their devices send them, each with a number of its device's own."""
        counts = dict.fromkeys(SPEAKERS, 0)
        found = []
        for n, (who, place, kind, minute, quantities, money, empties, crates) in enumerate(words):
            stop = self.stops[place]
            lines = [{"order_line_id": str(key), "quantity": str(q)}
                     for key, q in zip(stop.line_ids, quantities, strict=True) if q or kind != "return"]  # fmt: skip
            if not lines:
                continue
            counts[who] += 1
            item: dict[str, Any] = {
                "client_id": f"{self.name}-{n:02}", "kind": kind, "order_id": str(stop.order_id), "lines": lines,
                "device_at": f"2026-01-15T06:3{minute}:00+05:30", "device_id": f"{self.name}-{who}",
                "device_seq": counts[who],
            }  # fmt: skip
            if kind != "return":
                if who == "office":
                    item |= {"kind": "correct", "reason": "seen on the photo"}
                item |= {"cash": {"amount_minor": money, "currency": "INR"}} if money is not None else {}
                item |= {"empties": [{"container": "bottle", "quantity": empties}]} if empties is not None else {}
                item |= {"given": [{"container": "crate", "quantity": crates}]} if crates is not None else {}
            found.append((who, orjson.dumps(item)))
        return found

    def tell(self, session: Session, batch: Sequence[tuple[str, bytes]]) -> None:
        """Send a batch as one speaker after the other would: neighbours of one device go together."""
        while batch:
            who = batch[0][0]
            size = next((n for n, (other, _) in enumerate(batch) if other != who), len(batch))
            bodies = [body for _, body in batch[:size]]
            telling.tell_many(session, self.ctx(who), [read(body) for body in bodies], bodies=bodies)
            batch = batch[size:]

    def state(self, session: Session) -> dict[str, Any]:
        """All that the words left behind, without ids, receipts and audit."""
        places = {str(stop.delivery_id): f"stop {n}" for n, stop in enumerate(self.stops)}
        for n, stop in enumerate(self.stops):
            places |= {str(stop.order_id): f"order {n}"}
            places |= {str(key): f"line {n}.{k}" for k, key in enumerate(stop.delivery_line_ids)}
            places |= {str(key): f"order line {n}.{k}" for k, key in enumerate(stop.line_ids)}
        places |= {str(key): who for who, key in self.people.items()} | {str(self.customer): "customer"}
        facts = {"customer": self.customer, "keys": list(places)}
        found = {name: rows(session, sql, facts) for name, sql in TABLES.items()}
        text = orjson.dumps(found, default=str).decode().replace(self.name + "-", "")
        for key, word in places.items():
            text = text.replace(key, word)
        return {name: sorted(map(str, kept)) for name, kept in orjson.loads(text).items()}


TABLES = {
    "deliveries": "SELECT id, state FROM deliveries WHERE customer_id = :customer",
    "orders": "SELECT id, state FROM orders WHERE customer_id = :customer",
    "lines": "SELECT id, delivered_quantity::text AS q FROM delivery_lines WHERE customer_id = :customer",
    "sums": "SELECT delivery_line_id, sum(delta_quantity)::text AS q FROM delivery_event_lines "
    "WHERE customer_id = :customer GROUP BY 1 HAVING sum(delta_quantity) <> 0",
    "events": "SELECT client_id, delivery_id, kind, device, device_seq, device_at, actor_kind, actor_id, authority, via, "
    "reason, told - 'answer' - 'outcome' - 'digest' AS told FROM delivery_events WHERE customer_id = :customer",
    "containers": "SELECT container, event_id IS NULL AS lost, sum(quantity) AS q FROM container_movements "
    "WHERE customer_id = :customer GROUP BY 1, 2 HAVING sum(quantity) <> 0",
    "cash": "SELECT * FROM (SELECT DISTINCT ON (delivery_id) delivery_id, amount_minor, currency, holder_id, taken_on "
    "FROM delivery_cash WHERE customer_id = :customer ORDER BY delivery_id, revision DESC) c WHERE amount_minor > 0",
    "findings": "SELECT check_name, subject, severity, facts FROM findings WHERE state = 'open' AND subject = ANY(:keys)",
    "decided": "SELECT check_name, subject, facts FROM findings WHERE state <> 'open' AND subject = ANY(:keys) "
    "AND check_name IN ('confirmations_disagree', 'cash_disagrees')",
    "charges": "SELECT service_on, sum(quantity)::text AS q, sum(amount_minor)::text AS minor FROM charges "
    "WHERE customer_id = :customer GROUP BY 1 HAVING sum(quantity) <> 0 OR sum(amount_minor) <> 0",
    "payments": "SELECT delivery_id, amount_minor, currency, method, received_on, holder_id FROM payments "
    "WHERE customer_id = :customer AND state = 'recorded'",
    "books": "SELECT q.account, q.customer_id, q.user_id, sum(q.amount_minor)::text AS minor FROM postings q "
    "WHERE q.journal_id IN (SELECT journal_id FROM postings WHERE customer_id = :customer) "
    "GROUP BY 1, 2, 3 HAVING sum(q.amount_minor) <> 0",
    "gaps": "SELECT subject FROM findings WHERE check_name = 'device_gap' AND state = 'open'",
}
"""What must not depend on the order of arrival. Differences are summed: which event carried which part may differ."""


def people(session: Session, firm: make.Firm) -> dict[str, UUID]:
    found = {who: make.driver(session, firm, who).id for who in ("driver", "substitute", "office")}
    return found | {"helper": uuid4()}


def a_round(session: Session, who: dict[str, UUID], name: str) -> Round:
    firm = make.business(session, f"Dairy {name}")
    product, customer = make.product(session, firm, f"Milk {name}").id, make.customer(session, firm).id
    made = Round(name, firm, who, customer, ids.new_id())
    run(session, "INSERT INTO rounds (id, site_id, service_on, shift, name, driver_id, substitute_id) "
        "VALUES (:id, :site, :on, 'morning', 'North', :driver, :substitute)",
        {"id": made.round_id, "site": firm.site_id, "on": ON, "driver": who["driver"],
         "substitute": who["substitute"]})  # fmt: skip
    for place in (1, 2):
        stop = make.planned(session, firm, customer, [product], ["3", "2"])
        made.stops.append(stop)
        facts = {"d": stop.delivery_id, "r": made.round_id, "p": place, "driver": who["driver"]}
        run(session, "UPDATE deliveries SET driver_id = :driver WHERE id = :d", facts)
        run(session, "INSERT INTO round_stops (delivery_id, round_id, position) VALUES (:d, :r, :p)", facts)
    return made


def the_minute(session: Session, made: Round) -> None:
    """What the periodic jobs do about it."""
    charges.charge_delivered(session, made.ctx("office"))
    cash.book(session, made.ctx("office"))


@pytest.fixture
def town(session: Session) -> tuple[Session, dict[str, UUID]]:
    return session, people(session, make.business(session))


@given(words=WORDS, seed=st.integers(0, 2**32), jobs_between=st.booleans())
@settings(
    max_examples=2_000 if SOAK else 30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_permutation_repetition_and_split_ends_in_the_same_state(
    town: Any, words: list[Word], seed: int, *, jobs_between: bool
) -> None:
    session, who = town
    dice = random.Random(seed)
    ends = []
    for name in ("a" + uuid4().hex[:8], "b" + uuid4().hex[:8]):
        with session.begin_nested() as point:
            made = a_round(session, who, name)
            sayings = made.sayings(words)
            if name.startswith("b") and sayings:
                sayings = [*sayings, *dice.choices(sayings, k=3)]
                dice.shuffle(sayings)
                while sayings:
                    size = dice.randint(1, len(sayings))
                    made.tell(session, sayings[:size])
                    sayings = sayings[size:]
                    if jobs_between:
                        the_minute(session, made)
            made.tell(session, sayings)
            the_minute(session, made)
            ends.append(made.state(session))
            point.rollback()
    assert ends[0] == ends[1]


@pytest.mark.parametrize("seed", range(40 if SOAK else 2))
def test_devices_that_sync_at_the_same_time_end_as_one_after_the_other(fresh: Engine, seed: int) -> None:
    dice = random.Random(seed)
    words: list[Word] = [
        (dice.choice(SPEAKERS), dice.randint(0, 1), dice.choice(["confirm", "confirm", "return"]), dice.randint(0, 3),
         (dice.randint(0, 3), dice.randint(0, 2)), dice.choice([None, 0, 5_000]), dice.choice([None, 2]), None)
        for _ in range(14)
    ]  # fmt: skip
    with transaction(fresh) as session:
        who = people(session, make.business(session))
        serial, parallel = (a_round(session, who, name) for name in ("one-by-one", "at-once"))
        serial.tell(session, serial.sayings(words))
        the_minute(session, serial)
    sayings = parallel.sayings(words)
    outboxes = [[s for s in sayings if s[0] == speaker] for speaker in SPEAKERS]
    outboxes = [*outboxes, *outboxes]  # each device sends everything twice at once, as after a lost answer
    together = Barrier(len(outboxes) + 1)

    def send(outbox: list[tuple[str, bytes]]) -> None:
        together.wait()
        for n in range(0, len(outbox), 2):
            with transaction(fresh) as own:
                parallel.tell(own, outbox[n : n + 2])

    def book() -> None:
        together.wait()
        for _ in range(4):
            with transaction(fresh) as own:
                the_minute(own, parallel)

    with ThreadPoolExecutor(len(outboxes) + 1) as threads:
        for done in [threads.submit(book), *(threads.submit(send, outbox) for outbox in outboxes)]:
            done.result()
    with transaction(fresh) as session:
        the_minute(session, parallel)
        assert parallel.state(session) == serial.state(session)
