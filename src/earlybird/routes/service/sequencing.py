"""A fresh order by pyvrp: the one place that knows it. No database, no clock of ours: stops in, orders out."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

from earlybird.routes.rules import sequence
from earlybird.routes.rules.distance import Place, seconds, table
from earlybird.routes.rules.sequence import MOST, Course, Visit

SECONDS = 1.0
"""How long a fresh order may be looked for."""

ITERATIONS = 600
"""So many tries without anything better end the search: the same stops give the same order on any machine."""


SMALLEST = 4
"""With fewer places than this the order stands."""


@dataclass(frozen=True, slots=True)
class Call:
    """A stop as the solver takes it: whole numbers only."""

    demand: int = 0
    opens: int = 0
    closes: int | None = None
    service: int = 0


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be driven: place 0 is where vans begin, the last where they end, `calls[n]` is at place n + 1.

    `starts` and `ends` bound the working day, `trips` says how often a van may load where it began.
    """

    calls: Sequence[Call]
    distances: Sequence[Sequence[int]]
    durations: Sequence[Sequence[int]]
    vans: int = 1
    capacity: int | None = None
    starts: int = 0
    ends: int | None = None
    trips: int = 1


@dataclass(frozen=True, slots=True)
class Solved:
    """The best found: which calls each van makes in which order, how far in all, and whether every rule is kept."""

    tours: list[list[int]] = field(default_factory=list)
    distance: int = 0
    is_feasible: bool = True


def solve(task: Task, *, limit: float = SECONDS, iterations: int | None = ITERATIONS, seed: int = 1) -> Solved:
    """Return short tours that make every call once. At most `limit` seconds; without `iterations` all of them."""
    from pyvrp import Model, solve
    from pyvrp.stop import MaxRuntime, MultipleCriteria, NoImprovement

    model = Model()
    places = [model.add_location(0, 0) for _ in task.distances]
    last = {} if task.ends is None else {"tw_late": task.ends}
    depot = model.add_depot(places[0], tw_early=task.starts, **last)
    home = model.add_depot(places[-1], tw_early=task.starts, **last)
    load = {} if task.capacity is None else {"capacity": task.capacity}
    again = {} if task.trips == 1 else {"reload_depots": [depot], "max_reloads": task.trips - 1}
    model.add_vehicle_type(task.vans, start_depot=depot, end_depot=home, tw_early=task.starts, **last, **load, **again)
    for call, place in zip(task.calls, places[1:-1], strict=True):
        window = {} if call.closes is None else {"tw_late": call.closes}
        demand = {} if task.capacity is None else {"delivery": call.demand}
        model.add_client(place, service_duration=call.service, tw_early=call.opens, **demand, **window)
    for n, here in enumerate(places):
        for m, there in enumerate(places):
            if n != m:
                model.add_edge(here, there, task.distances[n][m], task.durations[n][m])
    ends = [MaxRuntime(limit), *([NoImprovement(iterations)] if iterations else [])]
    result = solve(model.data(), MultipleCriteria(ends), seed=seed, collect_stats=False, display=False)
    tours = [[activity.idx for activity in route if activity.is_client()] for route in result.best.routes()]
    return Solved(tours, int(result.best.distance()), result.is_feasible())



def fresh(
    visits: Sequence[Visit],
    course: Course,
    *,
    capacity: int | None = None,
    loads: Mapping[Hashable, int] | None = None,
    limit: float = SECONDS,
    iterations: int | None = ITERATIONS,
) -> list[Visit]:
    """Return the stops in the best order found, whatever the order before; no stop passes a locked one.

    Stops whose place is not known stay behind the one they stood behind. With a capacity the van comes back to its
    base to load again as often as it must; `loads` says what each stop takes of it.
    """
    if sum(visit.place is not None for visit in visits) < SMALLEST or len(visits) > MOST:
        return list(visits)
    head, units = sequence.units(visits)
    stretches = _stretches(units)
    found = list(head)
    for n, stretch in enumerate(stretches):
        here = next((visit.place for visit in reversed(found) if visit.place is not None), course.base)
        there = stretches[n + 1][0][0].place if n + 1 < len(stretches) else course.base
        free = stretch[1:] if stretch[0][0].is_locked or any(v.is_locked for v in stretch[0]) else stretch
        fixed = stretch[: len(stretch) - len(free)]
        found += [visit for unit in fixed for visit in unit]
        here = fixed[0][0].place if fixed else here
        begins = Course(here, sequence.arrival(found, course))
        found += _solved(free, begins, there, capacity, loads or {}, limit / len(stretches), iterations)
    return found


def _stretches(units: Sequence[list[Visit]]) -> list[list[list[Visit]]]:
    """Return the units parted before each one that is locked."""
    found: list[list[list[Visit]]] = []
    for unit in units:
        if not found or any(visit.is_locked for visit in unit):
            found.append([])
        found[-1].append(unit)
    return found


def _solved(
    units: list[list[Visit]],
    begins: Course,
    end: Place | None,
    capacity: int | None,
    loads: Mapping[Hashable, int],
    limit: float,
    iterations: int | None,
) -> list[Visit]:
    """Return the visits of these units on the best way from where it begins to the end."""
    if len(units) < SMALLEST - 1:
        return [visit for unit in units for visit in unit]
    distances = table([begins.base, *(unit[0].place for unit in units), end])
    calls = [
        Call(
            min(sum(loads.get(visit.key, 0) for visit in unit), capacity or 0),
            max(visit.opens for visit in unit),
            min((visit.closes for visit in unit if visit.closes is not None), default=None),
            sum(visit.service for visit in unit),
        )
        for unit in units
    ]
    most = sum(call.demand for call in calls)
    task = Task(
        calls,
        distances,
        [[seconds(way) for way in row] for row in distances],
        capacity=capacity if capacity and most > capacity and begins.base is not None else None,
        starts=begins.starts,
        trips=2 * -(-most // capacity) if capacity else 1,
    )
    done = solve(task, limit=limit, iterations=iterations)
    return [visit for tour in done.tours for call in tour for visit in units[call]]
