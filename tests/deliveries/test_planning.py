"""A day planned: what is due, once; changes reach what is not yet out; what a person cancelled stays away."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

import make
from conftest import NOW
from earlybird.audit import service as audit
from earlybird.catalog.models import Price
from earlybird.customers.models import Address, Customer
from earlybird.deliveries.service import planning
from earlybird.infra import db
from earlybird.infra.db import rows, run, value
from earlybird.kernel import ids
from earlybird.kernel.ctx import SYSTEM, Ctx
from earlybird.orders import service as orders
from earlybird.orders.errors import BeforeTakeOver
from earlybird.orders.service import Wanted
from earlybird.subscriptions import service as subscriptions
from earlybird.subscriptions.models import Subscription, SubscriptionVersion
from earlybird.territory.models import Area, AreaDriver, Closure
from earlybird.territory.states import Shift
from make.business import Firm

DAY = date(2026, 1, 17)


@pytest.fixture
def firm(session: Session) -> Firm:
    return make.business(session)


def lines(session: Session) -> list[dict[str, Any]]:
    return rows(
        session,
        """SELECT l.subscription_id, l.shift, l.quantity, l.base_quantity, l.unit_price, l.amount_minor, l.rule,
                  l.cancelled_by, l.price_id, l.product_name, l.unit, o.state, o.code, o.id AS order_id, o.address,
                  v.state AS stop, v.driver_id, k.ordered_quantity
           FROM order_lines l JOIN orders o ON o.id = l.order_id
           LEFT JOIN deliveries v ON v.order_id = o.id
           LEFT JOIN delivery_lines k ON k.delivery_id = v.id AND k.order_line_id = l.id
           ORDER BY l.service_on, l.shift, l.product_name, l.quantity""",
    )


def everything(session: Session) -> dict[str, list[str]]:
    """The rows of the plan without what says when it was looked at."""
    tables = ("orders", "order_lines", "deliveries", "delivery_lines", "audit_entries", "findings")
    seen = "SELECT to_jsonb(t)::text - 0 AS row FROM {} t ORDER BY id".replace(" - 0", "")
    return {table: [r["row"] for r in rows(session, seen.format(table))] for table in tables}


def test_a_due_day_becomes_one_order_with_priced_lines_and_a_stop(session: Session, ctx: Ctx, firm: Firm) -> None:
    meena = make.customer(session, firm)
    milk = make.subscription(session, meena, make.product(session, firm, price="60.25"), "1.5")
    make.subscription(session, meena, make.product(session, firm, "Curd", price="35"), "2", shift="both")
    done = planning.plan_day(session, ctx, firm.site_id, DAY)
    assert (done.orders, done.lines, done.stops, done.unassigned) == (2, 3, 2, 2)
    assert done.amount_minor == 9038 + 2 * 7000
    curd, toned, evening = (
        next(r for r in lines(session) if r["product_name"] == name and r["shift"] == shift)
        for name, shift in (("Curd", "morning"), ("Toned Milk", "morning"), ("Curd", "evening"))
    )
    assert toned["order_id"] == curd["order_id"] != evening["order_id"]
    assert toned["subscription_id"] == milk.id
    assert (toned["quantity"], toned["rule"], toned["unit"]) == (Decimal("1.5"), "daily", "L")
    assert toned["unit_price"] * toned["quantity"] == Decimal("90.375")
    assert toned["amount_minor"] == 9038
    assert {(r["state"], r["stop"]) for r in lines(session)} == {("planned", "planned")}
    assert all(r["ordered_quantity"] == r["quantity"] for r in lines(session))
    assert toned["code"] == ids.code("EB", toned["order_id"])
    assert toned["address"] == {"line1": "12 Temple Road", "city": "Bengaluru"}


def test_planning_again_changes_nothing(session: Session, ctx: Ctx, firm: Firm) -> None:
    product = make.product(session, firm)
    for n in range(5):
        make.subscription(session, make.customer(session, firm, f"C{n}"), product, shift="both")
    make.subscription(session, make.customer(session, firm), make.product(session, firm, "Ghee"), "1", agreed_price=700)
    first = planning.plan_day(session, ctx, firm.site_id, DAY)
    before = everything(session)
    for n in range(30):
        again = planning.plan_day(session, ctx.at(NOW + timedelta(minutes=n)), firm.site_id, DAY)
        assert (again.added, again.adjusted, again.cancelled, again.lines) == (0, 0, 0, first.lines)
    assert everything(session) == before
    assert value(session, "SELECT line_count FROM plan_runs") == first.lines == 11


def test_changes_before_the_stop_is_out_are_taken_over(session: Session, ctx: Ctx, firm: Firm) -> None:
    driver = make.driver(session, firm)
    sub = make.subscription(session, make.customer(session, firm), make.product(session, firm))
    planning.plan_day(session, ctx, firm.site_id, DAY)
    subscriptions.override(session, ctx, sub.id, service_on=DAY, quantity=Decimal(3), driver_id=driver.id)
    done = planning.plan_day(session, ctx, firm.site_id, DAY)
    (line,) = lines(session)
    assert (done.added, done.adjusted, line["quantity"], line["base_quantity"]) == (0, 1, 3, 1)
    assert (line["amount_minor"], line["ordered_quantity"]) == (18000, 3)
    assert (line["rule"], line["driver_id"]) == ("override", driver.id)
    session.add(Price(product_id=value(session, "SELECT id FROM products"), scope="list", unit_price=Decimal(66),
                      currency="INR", valid_from=DAY))  # fmt: skip
    session.flush()
    planning.plan_day(session, ctx, firm.site_id, DAY)
    assert lines(session)[0]["amount_minor"] == 19800


def test_what_is_out_or_confirmed_stays_as_it_was(session: Session, ctx: Ctx, firm: Firm) -> None:
    product = make.product(session, firm)
    out, told, kept = (make.subscription(session, make.customer(session, firm), product) for _ in range(3))
    planning.plan_day(session, ctx, firm.site_id, DAY)
    order = {r["subscription_id"]: r["order_id"] for r in lines(session)}
    run(session, "UPDATE orders SET state = 'out' WHERE id = :id", {"id": order[out.id]})
    run(session, "UPDATE deliveries SET state = 'out' WHERE order_id = :id", {"id": order[out.id]})
    run(
        session,
        """INSERT INTO delivery_events (client_id, delivery_id, customer_id, service_on, kind, device_at, received_at,
               actor_kind, actor_name, authority, via)
           SELECT 'x', id, customer_id, planned_on, 'confirm', :now, :now, 'user', 'P', 3, 'file' FROM deliveries
           WHERE order_id = :id""",
        {"id": order[told.id], "now": NOW},
    )
    for sub in (out, told, kept):
        subscriptions.override(session, ctx, sub.id, service_on=DAY, quantity=Decimal(0))
    done = planning.plan_day(session, ctx, firm.site_id, DAY)
    assert (done.cancelled, done.held) == (1, 2)
    assert {r["subscription_id"]: (r["state"], r["cancelled_by"], r["ordered_quantity"]) for r in lines(session)} == {
        out.id: ("out", None, 1),
        told.id: ("planned", None, 1),
        kept.id: ("cancelled", "plan", 0),
    }
    make.subscription(session, session.get(Customer, out.customer_id), make.product(session, firm, "Curd"))
    assert planning.plan_day(session, ctx, firm.site_id, DAY).added == 0


def test_what_the_plan_cancelled_comes_back_and_what_a_person_cancelled_does_not(
    session: Session, ctx: Ctx, firm: Firm
) -> None:
    product = make.product(session, firm)
    skipped, gone = (make.subscription(session, make.customer(session, firm), product) for _ in range(2))
    planning.plan_day(session, ctx, firm.site_id, DAY)
    pause = subscriptions.pause(session, ctx, skipped.id, starts_on=DAY)
    orders.cancel(
        session, ctx, next(r["order_id"] for r in lines(session) if r["subscription_id"] == gone.id), reason="x"
    )
    planning.plan_day(session, ctx, firm.site_id, DAY)
    state = {
        r["subscription_id"]: (r["state"], r["stop"], r["cancelled_by"], r["ordered_quantity"]) for r in lines(session)
    }
    assert state == {
        skipped.id: ("cancelled", "cancelled", "plan", 0),
        gone.id: ("cancelled", "cancelled", "person", 0),
    }
    assert pause
    subscriptions.resume(session, ctx, skipped.id, on=DAY)
    subscriptions.override(session, ctx, gone.id, service_on=DAY, quantity=Decimal(9))
    done = planning.plan_day(session, ctx, firm.site_id, DAY)
    state = {
        r["subscription_id"]: (r["state"], r["stop"], r["cancelled_by"], r["ordered_quantity"]) for r in lines(session)
    }
    assert state == {skipped.id: ("planned", "planned", None, 1), gone.id: ("cancelled", "cancelled", "person", 0)}
    assert (done.orders, done.lines) == (1, 1)
    session.add(Subscription(id=(key := ids.new_id()), customer_id=gone.customer_id, starts_on=DAY, state="active"))
    session.flush()
    session.add(SubscriptionVersion(subscription_id=key, valid_from=DAY, product_id=product.id, quantity=Decimal(4),
                                    pattern="daily", shift="morning"))  # fmt: skip
    session.flush()
    planning.plan_day(session, ctx, firm.site_id, DAY)
    state = {
        r["subscription_id"]: (r["state"], r["stop"], r["cancelled_by"], r["ordered_quantity"]) for r in lines(session)
    }
    assert state[gone.id] == ("planned", "planned", "person", 0)
    assert state[key] == ("planned", "planned", None, 4)


def test_a_line_moves_with_its_door_and_its_shift(session: Session, ctx: Ctx, firm: Firm) -> None:
    meena = make.customer(session, firm)
    sub = make.subscription(session, meena, make.product(session, firm))
    planning.plan_day(session, ctx, firm.site_id, DAY)
    run(session, "UPDATE addresses SET is_default = false")
    session.add(Address(customer_id=meena.id, line1="3 Lake View", is_default=True))
    session.flush()
    done = planning.plan_day(session, ctx, firm.site_id, DAY)
    assert (done.orders, done.lines, done.stops, done.adjusted) == (1, 1, 1, 1)
    (line,) = (r for r in lines(session) if r["state"] == "planned")
    assert (line["address"], line["ordered_quantity"]) == ({"line1": "3 Lake View"}, 1)
    old = rows(session, "SELECT o.state, k.ordered_quantity FROM orders o JOIN deliveries v ON v.order_id = o.id "
                        "JOIN delivery_lines k ON k.delivery_id = v.id WHERE o.id <> :id", {"id": line["order_id"]})  # fmt: skip
    assert old == [{"state": "cancelled", "ordered_quantity": 0}]
    subscriptions.override(session, ctx, sub.id, service_on=DAY, shift=Shift.evening)
    done = planning.plan_day(session, ctx, firm.site_id, DAY)
    assert (done.added, done.cancelled, done.orders) == (1, 1, 1)
    before = everything(session)
    planning.plan_day(session, ctx, firm.site_id, DAY)
    assert everything(session) == before


def test_a_one_time_order_gets_its_stop(session: Session, ctx: Ctx, firm: Firm) -> None:
    meena = make.customer(session, firm)
    curd = make.product(session, firm, "Curd", "35")
    ghee = make.product(session, firm, "Ghee", "600")
    wanted = [Wanted(curd.id, Decimal(2)), Wanted(ghee.id, Decimal(1), Decimal("30.005"))]
    order = orders.place(session, ctx, meena.id, service_on=DAY, shift=Shift.morning, lines=wanted)
    other = orders.place(session, ctx, meena.id, service_on=DAY, shift=Shift.morning, lines=wanted[:1])
    later = orders.place(session, ctx, meena.id, service_on=DAY + timedelta(1), shift=Shift.morning, lines=wanted)
    done = planning.plan_day(session, ctx, firm.site_id, DAY)
    assert (done.orders, done.lines, done.stops, done.amount_minor) == (2, 3, 2, 7000 + 3001 + 7000)
    state = {r["order_id"]: (r["state"], r["stop"]) for r in lines(session)}
    assert state == {order.id: ("planned", "planned"), other.id: ("planned", "planned"), later.id: ("placed", None)}
    before = everything(session)
    planning.plan_day(session, ctx, firm.site_id, DAY)
    assert everything(session) == before
    orders.cancel(session, ctx, order.id, reason="changed my mind")
    assert planning.plan_day(session, ctx, firm.site_id, DAY).orders == 1
    assert {r["stop"] for r in lines(session) if r["order_id"] == order.id} == {"cancelled"}


def test_who_delivers_override_version_customer_area_nobody(session: Session, ctx: Ctx, firm: Firm) -> None:
    names = ("Override", "Version", "Customer", "Saturday", "Everyday", "Former")
    who = {name: make.driver(session, firm, name).id for name in names}
    area = Area(id=ids.new_id(), site_id=firm.site_id, name="North")
    session.add(area)
    session.flush()
    session.add_all(
        AreaDriver(area_id=area.id, shift=shift, weekday=weekday, driver_id=who[name], valid_from=since)
        for shift, weekday, name, since in (
            ("morning", None, "Former", date(2025, 1, 1)),
            ("morning", None, "Everyday", date(2026, 1, 1)),
            ("morning", None, "Former", date(2026, 2, 1)),
            ("morning", DAY.weekday(), "Saturday", date(2025, 6, 1)),
        )
    )
    milk = make.product(session, firm)

    def planned(day: date, *, area_id: UUID | None = None, driver_id: UUID | None = None, **over: Any) -> UUID | None:
        one = make.customer(session, firm, area_id=area_id, driver_id=driver_id)
        driver = over.pop("override", None)
        sub = make.subscription(session, one, milk, **over)
        if driver:
            subscriptions.override(session, ctx, sub.id, service_on=day, driver_id=driver)
        planning.plan_day(session, ctx, firm.site_id, day)
        (found,) = (r["driver_id"] for r in lines(session) if r["subscription_id"] == sub.id)
        run(session, "UPDATE subscriptions SET stops_on = starts_on")
        return found  # type: ignore[no-any-return]

    assert planned(DAY) is None
    assert planned(DAY, area_id=area.id) == who["Saturday"]
    assert planned(DAY + timedelta(1), area_id=area.id) == who["Everyday"]
    assert planned(DAY, area_id=area.id, shift="evening") is None
    assert planned(DAY, area_id=area.id, driver_id=who["Customer"]) == who["Customer"]
    rest: dict[str, Any] = {"area_id": area.id, "driver_id": who["Customer"]}
    run(session, "UPDATE subscriptions SET stops_on = starts_on")
    one = make.customer(session, firm, **rest)
    sub = make.subscription(session, one, milk, driver_id=who["Version"])
    planning.plan_day(session, ctx, firm.site_id, DAY)
    assert {r["driver_id"] for r in lines(session) if r["subscription_id"] == sub.id} == {who["Version"]}
    subscriptions.override(session, ctx, sub.id, service_on=DAY, driver_id=who["Override"])
    planning.plan_day(session, ctx, firm.site_id, DAY)
    assert {r["driver_id"] for r in lines(session) if r["subscription_id"] == sub.id} == {who["Override"]}


def test_a_closed_day_is_empty_and_opens_again(session: Session, ctx: Ctx, firm: Firm) -> None:
    make.subscription(session, make.customer(session, firm), make.product(session, firm))
    planning.plan_day(session, ctx, firm.site_id, DAY)
    session.add(Closure(site_id=firm.site_id, closed_on=DAY, reason="Pongal"))
    session.flush()
    done = planning.plan_day(session, ctx, firm.site_id, DAY)
    assert (done.closed, done.orders, done.stops, done.cancelled) == ("Pongal", 0, 0, 1)
    run(session, "DELETE FROM closures")
    assert planning.plan_day(session, ctx, firm.site_id, DAY).orders == 1


def test_without_a_price_the_line_is_a_finding_until_there_is_one(session: Session, ctx: Ctx, firm: Firm) -> None:
    meena = make.customer(session, firm)
    free = make.product(session, firm, "Sample")
    run(session, "DELETE FROM prices")
    sub = make.subscription(session, meena, free)
    done = planning.plan_day(session, ctx, firm.site_id, DAY)
    assert (done.orders, done.unpriced) == (0, 1)
    (finding,) = rows(session, "SELECT check_name, subject, severity, state, customer_id FROM findings")
    assert finding == {
        "check_name": "subscription_without_price",
        "subject": str(sub.id),
        "severity": "warning",
        "state": "open",
        "customer_id": meena.id,
    }
    session.add(Price(product_id=free.id, scope="list", unit_price=Decimal(1), currency="INR", valid_from=DAY))
    session.flush()
    assert planning.plan_day(session, ctx, firm.site_id, DAY).orders == 1
    assert value(session, "SELECT state FROM findings") == "resolved"


def test_days_before_the_take_over_are_not_planned(session: Session, ctx: Ctx, firm: Firm) -> None:
    run(session, "UPDATE businesses SET cutover_on = :day", {"day": DAY + timedelta(1)})
    with pytest.raises(BeforeTakeOver):
        planning.plan_day(session, ctx, firm.site_id, DAY)


def test_a_customer_of_another_site_is_planned_there_and_its_order_follows(
    session: Session, ctx: Ctx, firm: Firm
) -> None:
    other = make.business(session, "Other Dairy")
    meena = make.customer(session, firm)
    make.subscription(session, meena, make.product(session, firm))
    planning.plan_day(session, ctx, other.site_id, DAY)
    assert lines(session) == []
    planning.plan_day(session, ctx, firm.site_id, DAY)
    meena.site_id = other.site_id
    session.flush()
    for site_id in (firm.site_id, other.site_id, firm.site_id):
        planning.plan_day(session, ctx, site_id, DAY)
    assert [(r["state"], r["stop"], r["cancelled_by"]) for r in lines(session)] == [("planned", "planned", None)]
    assert value(session, "SELECT site_id FROM orders") == other.site_id


def test_bulk_work_leaves_one_entry_with_count_and_digest(session: Session, ctx: Ctx, firm: Firm) -> None:
    product = make.product(session, firm)
    for _ in range(4):
        make.subscription(session, make.customer(session, firm), product)
    planning.plan_day(session, ctx, firm.site_id, DAY)
    (entry,) = rows(session, "SELECT row_count, digest, after FROM audit_entries WHERE action = 'orders.plan'")
    made = [r["order_id"] for r in lines(session)]
    audit.record_many(session, replace(ctx, actor=SYSTEM), "test", "order", made)
    assert entry["row_count"] == 4
    assert entry["after"] == {"site_id": str(firm.site_id), "service_on": str(DAY), "lines": 4}
    assert entry["digest"] == value(session, "SELECT digest FROM audit_entries WHERE action = 'test'")


def crowd(engine: Engine, count: int) -> Firm:
    with db.transaction(engine) as session:
        firm = make.business(session)
        product = make.product(session, firm)
        for n in range(count):
            make.subscription(session, make.customer(session, firm, f"C{n}"), product, shift=("both", "morning")[n % 2])
    return firm


COUNTS = "SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM order_lines), (SELECT count(*) FROM deliveries), (SELECT count(*) FROM delivery_lines)"


def test_eight_planners_at_once_make_one_plan(fresh: Engine, ctx: Ctx) -> None:
    firm = crowd(fresh, 20)

    def once(_: int) -> int:
        with db.transaction(fresh) as session:
            return planning.plan_day(session, ctx, firm.site_id, DAY).added

    with ThreadPoolExecutor(8) as pool:
        added = list(pool.map(once, range(8)))
    assert sorted(added) == [0] * 7 + [30]
    with fresh.connect() as connection:
        assert tuple(connection.execute(text(COUNTS)).one()) == (30, 30, 30, 30)


def test_a_confirmation_meanwhile_wins_over_the_plan(fresh: Engine, ctx: Ctx) -> None:
    firm = crowd(fresh, 1)
    with db.transaction(fresh) as session:
        planning.plan_day(session, ctx, firm.site_id, DAY)
        run(session, "UPDATE subscription_versions SET quantity = 5")
    with fresh.connect() as door, ThreadPoolExecutor(1) as pool:
        door.execute(text("SELECT FROM orders FOR NO KEY UPDATE"))
        door.execute(text("UPDATE orders SET state = 'delivered'"))
        door.execute(text("UPDATE deliveries SET state = 'delivered'"))

        def again() -> planning.Planned:
            with db.transaction(fresh) as session:
                return planning.plan_day(session, ctx, firm.site_id, DAY)

        waiting = pool.submit(again)
        blocked = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        with fresh.connect().execution_options(isolation_level="AUTOCOMMIT") as watch:
            while not watch.execute(text(blocked)).scalar() and not waiting.done():
                pass
        door.commit()
        done = waiting.result()
    assert (done.adjusted, done.held) == (0, 2)
    with fresh.connect() as connection:
        assert connection.execute(text("SELECT DISTINCT quantity FROM order_lines")).scalar() == 1


def test_killed_in_the_middle_and_run_again_ends_the_same(
    fresh: Engine, fresh_url: str, earlybird: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    crowd(fresh, 30)
    command = [sys.executable, "-m", "earlybird", "plan", "--on", "2026-01-17", "--through", "2026-01-19"]
    environment = {**os.environ, "EARLYBIRD_DATABASE_URL": fresh_url, "EARLYBIRD_NOW": NOW.isoformat()}
    with fresh.connect().execution_options(isolation_level="AUTOCOMMIT") as watch, fresh.connect() as brake:
        brake.execute(text("LOCK delivery_lines IN EXCLUSIVE MODE"))
        planner = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        stuck = "SELECT count(*) FROM pg_locks WHERE relation = 'delivery_lines'::regclass AND NOT granted"
        deadline = time.monotonic() + 30
        while not watch.execute(text(stuck)).scalar():
            assert time.monotonic() < deadline
            assert planner.poll() is None
        planner.send_signal(signal.SIGKILL)
        planner.wait()
        brake.rollback()
    with fresh.connect() as connection:
        assert tuple(connection.execute(text(COUNTS)).one()) == (0, 0, 0, 0)
    again = earlybird("plan", "--on", "2026-01-17", "--through", "2026-01-19", "--json")
    assert again.returncode == 0, again.stderr
    assert [day["added"] for day in json.loads(again.stdout)] == [45, 45, 45]
    with fresh.connect() as connection:
        assert tuple(connection.execute(text(COUNTS)).one()) == (135, 135, 135, 135)


def test_the_command_plans_tomorrow_at_the_depot_and_shows_it(
    fresh: Engine, earlybird: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    crowd(fresh, 2)
    late = earlybird("plan", now=NOW.replace(hour=20))
    assert late.returncode == 0, late.stderr
    assert "2026-01-17" in late.stdout
    assert "180.00 INR" in late.stdout
    assert earlybird("plan", "--through", "2026-01-17").returncode == 2
    assert earlybird("plan", "--on", "17.1.2026").returncode == 2
