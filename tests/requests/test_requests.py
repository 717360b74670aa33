"""What is asked for is stamped with the cut-off, decided once, done by the slices below, and planned again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

import make
from earlybird.catalog.models import Product
from earlybird.customers.models import Customer
from earlybird.deliveries.service import nightly, planning, replanning
from earlybird.infra import db
from earlybird.kernel.ctx import Ctx
from earlybird.requests import service
from earlybird.subscriptions import service as standing
from make import entrance
from make.shared import round_of, shared
from make.town import TOMORROW, Town

CUTOFF = "2026-01-15T14:30:00Z"  # of the 16th: 20:00 in India
EVENING = datetime(2026, 1, 15, 15, 0, tzinfo=UTC)  # half an hour late
MORNING = datetime(2026, 1, 16, 1, 0, tzinfo=UTC)


@pytest.fixture
def milk(town: Town) -> UUID:
    """Meena has two litres of milk every morning, Prakash drives; tomorrow is planned."""
    with db.transaction(town.engine) as session:
        customer, product = session.get_one(Customer, town.meena), session.get_one(Product, town.milk)
        made = make.subscription(session, customer, product, "2")
    town.plan()
    return made.id


def wish(kind: str, **over: Any) -> dict[str, Any]:
    facts = {"client_id": uuid4().hex, "kind": kind, "service_on": str(TOMORROW)} | over
    return {name: str(fact) if isinstance(fact, UUID) else fact for name, fact in facts.items()}


def ask(town: Town, who: str, kind: str, **over: Any) -> dict[str, Any]:
    answer = town.ask(who, "POST", "/api/requests", wish(kind, **over))
    assert answer.status_code == 201, answer.text
    return answer.json()


def decide(town: Town, request: dict[str, Any], verb: str = "approve", **body: Any) -> Any:
    return town.ask("support", "POST", f"/api/requests/{request['id']}/{verb}", body)


def replan(town: Town) -> int:
    return replanning.replan_due(town.engine, town.ctx())


def due(town: Town, day: date = TOMORROW) -> list[tuple[str, str, str, Any]]:
    """What the plan of a day brings Meena: shift, product, quantity, driver."""
    found = town.rows(
        "SELECT d.shift, l.product_name, trim_scale(k.ordered_quantity) AS quantity, u.name FROM deliveries d "
        "JOIN delivery_lines k ON k.delivery_id = d.id JOIN order_lines l ON l.id = k.order_line_id "
        "LEFT JOIN users u ON u.id = d.driver_id WHERE d.customer_id = :c AND d.planned_on = :day "
        "AND d.state <> 'cancelled' AND k.ordered_quantity > 0 ORDER BY 1, 2",
        c=town.meena,
        day=day,
    )
    return [(row["shift"], row["product_name"], str(row["quantity"]), row["name"]) for row in found]


USUAL = [("morning", "Milk", "2", "Prakash")]


def test_what_is_approved_changes_the_plan_that_was_made_already(town: Town, milk: UUID) -> None:
    with db.transaction(town.engine) as session:
        gopal = entrance.person(session, "driver", site_id=town.firm.site_id, name="Gopal")
    assert (due(town), replan(town)) == (USUAL, 0)
    wanted = [
        ("extra_product", {"product_id": town.curd, "quantity": "1.5", "shift": "morning"},
         [("morning", "Curd", "1.5", "Prakash"), *USUAL]),
        ("quantity", {"subscription_id": milk, "quantity": "3"},
         [("morning", "Curd", "1.5", "Prakash"), ("morning", "Milk", "3", "Prakash")]),
        ("shift", {"subscription_id": milk, "shift": "evening"},
         [("evening", "Milk", "3", "Prakash"), ("morning", "Curd", "1.5", "Prakash")]),
        ("driver", {"subscription_id": milk, "driver_id": gopal},
         [("evening", "Milk", "3", "Gopal"), ("morning", "Curd", "1.5", "Prakash")]),
        ("pause", {"ends_on": "2026-01-17"}, [("morning", "Curd", "1.5", "Prakash")]),
    ]  # fmt: skip
    for kind, facts, planned in wanted:
        request = ask(town, "support", kind, customer_id=town.meena, **facts)
        before = due(town)
        assert replan(town) == 0
        done = decide(town, request)
        assert (done.status_code, done.json()["state"], done.json()["effective_on"]) == (200, "approved", str(TOMORROW))
        assert due(town) == before
        assert (replan(town), due(town), replan(town)) == (1, planned, 0), kind
    stop = decide(town, ask(town, "meena", "stop", service_on="2026-01-20"))
    assert stop.status_code == 200, stop.text
    row = town.rows("SELECT state, stops_on, stop_reason FROM subscriptions WHERE id = :id", id=milk)[0]
    assert (row["state"], row["stops_on"]) == ("stopped", date(2026, 1, 20))
    assert row["stop_reason"].startswith("asked for by ")


def test_the_cutoff_is_stamped_whether_it_was_kept_or_not(town: Town, milk: UUID) -> None:
    early = ask(town, "meena", "pause")
    town.now = EVENING
    late = ask(town, "meena", "pause")
    next_day = ask(town, "meena", "pause", service_on="2026-01-17")
    assert [(r["cutoff_at"], r["is_in_time"]) for r in (early, late, next_day)] == [
        (CUTOFF, True),
        (CUTOFF, False),
        ("2026-01-16T14:30:00Z", True),
    ]
    assert (early["customer_id"], early["made_at"]) == (str(town.meena), "2026-01-15T12:00:00Z")


def test_after_the_cutoff_it_holds_that_day_only_with_a_reason_else_from_the_next_open_day(
    town: Town, milk: UUID
) -> None:
    requests = [ask(town, "meena", "pause", ends_on=end) for end in ("2026-01-16", "2026-01-17", "2026-01-16")]
    town.now = EVENING
    assert nightly.plan_due(town.engine, town.ctx()) >= 1
    refused = decide(town, requests[0])
    assert (refused.status_code, refused.json()["type"].rsplit(":", 1)[1]) == (409, "TooLateToApprove")
    assert refused.json()["facts"]["next_open_on"] == "2026-01-17"
    assert decide(town, requests[0], late="that_day").status_code == 422
    nothing = decide(town, requests[0], late="next_open_day", reason="late call")
    assert (nothing.status_code, nothing.json()["type"].rsplit(":", 1)[1]) == (409, "NothingLeft")
    later = decide(town, requests[1], late="next_open_day", reason="late call").json()
    assert (later["effective_on"], later["is_after_cutoff"], replan(town), due(town)) == ("2026-01-17", False, 0, USUAL)
    done = decide(town, requests[2], late="that_day", reason="they called").json()
    assert (done["effective_on"], done["is_after_cutoff"], done["reason"]) == ("2026-01-16", True, "they called")
    assert (replan(town), due(town)) == (1, [])
    extra = {"product_id": town.curd, "quantity": "1", "shift": "evening"}
    town.now = MORNING
    order = decide(town, ask(town, "meena", "extra_product", **extra), late="that_day", reason="on the van").json()
    assert order["order_id"]
    assert (replan(town), due(town)) == (1, [("evening", "Curd", "1", "Prakash")])


def test_what_is_out_or_confirmed_stays_as_it_is(town: Town, milk: UUID) -> None:
    stop = town.rows("SELECT id FROM deliveries WHERE customer_id = :c", c=town.meena)[0]["id"]
    town.now = MORNING
    told = {"client_id": uuid4().hex, "outcome": "delivered", "device_at": "2026-01-16T06:25:00+05:30"}
    assert town.ask("driver", "POST", f"/api/deliveries/{stop}/confirm", told).status_code == 200
    done = decide(town, ask(town, "meena", "pause"), late="that_day", reason="sorry")
    assert done.status_code == 200, done.text
    assert (replan(town), due(town)) == (1, USUAL)
    assert town.rows("SELECT state FROM deliveries WHERE id = :id", id=stop)[0]["state"] == "delivered"
    town.now = MORNING + timedelta(days=1)
    yesterday = ask(town, "meena", "pause", service_on="2026-01-17")
    town.now += timedelta(days=1)
    over = decide(town, yesterday, late="that_day", reason="sorry")
    assert (over.status_code, over.json()["type"].rsplit(":", 1)[1]) == (409, "DayIsOver")


def test_approved_twice_at_once_it_is_done_once(town: Town, milk: UUID) -> None:
    request = ask(town, "meena", "extra_product", product_id=town.curd, quantity="1", shift="morning")
    town.token("support")
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: decide(town, request).status_code, range(8)))
    assert sorted(answers) == [200] + [409] * 7
    assert town.rows("SELECT count(*) AS n FROM orders WHERE customer_id = :c AND source = 'one_time'",
                     c=town.meena)[0]["n"] == 1  # fmt: skip


def test_asked_again_under_the_same_name_it_is_the_same_request(town: Town, milk: UUID) -> None:
    said = wish("quantity", subscription_id=milk, quantity="3")
    token = town.token("meena")
    assert token
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: town.ask("meena", "POST", "/api/requests", said), range(8)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    again = town.ask("meena", "POST", "/api/requests", said | {"quantity": "3.000"})
    assert again.json()["id"] == answers[0].json()["id"]
    other = town.ask("meena", "POST", "/api/requests", said | {"quantity": "4"})
    assert (other.status_code, other.json()["errors"][0]["pointer"]) == (409, "/client_id")
    town.now += timedelta(days=5)  # the day is over; what was asked for in time was asked for
    assert town.ask("meena", "POST", "/api/requests", said).json()["id"] == answers[0].json()["id"]
    town.now -= timedelta(days=5)
    somebody_else = said | {"subscription_id": None, "quantity": None, "kind": "pause"}
    assert town.ask("ravi", "POST", "/api/requests", somebody_else).status_code == 201


def test_each_sees_their_own_and_decides_nothing(town: Town, milk: UUID) -> None:
    mine = ask(town, "meena", "pause")
    by_driver = ask(town, "driver", "quantity", customer_id=town.meena, subscription_id=milk, quantity="0")
    path = f"/api/requests/{by_driver['id']}"
    seen = {who: town.ask(who, "GET", path).status_code for who in ("meena", "driver", "support", "ravi", "substitute")}
    assert seen == {"meena": 200, "driver": 200, "support": 200, "ravi": 404, "substitute": 404}
    assert town.ask("driver", "GET", f"/api/requests/{mine['id']}").status_code == 404
    for who in ("meena", "driver"):
        assert town.ask(who, "POST", f"{path}/approve", {}).status_code == 403
        assert town.ask(who, "POST", f"{path}/reject", {"reason": "no"}).status_code == 403
    assert town.ask("ravi", "POST", f"{path}/withdraw").status_code == 404
    assert town.ask("driver", "POST", "/api/requests", wish("pause", customer_id=town.ravi)).status_code == 404
    assert town.ask("ravi", "POST", "/api/requests", wish("pause", customer_id=town.meena)).status_code == 404
    said = decide(town, by_driver, "reject", reason="They want it.").json()
    assert (said["state"], said["reason"]) == ("rejected", "They want it.")
    shown = town.ask("driver", "GET", path).json()
    assert [(e["action"], e["reason"]) for e in shown["events"]] == [
        ("request.ask", None),
        ("request.reject", "They want it."),
    ]
    assert town.ask("meena", "POST", f"/api/requests/{mine['id']}/withdraw").json()["state"] == "withdrawn"
    assert {decide(town, request).status_code for request in (mine, by_driver)} == {409}
    listed = town.ask("meena", "GET", "/api/requests?state=rejected").json()["items"]
    assert [row["id"] for row in listed] == [by_driver["id"]]


def test_a_link_asks_for_what_is_said_at_the_door_and_sees_what_it_asked(town: Town, milk: UUID) -> None:
    stop = town.rows("SELECT id FROM deliveries WHERE customer_id = :c", c=town.meena)[0]["id"]
    with db.transaction(town.engine) as session:
        db.run(session, "UPDATE customers SET name = 'Meena Rao' WHERE id = :id", {"id": town.meena})
    helper = shared(town, round_id=round_of(town, [str(stop)]), name="Gopal")
    asked = helper.ask("POST", "/api/requests", wish("stop", delivery_id=stop, service_on="2026-01-20"))
    assert (asked.status_code, asked.json()["customer_name"], asked.json()["asked_by"]) == (201, "Meena R.", "Gopal")
    not_theirs = wish("quantity", delivery_id=stop, subscription_id=milk, quantity="9")
    assert helper.ask("POST", "/api/requests", not_theirs).status_code == 403
    other = ask(town, "meena", "pause", service_on="2026-01-25")
    assert [row["id"] for row in helper.ask("GET", "/api/requests").json()["items"]] == [asked.json()["id"]]
    assert helper.ask("GET", f"/api/requests/{other['id']}").status_code == 404
    assert town.rows("SELECT state FROM subscriptions WHERE id = :id", id=milk)[0]["state"] == "active"
    assert decide(town, asked.json()).status_code == 200
    assert town.rows("SELECT state FROM subscriptions WHERE id = :id", id=milk)[0]["state"] == "stopped"


WRONG = [
    (422, "/customer_id", {"kind": "pause"}),
    (422, "/service_on", {"kind": "pause", "customer_id": True, "service_on": "2026-01-14"}),
    (422, "/service_on", {"kind": "pause", "customer_id": True, "service_on": "2027-02-14"}),
    (422, "/ends_on", {"kind": "pause", "customer_id": True, "ends_on": "2026-01-15"}),
    (422, "/quantity", {"kind": "pause", "customer_id": True, "quantity": "1"}),
    (422, "/quantity", {"kind": "extra_product", "customer_id": True, "product_id": True, "shift": "morning"}),
    (422, "/quantity",
     {"kind": "extra_product", "customer_id": True, "product_id": True, "shift": "morning", "quantity": "0"}),
    (422, "/product_id",
     {"kind": "extra_product", "customer_id": True, "product_id": str(uuid4()), "shift": "morning", "quantity": "1"}),
    (422, "/subscription_id", {"kind": "quantity", "customer_id": True, "quantity": "1"}),
    (422, "/subscription_id", {"kind": "stop", "customer_id": True, "subscription_id": str(uuid4())}),
    (422, "/driver_id", {"kind": "driver", "customer_id": True, "subscription_id": True, "driver_id": str(uuid4())}),
    (404, "/customer_id", {"kind": "pause", "customer_id": str(uuid4())}),
    (404, "/delivery_id", {"kind": "pause", "delivery_id": str(uuid4())}),
]  # fmt: skip


def test_what_makes_no_sense_is_refused_by_its_field(town: Town, milk: UUID) -> None:
    known = {"customer_id": str(town.meena), "product_id": str(town.curd), "subscription_id": str(milk)}
    for status, pointer, facts in WRONG:
        said = {name: known[name] if fact is True else fact for name, fact in facts.items()}
        answer = town.ask("support", "POST", "/api/requests", wish(**said))
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (status, pointer), (facts, answer.text)
    theirs = wish("driver", subscription_id=milk, driver_id=town.driver_id)
    assert town.ask("meena", "POST", "/api/requests", theirs).status_code == 403


def test_what_nobody_decides_in_time_expires(town: Town, milk: UUID) -> None:
    day = ask(town, "meena", "quantity", subscription_id=milk, quantity="1")
    pause = ask(town, "meena", "pause", ends_on="2026-01-18")
    stop = ask(town, "meena", "stop")

    def waiting() -> set[str]:
        service.expire(town.engine, town.ctx())
        found = town.rows("SELECT id FROM requests WHERE state = 'waiting' AND customer_id = :c", c=town.meena)
        return {str(row["id"]) for row in found}

    for days, left in ((1, (day, pause, stop)), (2, (pause, stop)), (3, (pause, stop)), (4, (stop,)), (31, (stop,)),
                       (32, ())):  # fmt: skip
        town.now = datetime(2026, 1, 15, 12, 0, tzinfo=UTC) + timedelta(days=days)
        assert waiting() == {request["id"] for request in left}, days


WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


def test_a_change_of_a_planned_day_is_planned_again_and_none_is_lost(fresh: Engine, ctx: Ctx) -> None:
    with db.transaction(fresh) as session:
        firm = make.business(session)
        subscriptions = [
            make.subscription(session, make.customer(session, firm, name), make.product(session, firm, name)).id
            for name in ("Milk", "Curd")
        ]
        planning.plan_day(session, ctx, firm.site_id, TOMORROW)

    def say(key: UUID) -> None:
        with db.transaction(fresh) as session:
            standing.override(session, ctx, key, service_on=TOMORROW, quantity=Decimal(5))

    def plan() -> None:
        with db.transaction(fresh) as session:
            planning.plan_day(session, ctx, firm.site_id, TOMORROW)

    def quantities() -> list[Decimal]:
        with db.rehearsal(fresh) as session:
            return [row["q"] for row in db.rows(session, "SELECT ordered_quantity AS q FROM delivery_lines ORDER BY 1")]

    say(subscriptions[0])
    with ThreadPoolExecutor(1) as thread:
        with db.transaction(fresh) as session:
            db.run(session, "SELECT 1 FROM orders FOR UPDATE")
            planned = thread.submit(plan)
            with Session(fresh) as watch:
                while not db.value(watch, WAITING):
                    assert not planned.done()
                    watch.rollback()
            say(subscriptions[1])  # while that plan has looked already, and waits for the first one's order
        planned.result()
    assert quantities() == [1, 5]
    assert replanning.replan_due(fresh, ctx) == 1
    assert (quantities(), replanning.replan_due(fresh, ctx)) == ([5, 5], 0)
    say(subscriptions[0])
    assert replanning.replan_due(fresh, ctx.at(ctx.now + timedelta(days=2))) == 0
    with db.rehearsal(fresh) as session:
        assert db.value(session, "SELECT count(*) FROM replan_requests WHERE service_on = :d", {"d": TOMORROW}) == 0
