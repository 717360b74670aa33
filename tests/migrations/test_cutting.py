"""Batches are as big as take a quarter of a second; what a batch costs does not grow with the table."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from earlybird.migrations.cutting import MOST, TARGET, Cutter, units
from earlybird.migrations.protocol import series
from earlybird.migrations.residue import added

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""However busy the machine is."""


@PATIENT
@given(st.lists(st.integers(0, 900)), st.integers(1, 1000))
def test_units_keep_every_key_in_order_and_weigh_enough(weights: list[int], least: int) -> None:
    found = units(enumerate(weights), least)
    assert [key for unit in found for key in unit] == list(range(len(weights)))
    assert all(sum(weights[key] for key in unit) >= least for unit in found[:-1])
    assert all(sum(weights[key] for key in unit[:-1]) < least for unit in found)


@PATIENT
@given(st.integers(0, 3000), st.lists(st.floats(0.0001, 5), min_size=1))
def test_every_unit_is_handed_out_once_whatever_batches_take(count: int, seconds: list[float]) -> None:
    cutter = Cutter([[n] for n in range(count)], lambda units: [n for unit in units for n in unit], first=7)
    done, numbers, last = list[int](), list[int](), None
    while piece := cutter.take():
        assert piece.count == len(piece.chunk) <= MOST
        assert last is None or piece.count <= 2 * last
        done, last = done + piece.chunk, piece.count
        numbers.append(piece.number)
        cutter.took(piece, seconds[len(numbers) % len(seconds)])
    assert done == list(range(count))
    assert numbers == list(range(7, 7 + len(numbers)))


def test_batches_settle_at_what_takes_the_time_they_should() -> None:
    cutter = Cutter(range(1000), sum, first=1)
    sizes = []
    while piece := cutter.take():
        sizes.append(piece.count)
        cutter.took(piece, piece.count * TARGET / 10)
    assert set(sizes[3:-1]) == {10}
    alone = Cutter(range(5), None, first=1)
    assert [piece.chunk for piece in iter(alone.take, None)] == [0, 1, 2, 3, 4]


def test_what_batches_share_is_their_series_and_digests_add_up() -> None:
    numbers = series(3)
    assert [next(numbers), next(numbers)] == [3000, 3001]
    part = {("orders", "update"): (2, 10)}
    assert added(part, {("orders", "update"): (1, -4), ("users", "insert"): (1, 0)}) == {
        ("orders", "update"): (3, 6), ("users", "insert"): (1, 0)
    }  # fmt: skip
