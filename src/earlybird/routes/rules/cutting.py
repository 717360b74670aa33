"""Which stop of a day belongs to which round, and in which order a round takes its stops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from earlybird.routes.rules import memory, sequence
from earlybird.routes.rules.sequence import Course, Visit

OPEN = frozenset({"planned", "out"})
"""The states of a stop that is still to be made."""

Door = tuple[UUID, UUID | None]
"""A customer and one of their addresses, where one is known."""


@dataclass(frozen=True, slots=True)
class Stop:
    """A stop of the day, where it stands now and whose it is."""

    delivery_id: UUID
    state: str
    shift: str
    driver_id: UUID | None
    door: Door
    visit: Visit
    neighbourhood: tuple[str, ...] = ()
    round_id: UUID | None = None
    position: int = 0
    is_held: bool = False


@dataclass(frozen=True, slots=True)
class Tour:
    """A round of the day; `capacity` is how many packets fit."""

    id: UUID
    shift: str
    usual_driver_id: UUID | None
    driver_id: UUID | None
    is_cut: bool = True
    merged_into_id: UUID | None = None
    state: str = "planned"
    standing_round_id: UUID | None = None
    course: Course = field(default_factory=Course)
    remembered: Mapping[Door, int] = field(default_factory=dict)
    capacity: int | None = None


def wanted(stops: Sequence[Stop], tours: Sequence[Tour]) -> list[tuple[str, UUID | None]]:
    """Return shift and driver of the rounds that are missing, in a fixed order."""
    there = {(tour.shift, tour.usual_driver_id) for tour in tours if tour.is_cut}
    by_id = {tour.id: tour for tour in tours}
    missing = {(stop.shift, stop.driver_id) for stop in stops if _is_to_place(stop, by_id)} - there
    return sorted(missing, key=lambda pair: (pair[0], str(pair[1])))


def placed(stops: Sequence[Stop], tours: Sequence[Tour]) -> dict[UUID, list[Stop]]:
    """Return the stops that have to go into a round, by the round they go to; what is placed right stays out."""
    by_key = {(tour.shift, tour.usual_driver_id): tour for tour in tours if tour.is_cut}
    by_id = {tour.id: tour for tour in tours}
    found: dict[UUID, list[Stop]] = {}
    for stop in stops:
        if _is_to_place(stop, by_id):
            tour = last_merged(by_key[stop.shift, stop.driver_id], by_id)
            found.setdefault(tour.id, []).append(stop)
    return found


def last_merged(tour: Tour, by_id: Mapping[UUID, Tour]) -> Tour:
    """Return the round that takes what is meant for this one: itself, or where it was merged into."""
    seen = {tour.id}
    while tour.merged_into_id is not None and tour.merged_into_id not in seen:
        tour = by_id[tour.merged_into_id]
        seen.add(tour.id)
    return tour


def _is_to_place(stop: Stop, by_id: Mapping[UUID, Tour]) -> bool:
    if stop.state == "cancelled":
        return False
    if stop.round_id is None:
        return True
    tour = by_id.get(stop.round_id)
    if tour is None:
        return True  # of another site: its customer moved
    return stop.state == "planned" and not stop.is_held and stop.driver_id != tour.usual_driver_id


def done_first(stops: Sequence[Stop]) -> int:
    """Return how many stops, from the first on, nothing may come before: up to the last one that is made."""
    return max((n + 1 for n, stop in enumerate(stops) if stop.state not in OPEN), default=0)


def as_driven(stops: Sequence[Stop]) -> list[Visit]:
    """Return the visits of a round under way: those behind the van are fastened."""
    done = done_first(stops)
    return [replace(stop.visit, is_locked=stop.visit.is_locked or n < done) for n, stop in enumerate(stops)]


def arranged(present: Sequence[Stop], newcomers: Sequence[Stop], tour: Tour) -> list[Stop]:
    """Return the stops of a round in order: who stands there keeps their order among themselves.

    Remembered doors come where they are remembered, others where the detour is shortest, and those whose place
    nobody knows last, by neighbourhood. What is done is never preceded by what is new. A round nothing is known of,
    and one that nobody drives, stands by neighbourhood until somebody looks for its order.
    """
    frozen = done_first(present)
    known = {stop.delivery_id: stop for stop in (*present, *newcomers)}
    rank = {key: tour.remembered[stop.door] for key, stop in known.items() if stop.door in tour.remembered}
    tidy = sorted(newcomers, key=lambda stop: (stop.neighbourhood, str(stop.delivery_id)))
    back = [stop.delivery_id for stop in tidy if stop.delivery_id in rank]
    order = [stop.delivery_id for stop in present]
    order = memory.recalled(order, back, rank, frozen=frozen) if order else sorted(back, key=lambda key: rank[key])
    new = [stop.visit for stop in tidy if stop.delivery_id not in rank]
    by_visit = [known[key].visit for key in order]
    if not order or (tour.usual_driver_id is None and tour.driver_id is None):
        return [known[key] for key in (*order, *(v.key for v in new))]  # type: ignore[index]
    done = sequence.resequenced(by_visit, new, tour.course, frozen=frozen, most_moved=0)
    return [known[visit.key] for visit in done]  # type: ignore[index]
