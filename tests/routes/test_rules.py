"""Orders stay close to what is known: nobody is lost, few move, locked stops are passed by none."""

from __future__ import annotations

import random
from itertools import permutations
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import SOAK
from earlybird.routes.rules import memory
from earlybird.routes.rules.distance import Place, metres
from earlybird.routes.rules.sequence import PENALTY, Course, Visit, arrival, length, moved, resequenced
from earlybird.routes.service import sequencing

DEPOT = Course(Place(12.97, 77.59), 5 * 3600)
EXAMPLES = settings(max_examples=2000 if SOAK else 60, deadline=None)

degrees = st.integers(-300, 300).map(lambda n: n / 10_000)
places = st.none() | st.builds(lambda a, b: Place(12.97 + a, 77.59 + b), degrees, degrees)


@st.composite
def rounds(draw: Any, most: int = 12) -> tuple[list[Visit], list[Visit], Course, int]:
    """Known stops, late ones, a course, and how many are made."""
    count, late = draw(st.integers(0, most)), draw(st.integers(0, 2))
    visits = []
    for n in range(count + late):
        opens = draw(st.sampled_from([0, 0, 0, 5 * 3600 + 600]))
        closes = draw(st.sampled_from([None, None, 6 * 3600]))
        visits.append(Visit(n, draw(places), draw(st.booleans()) and draw(st.booleans()) and n < count, opens, closes))
    course = draw(st.sampled_from([DEPOT, Course()]))
    return visits[:count], visits[count:], course, draw(st.integers(0, count))


def keys(visits: list[Visit]) -> list[Any]:
    return [visit.key for visit in visits]


def sides(order: list[Visit]) -> dict[Any, set[Any]]:
    """Who stands before each locked stop."""
    return {visit.key: set(keys(order[:n])) for n, visit in enumerate(order) if visit.is_locked}


@EXAMPLES
@given(rounds())
def test_a_late_stop_moves_at_most_three_others_and_nobody_passes_a_locked_one(given_round: Any) -> None:
    known, late, course, made = given_round
    order = resequenced(known, late, course, frozen=made)
    assert sorted(keys(order)) == list(range(len(known) + len(late)))
    assert keys(order)[:made] == keys(known)[:made]
    assert moved(keys(known), keys(order)) <= 3
    late_keys = set(keys(late))
    assert {key: before - late_keys for key, before in sides(order).items()} == sides(known)
    assert keys(resequenced(known, late, course, frozen=made)) == keys(order)


@EXAMPLES
@given(rounds())
def test_without_coordinates_the_remembered_order_stands(given_round: Any) -> None:
    known, late, course, made = given_round
    blind = [Visit(v.key, None, v.is_locked, v.opens, v.closes) for v in known]
    assert resequenced(blind, [], course, frozen=made) == blind
    nowhere = [Visit(v.key) for v in late]
    assert resequenced(known, nowhere, course, frozen=made, most_moved=0) == [*known, *nowhere]
    assert [k for k in keys(resequenced(known, late, course, most_moved=0, frozen=made)) if k < len(known)] == keys(
        known
    )


@EXAMPLES
@given(rounds())
def test_an_unknown_place_stays_behind_the_stop_it_stood_behind(given_round: Any) -> None:
    known, late, course, made = given_round
    order = resequenced(known, late, course, frozen=made)
    behind = {v.key: known[n - 1].key for n, v in enumerate(known) if n and v.place is None}
    place_of = {visit.key: n for n, visit in enumerate(order)}
    assert all(keys(order)[place_of[key] - 1] == before for key, before in behind.items())


def test_a_known_stop_moves_only_where_it_saves_its_penalty() -> None:
    row = [Visit(n, Place(12.97, 77.59 + n / 1000)) for n in range(8)]
    astray = [*row[:2], row[6], *row[2:6], row[7]]
    assert length(astray, DEPOT) - length(row, DEPOT) > PENALTY
    assert keys(resequenced(astray, [], DEPOT)) == keys(row)
    nearly = [row[1], row[0], *row[2:]]
    assert length(nearly, DEPOT) - length(row, DEPOT) < PENALTY
    assert resequenced(nearly, [], DEPOT) == nearly


def test_a_late_stop_goes_where_its_window_can_be_kept() -> None:
    row = [Visit(n, Place(12.97, 77.59 + n / 100), service=600) for n in range(1, 7)]
    near_the_end = Place(12.975, 77.59 + 0.055)
    assert keys(resequenced(row, [Visit("late", near_the_end)], DEPOT)).index("late") in {5, 6}
    early = Visit("late", near_the_end, closes=DEPOT.starts + 1500)
    assert keys(resequenced(row, [early], DEPOT, most_moved=0))[0] == "late"


def test_moved_counts_the_fewest_that_must_jump() -> None:
    for order in permutations(range(5)):
        longest = max(
            sum(1 for _ in picked)
            for size in range(6)
            for picked in _increasing(order, size)
        )  # fmt: skip
        assert moved(range(5), order) == 5 - longest
    assert moved([1, 2, 3], [1, "new", 2, 3]) == 0


def _increasing(order: tuple[int, ...], size: int) -> list[tuple[int, ...]]:
    from itertools import combinations

    return [picked for picked in combinations(order, size) if list(picked) == sorted(picked)]


def test_a_hundred_stops_take_a_late_one_close_to_a_fresh_solve() -> None:
    draw = random.Random(4)
    visits = [Visit(n, Place(12.97 + draw.uniform(-0.03, 0.03), 77.59 + draw.uniform(-0.03, 0.03))) for n in range(101)]
    before = sequencing.fresh(visits[:100], DEPOT, limit=0.3)
    after = resequenced(before, visits[100:], DEPOT)
    assert moved(keys(before), keys(after)) <= 3
    assert length(after, DEPOT) <= 1.05 * length(sequencing.fresh(visits, DEPOT, limit=0.6), DEPOT)


def test_a_fresh_order_is_the_shortest_keeps_windows_and_lets_nobody_pass_a_locked_stop() -> None:
    draw = random.Random(1)
    visits = [Visit(n, Place(12.97 + draw.uniform(-0.02, 0.02), 77.59 + draw.uniform(-0.02, 0.02))) for n in range(7)]
    shortest = min(length(list(order), DEPOT) for order in permutations(visits))
    assert length(sequencing.fresh(visits, DEPOT, limit=0.3), DEPOT) == shortest
    first = Visit(9, Place(12.99, 77.61), closes=DEPOT.starts + 1200)
    order = sequencing.fresh([*visits, first], DEPOT, limit=0.3)
    assert arrival(order[: keys(order).index(9) + 1], DEPOT) - DEPOT.service <= first.closes
    fast = [*visits[:3], Visit(3, visits[3].place, is_locked=True), *visits[4:]]
    assert sides(sequencing.fresh(fast, DEPOT, limit=0.3)) == {3: {0, 1, 2}}
    blind = [Visit(n) for n in range(9)]
    assert sequencing.fresh(blind, DEPOT) == blind


def test_a_van_comes_back_to_load_as_often_as_it_must() -> None:
    far = [Place(12.97 + a, 77.59 + b) for a, b in ((0.01, 0), (0.011, 0), (-0.01, 0), (-0.011, 0))]
    visits = [Visit(n, place) for n, place in enumerate(far)]
    order = keys(sequencing.fresh([visits[0], visits[2], visits[1], visits[3]], DEPOT, capacity=2,
                                  loads=dict.fromkeys(range(4), 1), limit=0.3))  # fmt: skip
    assert {frozenset(order[:2]), frozenset(order[2:])} == {frozenset({0, 1}), frozenset({2, 3})}


def test_distances_are_metres_on_the_globe() -> None:
    assert abs(metres(Place(12.9716, 77.5946), Place(13.0827, 80.2707)) - 290_172) < 300  # Bengaluru to Chennai
    assert metres(Place(1, 1), Place(1, 1)) == 0


names = st.lists(st.integers(0, 15), unique=True)


@EXAMPLES
@given(names, names)
def test_what_is_remembered_takes_todays_order_and_keeps_who_is_away_behind_whom_they_stood(
    remembered: list[int], today: list[int]
) -> None:
    after = memory.merged(remembered, today)
    assert sorted(after) == sorted({*remembered, *today})
    assert [key for key in after if key in today] == today
    assert memory.merged(after, today) == after
    for n, key in enumerate(remembered):
        if key not in today and n:
            assert after.index(remembered[n - 1]) == after.index(key) - 1
    assert memory.merged(remembered, remembered) == remembered


@EXAMPLES
@given(names, st.integers(0, 16), st.data())
def test_who_comes_back_finds_their_old_place_and_nobody_else_moves(
    remembered: list[int], made: int, data: Any
) -> None:
    rank = {key: n for n, key in enumerate(remembered)}
    away = [key for key in remembered if data.draw(st.booleans())]
    today = [key for key in remembered if key not in away]
    assert memory.recalled(today, away, rank) == remembered
    mixed = data.draw(st.permutations([*today, *range(20, 23)]))
    found = memory.recalled(mixed, away, rank, frozen=min(made, len(mixed)))
    assert [key for key in found if key in mixed] == list(mixed)
    assert found[: min(made, len(mixed))] == list(mixed)[:made]
    assert sorted(found) == sorted([*mixed, *away])
