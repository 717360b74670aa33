"""A day is cut once, however often: one round per driver and shift, in the remembered order, nobody forgotten."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from uuid import UUID

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

import make
from earlybird.deliveries.service import planning, rounds
from earlybird.infra import db
from earlybird.infra.db import rows, run, value
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.errors import Failure
from earlybird.routes.queries import days
from earlybird.routes.service import cutting, ordering, standing
from make.rounds import ON, Depot

TOMORROW = ON + timedelta(days=1)


def due(session: Session) -> list[date]:
    session.flush()
    return [row["service_on"] for row in days.due(session, first=ON - timedelta(days=1), last=ON + timedelta(days=31))]


def counts(session: Session) -> tuple[int, ...]:
    return tuple(value(session, f"SELECT count(*) FROM {t}") for t in ("rounds", "round_stops", "audit_entries"))


def test_a_day_becomes_one_round_per_driver_and_shift_and_one_for_nobody(depot: Depot) -> None:
    depot.several("a b c")
    depot.several("d e", "Bala")
    depot.stop("f", "Bala", shift="evening")
    depot.stop("g", None)
    assert due(depot.session) == [ON]
    done = depot.cut()
    assert (done.opened, done.placed, done.left) == (4, 7, 0)
    depot.check()
    found = rows(depot.session, "SELECT name, shift, (SELECT count(*) FROM round_stops s WHERE s.round_id = r.id) AS n "
                                "FROM rounds r ORDER BY name, shift")  # fmt: skip
    assert [tuple(row.values()) for row in found] == [
        ("Asha", "morning", 3), ("Bala", "evening", 1), ("Bala", "morning", 2), ("Unassigned", "morning", 1),
    ]  # fmt: skip
    assert due(depot.session) == []


def test_cutting_again_changes_nothing(depot: Depot) -> None:
    depot.several("a b c")
    depot.cut()
    before = counts(depot.session), depot.order(depot.round_of("Asha"))
    assert depot.cut().placed == 0
    assert (counts(depot.session), depot.order(depot.round_of("Asha"))) == before


def test_stops_follow_their_driver_and_cancelled_ones_leave(depot: Depot) -> None:
    depot.several("a b c")
    depot.several("d", "Bala")
    depot.cut()
    run(depot.session, "UPDATE deliveries SET driver_id = :d WHERE id = :id",
        {"d": depot.drivers["Bala"], "id": depot.stops["b"]})  # fmt: skip
    depot.set_state("c", "cancelled")
    assert due(depot.session) == [ON]
    done = depot.cut()
    assert (done.placed, done.left) == (1, 1)
    depot.check()
    assert (depot.order(depot.round_of("Asha")), depot.order(depot.round_of("Bala"))) == ("a", "d b")
    depot.set_state("a", "cancelled")
    depot.cut()
    state = "SELECT state FROM rounds WHERE id = :id"
    assert value(depot.session, state, {"id": depot.round_of("Asha")}) == "cancelled"
    depot.set_state("a", "planned")
    depot.cut()
    assert value(depot.session, state, {"id": depot.round_of("Asha")}) == "planned"
    depot.check()


def test_tomorrow_is_driven_in_the_order_that_is_remembered(depot: Depot) -> None:
    depot.several("a b c d e")
    depot.cut()
    today = depot.round_of("Asha")
    rounds.reorder(depot.session, depot.ctx, today, delivery_ids=depot.ids("d b e a c"))
    standing.remember(depot.session, depot.ctx, today)
    depot.several("a b e d", on=TOMORROW)
    depot.cut(TOMORROW)
    assert depot.order(depot.round_of("Asha", TOMORROW)) == "d b e a"
    depot.several("c", on=TOMORROW)
    depot.cut(TOMORROW)
    assert depot.order(depot.round_of("Asha", TOMORROW)) == "d b e a c"
    rounds.reorder(depot.session, depot.ctx, depot.round_of("Asha", TOMORROW), delivery_ids=depot.ids("a d b e c"))
    later = TOMORROW + timedelta(days=1)
    depot.several("c b a", on=later)
    depot.cut(later)
    assert depot.order(depot.round_of("Asha", later)) == "b a c"  # not saved, so not remembered


def test_a_new_door_comes_where_the_detour_is_shortest_and_is_remembered_there(depot: Depot) -> None:
    for n, name in enumerate("abcde"):
        depot.stop(name, place=(12.97, 77.50 + n / 100))
    depot.cut()
    rounds.reorder(depot.session, depot.ctx, depot.round_of("Asha"), delivery_ids=depot.ids("e d c b a"))
    standing.remember(depot.session, depot.ctx, depot.round_of("Asha"))
    before = depot.order(depot.round_of("Asha"))
    for name in ("a", "b", "d", "e"):
        depot.stop(name, on=TOMORROW)
    depot.stop("x", on=TOMORROW, place=(12.9701, 77.505))
    depot.stop("nowhere", on=TOMORROW)
    depot.cut(TOMORROW)
    found = depot.order(depot.round_of("Asha", TOMORROW)).split()
    assert [name for name in found if name in "abde"] == [name for name in before.split() if name != "c"]
    assert abs(found.index("a") - found.index("b")) == 2
    assert found[-1] == "nowhere"
    remembered = next(iter(days.remembered(depot.session, [_standing(depot)]).values()))
    names = {key: name for name, key in depot.doors.items()}
    known = [names[customer] for customer, _ in remembered]
    assert [name for name in known if name in "abcde"] == before.split()
    assert abs(known.index("a") - known.index("b")) == 2


def _standing(depot: Depot) -> UUID:
    key: UUID = value(depot.session, "SELECT id FROM standing_rounds")
    return key


def test_a_late_stop_of_a_round_that_is_out_comes_after_what_is_made_and_reorders_nothing(depot: Depot) -> None:
    for n, name in enumerate("abcd"):
        depot.stop(name, place=(12.97, 77.50 + n / 100))
    depot.cut()
    out = depot.round_of("Asha")
    rounds.reorder(depot.session, depot.ctx, out, delivery_ids=depot.ids("a b c d"))
    rounds.send_out(depot.session, depot.ctx, out)
    for name in "ab":
        depot.set_state(name, "delivered")
    depot.stop("late", place=(12.97, 77.502))
    depot.cut()
    assert depot.order(out).replace("late ", "").replace(" late", "") == "a b c d"
    assert depot.order(out).split().index("late") >= 2
    depot.check()
    rounds.finish(depot.session, depot.ctx, out)
    depot.stop("later")
    depot.cut()
    assert value(depot.session, "SELECT state FROM rounds WHERE id = :id", {"id": out}) == "out"
    depot.check()


def test_what_a_person_gave_away_stays_through_planning_and_cutting(session: Session, ctx: Ctx, depot: Depot) -> None:
    product = make.product(session, depot.firm, "Curd")
    for n in range(3):
        customer = make.customer(session, depot.firm, f"C{n}", driver_id=depot.drivers["Asha"])
        make.subscription(session, customer, product)
    planning.plan_day(session, ctx, depot.firm.site_id, TOMORROW)
    depot.cut(TOMORROW)
    mine = depot.round_of("Asha", TOMORROW)
    rounds.reassign(session, ctx, mine, driver_id=depot.drivers["Bala"])
    depot.check()
    late = make.customer(session, depot.firm, "Late", driver_id=depot.drivers["Asha"])
    make.subscription(session, late, product)
    make.subscription(session, customer, make.product(session, depot.firm, "Ghee"))
    planning.plan_day(session, ctx, depot.firm.site_id, TOMORROW)
    assert depot.cut(TOMORROW).placed == 1
    depot.check()
    drivers = rows(session, "SELECT DISTINCT driver_id FROM deliveries WHERE planned_on = :on", {"on": TOMORROW})
    assert [row["driver_id"] for row in drivers] == [depot.drivers["Bala"]]
    assert value(session, "SELECT count(*) FROM round_stops WHERE round_id = :r", {"r": mine}) == 4
    planning.plan_day(session, ctx, depot.firm.site_id, TOMORROW)
    assert depot.cut(TOMORROW).placed == 0


def test_what_is_meant_for_a_merged_round_goes_where_it_went(depot: Depot) -> None:
    depot.several("a b")
    depot.several("c d", "Bala")
    depot.cut()
    asha, bala = depot.round_of("Asha"), depot.round_of("Bala")
    rounds.merge(depot.session, depot.ctx, bala, other_id=asha)
    before = depot.order(bala)
    depot.stop("e")
    depot.cut()
    assert depot.order(bala) == f"{before} e"
    depot.check()


def test_a_customer_who_moves_to_another_depot_leaves_the_round(session: Session, depot: Depot) -> None:
    depot.several("a b c")
    depot.cut()
    other = value(session, "INSERT INTO sites (business_id, kind, name, zone) SELECT business_id, kind, 'North', zone "
                           "FROM sites RETURNING id")  # fmt: skip
    run(session, "UPDATE orders SET site_id = :s WHERE id = (SELECT order_id FROM deliveries WHERE id = :d)",
        {"s": other, "d": depot.stops["a"]})  # fmt: skip
    assert due(session) == [ON]
    cutting.cut(session, depot.ctx, other, ON)
    assert depot.order(depot.round_of("Asha")) in {"b c", "c b"}
    assert rows(session, "SELECT FROM round_stops s JOIN rounds r ON r.id = s.round_id WHERE r.site_id = :s",
                {"s": other}) != []  # fmt: skip
    depot.check()
    assert due(session) == []


def test_a_cut_takes_the_same_statements_for_three_stops_and_for_eighty(
    session: Session, depot: Depot, worker_engine: Engine
) -> None:
    from sqlalchemy import event

    seen: list[str] = []

    def note(_c: object, _k: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    used = []
    for n in range(20):
        depot.drivers[f"D{n}"] = make.driver(session, depot.firm, f"D{n}").id
    for count, on in ((3, ON), (80, TOMORROW)):
        for n in range(count):
            depot.stop(f"s{n}", f"D{n % 20}", on=on)
        session.flush()
        seen.clear()
        event.listen(worker_engine, "before_cursor_execute", note)
        depot.cut(on)
        event.remove(worker_engine, "before_cursor_execute", note)
        used.append(len(seen))
    assert used[1] <= used[0]


def test_several_who_cut_at_once_make_each_round_once(fresh: Engine, ctx: Ctx) -> None:
    with db.transaction(fresh) as session:
        depot = Depot.at(session, ctx)
        for n in range(30):
            depot.stop(f"s{n}", ("Asha", "Bala", "Chitra")[n % 3], place=(12.9 + n / 1000, 77.5))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: cutting.cut_due(fresh, ctx), range(4)))
    with db.transaction(fresh) as session:
        depot.session = session
        depot.check()
        assert value(session, "SELECT count(*) FROM rounds") == 3
        assert value(session, "SELECT count(*) FROM standing_rounds") == 3
        assert value(session, "SELECT count(*) FROM round_stops") == 30


def test_a_round_nobody_remembers_is_ordered_afresh_once_and_remembered(fresh: Engine, ctx: Ctx) -> None:
    with db.transaction(fresh) as session:
        depot = Depot.at(session, ctx)
        for name, n in zip("abcdef", (3, 0, 5, 1, 4, 2), strict=True):
            depot.stop(name, place=(12.97, 77.5 + n / 100))
        depot.cut()
    assert ordering.order_new(fresh, ctx) == 1
    assert ordering.order_new(fresh, ctx) == 0
    with db.transaction(fresh) as session:
        depot.session = session
        assert depot.order(depot.round_of("Asha")) in {"b d f a e c", "c e a f d b"}
        assert value(session, "SELECT count(*) FROM standing_stops") == 6
        depot.check()


def test_whoever_changes_a_day_waits_for_the_others(fresh: Engine, ctx: Ctx) -> None:
    with db.transaction(fresh) as session:
        depot = Depot.at(session, ctx)
        for n in range(12):
            depot.stop(f"s{n}", ("Asha", "Bala", "Chitra")[n % 3])
        depot.cut()
        keys = [row["id"] for row in rows(session, "SELECT id FROM rounds ORDER BY id")]

    def change(n: int) -> None:
        with db.transaction(fresh) as session:
            try:
                if n % 4 == 0:
                    rounds.merge(session, ctx, keys[n % 3], other_id=keys[(n + 1) % 3])
                elif n % 4 == 1:
                    rounds.reassign(session, ctx, keys[n % 3], driver_id=list(depot.drivers.values())[(n + 1) % 3])
                elif n % 4 == 2:
                    rounds.split(session, ctx, keys[n % 3], delivery_ids=[depot.stops[f"s{n % 12}"]])
                else:
                    cutting.cut(session, ctx, depot.firm.site_id, ON)
            except Failure:
                session.rollback()

    site = depot.firm.site_id
    with db.transaction(fresh) as first:
        rounds.hold_day(first, site, ON)
        for command in (
            lambda second: planning.plan_day(second, ctx, site, ON),
            lambda second: cutting.cut(second, ctx, site, ON),
            lambda second: rounds.reassign(second, ctx, keys[0], driver_id=None),
        ):
            with db.rehearsal(fresh) as second:
                run(second, "SET LOCAL lock_timeout = '50ms'")
                with pytest.raises(db.DatabaseDown, match="lock timeout"):
                    command(second)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(change, range(24)))
    with db.transaction(fresh) as session:
        depot.session = session
        depot.check()
        assert value(session, "SELECT count(*) FROM round_stops") == 12
