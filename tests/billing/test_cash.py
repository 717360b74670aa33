"""Cash at the door: into the driver's bag once, by the word that counts, and onto the depot's table."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from earlybird.billing import jobs
from earlybird.billing.service import cash, charges
from earlybird.infra import db
from earlybird.ledger import queries as ledger
from earlybird.ledger.states import Account
from make.doors import place, town
from make.town import Town

__all__ = ["place", "town"]

BREAKFAST = datetime(2026, 1, 16, 1, 30, tzinfo=UTC)


@pytest.fixture
def stop(town: Town) -> str:
    """Meena's planned stop, on the morning itself."""
    _, delivery_id = town.planned("meena", "2", "1")
    town.now = BREAKFAST
    return delivery_id


def tell(town: Town, stop: str, minor: int | None, role: str = "driver", minute: int = 30, **over: Any) -> Any:
    body = {"client_id": uuid4().hex, "outcome": "delivered", "device_at": f"2026-01-16T06:{minute}:00+05:30",
            "cash": None if minor is None else {"amount_minor": minor, "currency": "INR"}} | over  # fmt: skip
    verb = "correct" if "reason" in over else "confirm"
    body = {name: word for name, word in body.items() if word is not None}
    answer = town.ask(role, "POST", f"/api/deliveries/{stop}/{verb}", body)
    assert answer.status_code == 200, answer.text
    return answer.json()["answer"]


def bill(town: Town, month: str) -> Any:
    return town.ask("admin", "POST", "/api/invoices/runs", {"month": month, "business_id": str(town.firm.id)})


def charge(town: Town) -> None:
    with db.transaction(town.engine) as session:
        charges.charge_delivered(session, town.ctx())


def held(town: Town) -> int:
    balances = town.ask("driver", "GET", f"/api/drivers/{town.driver_id}/cash").json()["balances"]
    return int(balances[0]["held_minor"])


def standing(town: Town, stop: str) -> list[tuple[int, str]]:
    found = town.rows("SELECT amount_minor, state FROM payments WHERE delivery_id = :id ORDER BY id", id=stop)
    return [(row["amount_minor"], row["state"]) for row in found]


def test_cash_at_the_door_is_a_payment_in_the_drivers_bag_once(town: Town, stop: str) -> None:
    assert tell(town, stop, 12_000, client_id="tap") == "accepted"
    assert tell(town, stop, 12_000, client_id="tap") == "repeated"
    jobs.book_cash(town.engine, town.ctx())
    jobs.book_cash(town.engine, town.ctx())
    assert standing(town, stop) == [(12_000, "recorded")]
    assert held(town) == 12_000
    shown = town.ask("admin", "GET", f"/api/payments?customer_id={town.meena}").json()["items"][0]
    assert (shown["method"], shown["received_on"], shown["amount_minor"]) == ("cash", "2026-01-16", 12_000)
    event = town.ask("driver", "GET", f"/api/deliveries/{stop}").json()["events"][0]
    assert event["cash"] == {"amount_minor": 12_000, "currency": "INR"}
    charge(town)
    assert town.findings() == []


def test_the_word_that_counts_replaces_what_was_booked(town: Town, stop: str) -> None:
    tell(town, stop, 12_000)
    jobs.book_cash(town.engine, town.ctx())
    assert tell(town, stop, 9_000, minute=20) == "superseded"
    assert tell(town, stop, 11_000, minute=40) == "accepted"
    jobs.book_cash(town.engine, town.ctx())
    assert standing(town, stop) == [(12_000, "reversed"), (11_000, "recorded")]
    town.now = datetime(2026, 1, 25, 5, 0, tzinfo=UTC)
    aside = {"outcome": None, "reason": "the bag held 100", "device_at": "2026-01-25T10:00:00+05:30"}
    assert tell(town, stop, 10_000, "support", **aside) == "accepted"
    jobs.book_cash(town.engine, town.ctx())
    assert standing(town, stop)[-1] == (10_000, "recorded")
    assert held(town) == 10_000
    tell(town, stop, 0, "support", **aside | {"device_at": "2026-01-25T10:10:00+05:30"})
    jobs.book_cash(town.engine, town.ctx())
    assert [state for _, state in standing(town, stop)] == ["reversed"] * 3
    assert held(town) == 0
    assert town.ask("support", "GET", f"/api/deliveries/{stop}").json()["state"] == "delivered"
    charge(town)
    assert town.findings() == []


def test_two_who_tell_different_cash_leave_a_conflict_that_a_correction_closes(town: Town, stop: str) -> None:
    substitute = town.ask("substitute", "GET", "/auth/me").json()["id"]
    with db.transaction(town.engine) as session:
        db.run(session, "INSERT INTO rounds (id, site_id, service_on, shift, name, driver_id, substitute_id) VALUES "
               "(:id, :site, '2026-01-16', 'morning', 'North', :driver, :substitute)",
               {"id": stop, "site": town.firm.site_id, "driver": town.driver_id, "substitute": substitute})  # fmt: skip
        db.run(session, "INSERT INTO round_stops (delivery_id, round_id, position) VALUES (:id, :id, 1)", {"id": stop})
    tell(town, stop, 5_000, "substitute", minute=50)
    jobs.book_cash(town.engine, town.ctx())
    bag = "SELECT holder_id::text AS who FROM payments WHERE delivery_id = :id AND state = 'recorded'"
    assert town.rows(bag, id=stop) == [{"who": substitute}]
    tell(town, stop, 6_000, "driver")
    jobs.book_cash(town.engine, town.ctx())
    assert town.rows(bag, id=stop) == [{"who": str(town.driver_id)}]
    conflict = town.ask("driver", "GET", f"/api/deliveries/{stop}").json()["conflicts"]
    assert [(c["about"], c["state"], sorted(c["told"].values())) for c in conflict] == [
        ("cash_disagrees", "open", [5_000, 6_000])
    ]
    tell(town, stop, 6_000, "support", outcome=None, reason="counted together")
    assert town.ask("driver", "GET", f"/api/deliveries/{stop}").json()["conflicts"][0]["state"] == "resolved"
    assert town.ask("meena", "GET", f"/api/deliveries/{stop}").json()["conflicts"] == []


def test_cash_in_another_currency_is_refused_by_its_field(town: Town, stop: str) -> None:
    body = {"client_id": "x", "outcome": "delivered", "device_at": "2026-01-16T06:30:00+05:30",
            "cash": {"amount_minor": 1, "currency": "CAD"}}  # fmt: skip
    answer = town.ask("driver", "POST", f"/api/deliveries/{stop}/confirm", body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/cash/currency")
    assert town.rows("SELECT 1 FROM delivery_events WHERE delivery_id = :id", id=stop) == []


def test_what_is_counted_at_the_depot_leaves_the_bag_and_a_difference_stays_owed(town: Town, stop: str) -> None:
    tell(town, stop, 12_000)
    path = f"/api/drivers/{town.driver_id}/settlements"
    short = town.ask("support", "POST", path, {"counted_minor": 11_500, "currency": "INR", "note": "one note torn"})
    assert short.status_code == 201, short.text
    assert (short.json()["expected_minor"], short.json()["owed_minor"]) == (12_000, 500)
    finding = "SELECT state, money_minor FROM findings WHERE check_name = 'cash_differs' AND subject LIKE :who"
    assert town.rows(finding, who=f"{town.driver_id}%") == [{"state": "open", "money_minor": 500}]
    assert held(town) == 500
    even = town.ask("admin", "POST", path, {"counted_minor": 500, "currency": "INR"})
    assert even.json()["owed_minor"] == 0
    assert town.rows(finding, who=f"{town.driver_id}%")[0]["state"] == "resolved"
    entries = town.ask("driver", "GET", f"/api/drivers/{town.driver_id}/cash").json()["entries"]["items"]
    assert [(e["kind"], e["amount_minor"]) for e in entries] == [
        ("cash_settlement", -500), ("cash_settlement", -11_500), ("payment", 12_000),
    ]  # fmt: skip
    with db.rehearsal(town.engine) as session:
        assert ledger.balances(session, town.firm.id)[Account.depot_cash, "INR"] == 12_000
    wrong = town.ask("admin", "POST", path, {"counted_minor": 1, "currency": "CAD"})
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/currency")
    for who in (str(uuid4()), str(town.meena)):
        assert (
            town.ask(
                "admin", "POST", f"/api/drivers/{who}/settlements", {"counted_minor": 1, "currency": "INR"}
            ).status_code
            == 404
        )
        assert town.ask("driver", "GET", f"/api/drivers/{who}/cash").status_code == 404
    charge(town)
    assert town.findings() == []


def test_cash_that_never_reached_the_books_is_found(town: Town, stop: str) -> None:
    tell(town, stop, 12_000)
    charge(town)
    town.now = datetime(2026, 1, 16, 4, 0, tzinfo=UTC)
    assert town.findings() == [("cash_not_posted", "120.00 INR in cash taken on 2026-01-16 is not in the books")]
    jobs.book_cash(town.engine, town.ctx())
    assert town.findings() == []


def test_many_workers_book_each_word_once(town: Town) -> None:
    stops = [town.planned("meena", "1")[1] for _ in range(4)]
    town.now = BREAKFAST
    for n, stop in enumerate(stops):
        tell(town, stop, 1_000 + n)

    def work(_: int) -> None:
        with db.transaction(town.engine) as session:
            cash.book(session, town.ctx(), limit=1)

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(work, range(12)))
    assert [standing(town, stop) for stop in stops] == [[(1_000 + n, "recorded")] for n in range(4)]


def test_a_correction_after_the_bill_comes_back_on_the_next_one(town: Town, stop: str) -> None:
    tell(town, stop, None)
    charge(town)
    town.now = datetime(2026, 2, 1, 5, 0, tzinfo=UTC)
    assert bill(town, "2026-01").json()["totals"][0]["count"] == 1
    town.now = datetime(2026, 2, 10, 5, 0, tzinfo=UTC)
    right = {"outcome": None, "reason": "the curd never came", "device_at": "2026-02-10T10:00:00+05:30",
             "lines": [{"product_id": str(town.curd), "quantity": 0}]}  # fmt: skip
    assert tell(town, stop, None, "support", **right) == "accepted"
    charge(town)
    town.now = datetime(2026, 3, 1, 5, 0, tzinfo=UTC)
    answer = bill(town, "2026-02").json()
    assert [(t["kind"], t["count"]) for t in answer["totals"] if t["count"]] == [("credit_note", 1)]
    lines = town.rows("SELECT l.amount_minor::int AS minor, i.kind FROM invoice_lines l JOIN invoices i ON i.id = l.invoice_id "
                      "WHERE i.customer_id = :c ORDER BY i.issued_at, l.amount_minor", c=town.meena)  # fmt: skip
    assert [(row["minor"], row["kind"]) for row in lines] == [
        (4_050, "invoice"), (12_000, "invoice"), (-4_050, "credit_note"),
    ]  # fmt: skip
    charge(town)
    assert town.findings() == []
