"""Every command leaves each stop still to be made in one round, whose driver is its driver; made stops keep who made them."""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy.orm import Session

from conftest import SOAK
from earlybird.deliveries import errors
from earlybird.deliveries.queries import rounds as queries
from earlybird.deliveries.service import rounds
from earlybird.infra.db import rows, run, value
from earlybird.kernel.ctx import Actor, Ctx, Reach
from earlybird.kernel.errors import Failure
from earlybird.routes.queries import loads
from earlybird.routes.service import ordering, standing
from earlybird.territory import service as territory
from earlybird.territory.errors import NotOnThatShift as NotOnThatShiftThere
from earlybird.territory.states import Shift
from make.rounds import ON, Depot


def state(depot: Depot, table: str, key: Any) -> str:
    depot.session.flush()
    return str(value(depot.session, f"SELECT state FROM {table} WHERE id = :id", {"id": key}))


def driver_of(depot: Depot, name: str) -> Any:
    found = value(depot.session, "SELECT driver_id FROM deliveries WHERE id = :id", {"id": depot.stops[name]})
    return next((who for who, key in depot.drivers.items() if key == found), None)


def actions(depot: Depot) -> list[str]:
    depot.session.flush()
    return [row["action"] for row in rows(depot.session, "SELECT DISTINCT action FROM audit_entries ORDER BY 1")]


@pytest.fixture
def cut(depot: Depot) -> Depot:
    depot.several("a b c d")
    depot.several("e f", "Bala")
    depot.cut()
    for who, order in (("Asha", "a b c d"), ("Bala", "e f")):
        rounds.reorder(depot.session, depot.ctx, depot.round_of(who), delivery_ids=depot.ids(order))
    return depot


def test_a_round_given_to_another_driver_takes_its_open_stops_along(cut: Depot) -> None:
    asha = cut.round_of("Asha")
    cut.set_state("a", "delivered")
    rounds.reassign(cut.session, cut.ctx, asha, driver_id=cut.drivers["Chitra"])
    assert [driver_of(cut, name) for name in "abcd"] == ["Asha", "Chitra", "Chitra", "Chitra"]
    cut.check()
    rounds.reassign(cut.session, cut.ctx, asha, driver_id=None)
    assert driver_of(cut, "b") is None
    assert {"rounds.reassign", "deliveries.assign", "rounds.cut", "rounds.open", "routes.open"} <= set(actions(cut))
    cut.check()


def test_two_drivers_change_places(cut: Depot) -> None:
    rounds.swap(cut.session, cut.ctx, cut.round_of("Asha"), other_id=cut.round_of("Bala"))
    assert [driver_of(cut, name) for name in "ae"] == ["Bala", "Asha"]
    cut.check()


def test_a_round_is_parted_from_a_stop_on_or_by_name_and_may_be_out(cut: Depot) -> None:
    asha = cut.round_of("Asha")
    new = rounds.split(cut.session, cut.ctx, asha, from_delivery_id=cut.stops["c"], driver_id=cut.drivers["Chitra"])
    assert (cut.order(asha), cut.order(new), driver_of(cut, "d")) == ("a b", "c d", "Chitra")
    cut.check()
    rounds.send_out(cut.session, cut.ctx, new)
    cut.set_state("c", "delivered")
    with pytest.raises(errors.NothingToPart):
        rounds.split(cut.session, cut.ctx, new, delivery_ids=cut.ids("c"))
    other = rounds.split(cut.session, cut.ctx, new, delivery_ids=cut.ids("d"), driver_id=cut.drivers["Bala"])
    assert (cut.order(new), cut.order(other), state(cut, "rounds", other)) == ("c", "d", "out")
    with pytest.raises(errors.NothingToPart):
        rounds.split(cut.session, cut.ctx, other, delivery_ids=cut.ids("d"))
    with pytest.raises(errors.StopNotInRound):
        rounds.split(cut.session, cut.ctx, asha, delivery_ids=cut.ids("e"))
    cut.check()
    assert cut.cut().placed == 0


def test_a_merged_round_leaves_what_is_made_and_ends(cut: Depot) -> None:
    asha, bala = cut.round_of("Asha"), cut.round_of("Bala")
    rounds.send_out(cut.session, cut.ctx, bala)
    cut.set_state("e", "delivered")
    rounds.merge(cut.session, cut.ctx, asha, other_id=bala)
    assert (cut.order(asha), cut.order(bala), state(cut, "rounds", bala)) == ("a b c d f", "e", "done")
    assert (driver_of(cut, "e"), driver_of(cut, "f")) == ("Bala", "Asha")
    with pytest.raises(errors.NotOfThisDay):
        rounds.merge(cut.session, cut.ctx, asha, other_id=asha)
    with pytest.raises(errors.RoundIsOver):
        rounds.merge(cut.session, cut.ctx, asha, other_id=bala)
    cut.check()


def test_a_round_sets_out_with_its_stops_and_orders_and_comes_back(cut: Depot) -> None:
    asha = cut.round_of("Asha")
    cut.set_state("d", "cancelled")
    rounds.send_out(cut.session, cut.ctx, asha)
    assert [state(cut, "deliveries", cut.stops[name]) for name in "abcd"] == ["out", "out", "out", "cancelled"]
    orders = rows(cut.session, "SELECT o.state FROM orders o JOIN deliveries d ON d.order_id = o.id WHERE d.id = :id",
                  {"id": cut.stops["a"]})  # fmt: skip
    assert orders == [{"state": "out"}]
    rounds.finish(cut.session, cut.ctx, asha)
    assert state(cut, "rounds", asha) == "done"
    with pytest.raises(errors.RoundIsOver):
        rounds.reassign(cut.session, cut.ctx, asha, driver_id=None)
    rounds.reopen(cut.session, cut.ctx, asha)
    assert state(cut, "rounds", asha) == "out"


def test_an_order_names_every_stop_once_and_leaves_locked_ones(cut: Depot) -> None:
    asha = cut.round_of("Asha")
    rounds.lock_stop(cut.session, cut.ctx, asha, cut.stops["b"], is_locked=True)
    rounds.reorder(cut.session, cut.ctx, asha, delivery_ids=cut.ids("d b a c"))
    assert cut.order(asha) == "d b a c"
    for order, refusal in (("b d a c", errors.StopIsLocked), ("d b a", errors.OrderOfOthers),
                           ("d b a c c", errors.OrderOfOthers), ("d b a e", errors.OrderOfOthers)):  # fmt: skip
        with pytest.raises(refusal):
            rounds.reorder(cut.session, cut.ctx, asha, delivery_ids=cut.ids(order))
    rounds.move_stop(cut.session, cut.ctx, asha, cut.stops["a"], position=99)
    assert cut.order(asha) == "d b c a"
    rounds.lock_stop(cut.session, cut.ctx, asha, cut.stops["b"], is_locked=False)
    rounds.move_stop(cut.session, cut.ctx, asha, cut.stops["b"], position=1)
    assert cut.order(asha) == "b d c a"
    cut.check()


def test_a_better_order_is_found_close_by_or_afresh_and_passes_no_locked_stop(depot: Depot) -> None:
    for n, name in enumerate("abcdefgh"):
        depot.stop(name, place=(12.97, 77.50 + n / 100))
    depot.cut()
    asha = depot.round_of("Asha")
    rounds.reorder(depot.session, depot.ctx, asha, delivery_ids=depot.ids("a b g c d e f h"))
    done = ordering.order(depot.session, depot.ctx, asha, is_fresh=False)
    assert (depot.order(asha), done.moved, done.is_changed) == ("a b c d e f g h", 1, True)
    assert done.metres < done.metres_before
    rounds.reorder(depot.session, depot.ctx, asha, delivery_ids=depot.ids("h a g b f c e d"))
    rounds.lock_stop(depot.session, depot.ctx, asha, depot.stops["h"], is_locked=True)
    assert ordering.order(depot.session, depot.ctx, asha, is_fresh=True).is_changed
    assert depot.order(asha) == "h g f e d c b a"
    standing.remember(depot.session, depot.ctx, asha)
    depot.check()


def test_who_may_drive_a_round(cut: Depot, session: Session) -> None:
    asha = cut.round_of("Asha")
    stranger = value(
        session, "INSERT INTO users (name, email, state) VALUES ('X', 'x@example.com', 'active') RETURNING id"
    )
    with pytest.raises(errors.NotADriver):
        rounds.reassign(session, cut.ctx, asha, driver_id=stranger)
    territory.set_driver_shifts(session, cut.ctx, cut.drivers["Chitra"], shifts=frozenset({Shift.evening}))
    with pytest.raises(errors.NotOnThatShift):
        rounds.substitute(session, cut.ctx, asha, driver_id=cut.drivers["Chitra"])
    area = territory.create_area(session, cut.ctx, site_id=cut.firm.site_id, name="North")
    with pytest.raises(NotOnThatShiftThere):
        territory.assign(session, cut.ctx, area, shift=Shift.morning, driver_id=cut.drivers["Chitra"], valid_from=ON)
    territory.set_driver_shifts(session, cut.ctx, cut.drivers["Chitra"], shifts=frozenset(Shift))
    with pytest.raises(errors.SubstituteIsDriver):
        rounds.substitute(session, cut.ctx, asha, driver_id=cut.drivers["Asha"])
    rounds.substitute(session, cut.ctx, asha, driver_id=cut.drivers["Chitra"])

    def seen(who: str) -> set[Any]:
        actor = Actor("user", who, "driver", id=cut.drivers[who], reaches=(Reach("driver", "round"),))
        found = queries.page(session, Ctx(actor=actor, now=cut.ctx.now, via="api"))
        return {row["id"] for row in found.items}

    assert (seen("Asha"), seen("Chitra"), seen("Bala")) == ({asha}, {asha}, {cut.round_of("Bala")})
    link = Actor("link", "helper", "link", reaches=(Reach("link", "link", round_id=asha),))
    shown = queries.round_shown(session, Ctx(actor=link, now=cut.ctx.now, via="link"), asha)
    assert [stop["customer_name"] for stop in shown["in_order"]] == list("abcd")
    with pytest.raises(errors.NoSuchRound):
        queries.round_shown(session, Ctx(actor=link, now=cut.ctx.now, via="link"), cut.round_of("Bala"))


def test_the_load_sheet_counts_packets_crates_and_empties(cut: Depot, session: Session) -> None:
    asha = cut.round_of("Asha")
    territory.set_known_policy(session, cut.ctx, "units_per_crate", value=3)
    run(session, "INSERT INTO container_movements (customer_id, container, quantity, moved_on) "
                 "VALUES (:c, 'bottle', 5, :on), (:c, 'bottle', -2, :on), (:d, 'bottle', -9, :on)",
        {"c": cut.doors["a"], "d": cut.doors["b"], "on": ON})  # fmt: skip
    run(session, "UPDATE standing_rounds SET capacity = 15 WHERE id = (SELECT standing_round_id FROM rounds WHERE id = :r)",
        {"r": asha})  # fmt: skip
    sheet = loads.sheet(session, asha)
    product = sheet["products"][0]
    assert (product["quantity"], product["packets"], product["crates"]) == (Decimal("8.000"), 16, 6)
    assert (sheet["packets"], sheet["crates"], sheet["is_over_capacity"]) == (16, 6, True)
    assert sheet["empties"] == [{"container": "bottle", "quantity": 3}]
    assert [stop["customer_name"] for stop in sheet["stops"]] == list("abcd")
    assert sheet["cash_expected_minor"] == 0


def test_any_row_of_commands_keeps_each_stop_in_one_round_of_its_driver(depot: Depot) -> None:
    draw = random.Random(7)
    session, ctx = depot.session, depot.ctx
    for n in range(14):
        depot.stop(f"s{n}", draw.choice(["Asha", "Bala", "Chitra", None]), place=(12.9 + draw.random() / 50, 77.5))
    depot.cut()

    def a_round() -> Any:
        return draw.choice(rows(session, "SELECT id FROM rounds ORDER BY id"))["id"]

    def a_place() -> tuple[Any, Any]:
        """A round and one of its stops."""
        return tuple(draw.choice(rows(session, "SELECT round_id, delivery_id FROM round_stops ORDER BY 1, 2")).values())

    def split() -> None:
        round_id, delivery_id = a_place()
        rounds.split(session, ctx, round_id, from_delivery_id=delivery_id, driver_id=drivers())

    def drivers() -> Any:
        return draw.choice([*depot.drivers.values(), None])

    def late() -> None:
        depot.stop(f"s{len(depot.stops)}", draw.choice(["Asha", "Bala", "Chitra", None]))
        depot.cut()

    def gone() -> None:
        run(session, "UPDATE deliveries SET state = 'cancelled' WHERE id = :id AND state = 'planned'",
            {"id": draw.choice(list(depot.stops.values()))})  # fmt: skip
        depot.cut()

    def made() -> None:
        run(session, "UPDATE deliveries SET state = 'delivered' WHERE id = :id AND state = 'out'",
            {"id": draw.choice(list(depot.stops.values()))})  # fmt: skip

    verbs: list[Callable[[], Any]] = [
        lambda: rounds.reassign(session, ctx, a_round(), driver_id=drivers()),
        lambda: rounds.swap(session, ctx, a_round(), other_id=a_round()),
        lambda: rounds.merge(session, ctx, a_round(), other_id=a_round()),
        split,
        lambda: rounds.move_stop(session, ctx, *a_place(), position=draw.randint(1, 9)),
        lambda: rounds.lock_stop(session, ctx, *a_place(), is_locked=draw.random() < 0.7),
        lambda: ordering.order(session, ctx, a_round(), is_fresh=False),
        lambda: rounds.send_out(session, ctx, a_round()),
        lambda: rounds.finish(session, ctx, a_round()),
        late, gone, made, depot.cut,
    ]  # fmt: skip
    done = refused = 0
    for _ in range(2000 if SOAK else 120):
        try:
            with session.begin_nested():
                draw.choice(verbs)()
                session.flush()
            done += 1
        except Failure:
            refused += 1
            session.expire_all()
        depot.check()
    assert done > refused / 4
    depot.cut()
    assert depot.cut().placed == 0
