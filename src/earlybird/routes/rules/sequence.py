"""A stable order: late stops go where they cost least, and what is known moves only where that pays.

Everything works on whole metres and seconds and draws no lots: the same stops always give the same order.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from earlybird.routes.rules.distance import Place, metres, seconds, table

MOST_MOVED = 3
"""So many known stops may change their order among themselves when a late one comes."""

PENALTY = 250
"""So many metres must be saved for each known stop that moves."""

LATE = 20
"""So many metres one second after a door's closing weighs."""

MOST = 500
"""Rounds with more stops than this keep to the remembered order: all pairs of places would be too many."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A stop as its place in the order is decided.

    Times are seconds after midnight, local; `service` is how many seconds it takes, None: as long as any.
    """

    key: Hashable
    place: Place | None = None
    is_locked: bool = False
    opens: int = 0
    closes: int | None = None
    service: int | None = None


@dataclass(frozen=True, slots=True)
class Course:
    """Where a round begins and ends (None: wherever its first and last stop are), and when it sets out.

    `service` is how many seconds a door takes that has no time of its own.
    """

    base: Place | None = None
    starts: int = 0
    service: int = 120

    def at(self, visit: Visit) -> int:
        """Return how many seconds a stop takes."""
        return self.service if visit.service is None else visit.service


def resequenced(
    known: Sequence[Visit], late: Sequence[Visit], course: Course, *, frozen: int = 0, most_moved: int = MOST_MOVED
) -> list[Visit]:
    """Return known and late stops in a good order that stays close to the known one.

    At most `most_moved` known stops change their order among themselves, each only if it saves `PENALTY` metres.
    The first `frozen` ones are done, and nothing comes before them. No stop passes a locked one. A stop whose place
    is not known stays behind the one it stood behind; a late one without a place comes last.
    """
    lost = [visit for visit in late if visit.place is None]
    late = [visit for visit in late if visit.place is not None]
    if len(known) + len(late) > MOST or not (late or most_moved) or all(v.place is None for v in (*known, *late)):
        return [*known, *late, *lost]
    order = _Order(known, late, course, frozen)
    for unit in order.late:
        order.insert(unit)
    order.settle(most_moved)
    return [*order.visits(), *lost]


def length(visits: Sequence[Visit], course: Course) -> int:
    """Return the metres of a tour, by great circles, from the base and back where it has one."""
    places = [course.base, *(visit.place for visit in visits if visit.place is not None), course.base]
    ways = table([place for place in places if place is not None])
    return sum(ways[n][n + 1] for n in range(len(ways) - 1))


def moved(before: Sequence[Hashable], after: Sequence[Hashable]) -> int:
    """Return how many of the stops in both orders changed their order among themselves: the fewest that must jump."""
    rank = {key: n for n, key in enumerate(before)}
    ends: list[int] = []
    both = [rank[key] for key in after if key in rank]
    for n in both:
        place = bisect_left(ends, n)
        ends[place : place + 1] = [n]
    return len(both) - len(ends)


def units(visits: Sequence[Visit]) -> tuple[list[Visit], list[list[Visit]]]:
    """Return the stops before the first whose place is known, and each such stop with the unknown ones behind it."""
    head = next((n for n, visit in enumerate(visits) if visit.place is not None), len(visits))
    found: list[list[Visit]] = []
    for visit in visits[head:]:
        if visit.place is None:
            found[-1].append(visit)
        else:
            found.append([visit])
    return list(visits[:head]), found


def arrival(visits: Sequence[Visit], course: Course) -> int:
    """Return when a van that makes these stops is done with the last one: seconds after midnight."""
    clock, here = course.starts, course.base
    for visit in visits:
        if visit.place is not None:
            clock += seconds(metres(here, visit.place)) if here is not None else 0
            here = visit.place
        clock = max(clock, visit.opens) + course.at(visit)
    return clock


def untangled(tour: Sequence[int], ways: Sequence[Sequence[int]], begin: int, end: int) -> list[int]:
    """Return a tour without crossings: stretches are turned round, and up to three stops set elsewhere, while it pays.

    `ways` are symmetric; `begin` and `end` stand before the first and after the last.
    """
    found, improved = list(tour), True
    while improved:
        turned = _turned([begin, *found, end], ways)
        shifted = _shifted(turned, ways)
        improved, found = shifted[1:-1] != found, shifted[1:-1]
    return found


def _turned(path: list[int], ways: Sequence[Sequence[int]]) -> list[int]:
    improved = True
    while improved:
        improved = False
        for n in range(1, len(path) - 2):
            before, first = path[n - 1], path[n]
            for m in range(n + 1, len(path) - 1):
                last, after = path[m], path[m + 1]
                if ways[before][last] + ways[first][after] < ways[before][first] + ways[last][after]:
                    path[n : m + 1] = path[n : m + 1][::-1]
                    first, improved = path[n], True
    return path


def _shifted(path: list[int], ways: Sequence[Sequence[int]]) -> list[int]:
    for size in (1, 2, 3):
        n = 1
        while n + size < len(path):
            part, rest = path[n : n + size], path[:n] + path[n + size :]
            gap = ways[rest[n - 1]][rest[n]]
            freed = ways[rest[n - 1]][part[0]] + ways[part[-1]][rest[n]] - gap
            best, where = 0, None
            for m in range(len(rest) - 1):
                here, there = rest[m], rest[m + 1]
                for turned in (part, part[::-1]):
                    gain = freed - (ways[here][turned[0]] + ways[turned[-1]][there] - ways[here][there])
                    if gain > best:
                        best, where = gain, (m + 1, turned)
            if where is not None:
                path = rest[: where[0]] + where[1] + rest[where[0] :]
            else:
                n += 1
    return path


class _Order:
    """The order while it is being worked on: units of one located stop and the unlocated ones behind it."""

    def __init__(self, known: Sequence[Visit], late: Sequence[Visit], course: Course, frozen: int) -> None:
        self.course = course
        self.head, self.units = units(known)
        self.frozen = sum(visit.place is not None for visit in known[:frozen])
        self.known_count = len(self.units)
        self.tour = list(range(self.known_count))
        self.late = list(range(self.known_count, self.known_count + len(late)))
        self.units += [[visit] for visit in late]
        # the base stands last, so that it is reached as -1 from before the first stop
        self.ways = table([*(unit[0].place for unit in self.units), course.base])
        self.base = len(self.units)
        self.locked = [n < self.frozen or any(v.is_locked for v in unit) for n, unit in enumerate(self.units)]
        self.has_windows = any(v.closes is not None or v.opens for unit in self.units for v in unit)

    def visits(self) -> list[Visit]:
        return [*self.head, *(visit for unit in self.tour for visit in self.units[unit])]

    def insert(self, unit: int) -> None:
        """Put a late stop where it costs least; where two places cost the same, in the earlier one."""
        ways, path = self.ways, [self.base, *self.tour, self.base]
        here = ways[unit]
        prices = [
            (here[before] + here[after] - ways[before][after], place)
            for place, (before, after) in enumerate(pairwise(path))
            if place >= self.frozen
        ]
        if self.has_windows:
            prices = [(self._cost(self._with(self.tour, place, [unit])), place) for _, place in prices]
        self.tour.insert(min(prices)[1], unit)

    def settle(self, most_moved: int) -> None:
        """Let stops change places as long as it pays: late ones freely, known ones for their penalty and in number."""
        at_first = list(range(self.known_count))
        price = self._price(self.tour, at_first)
        for _ in range(2 * most_moved + len(self.late)):
            found = min(self._changes(at_first, most_moved), default=None)
            if found is None or found[0] >= price:
                return
            price, self.tour = found

    def _price(self, tour: list[int], at_first: list[int]) -> int:
        return self._cost(tour) + PENALTY * self._moved(tour, at_first)

    def _moved(self, tour: list[int], at_first: list[int]) -> int:
        return moved(
            [v.key for n in at_first for v in self.units[n]],
            [v.key for n in tour if n < self.known_count for v in self.units[n]],
        )

    def _changes(self, at_first: list[int], most_moved: int) -> list[tuple[int, list[int]]]:
        """Return the priced tours that one to three stops elsewhere, as they are or turned round, would make."""
        found = []
        for size in (1, 2, 3):
            for start in range(self.frozen, len(self.tour) - size + 1):
                part = self.tour[start : start + size]
                if any(self.locked[unit] for unit in part):
                    continue
                rest = self.tour[:start] + self.tour[start + size :]
                freed = self._length(self.tour, start - 1, start + size) - self._gap(rest, start)
                low, high = self._bounds(rest, start, part)
                for turned in (part, part[::-1]) if size > 1 else (part,):
                    inner = sum(self.ways[a][b] for a, b in pairwise(turned))
                    for place in range(low, high + 1):
                        if place == start and turned is part:
                            continue
                        before, after = self._ends(rest, place)
                        paid = self.ways[before][turned[0]] + inner + self.ways[turned[-1]][after]
                        gain = freed - (paid - self._gap(rest, place))
                        if gain > 0:
                            found.append((-gain, place, start, turned))
        found.sort()
        tours = [self._with(self.tour[:start] + self.tour[start + len(turned) :], place, turned)
                 for _, place, start, turned in found[:40]]  # fmt: skip
        return [(self._price(tour, at_first), tour) for tour in tours if self._moved(tour, at_first) <= most_moved]

    def _bounds(self, rest: list[int], start: int, part: list[int]) -> tuple[int, int]:
        """Return the first and the last place a part may go to: known stops pass no locked one."""
        low, high = self.frozen, len(rest)
        if all(unit >= self.known_count for unit in part):
            return low, high
        low = max([low, *(n + 1 for n in range(start) if self.locked[rest[n]])])
        high = min([high, *(n for n in range(start, len(rest)) if self.locked[rest[n]])])
        return low, high

    def _with(self, tour: list[int], place: int, part: list[int]) -> list[int]:
        return tour[:place] + part + tour[place:]

    def _ends(self, tour: list[int], place: int) -> tuple[int, int]:
        """Return what stands before and after a gap; the base where nothing does."""
        before = tour[place - 1] if place > 0 else self.base
        after = tour[place] if place < len(tour) else self.base
        return before, after

    def _gap(self, tour: list[int], place: int) -> int:
        before, after = self._ends(tour, place)
        return self.ways[before][after]

    def _length(self, tour: list[int], first: int, last: int) -> int:
        """Return the metres from one place in the tour to another, the base before its first and after its last."""
        stops = [tour[n] if 0 <= n < len(tour) else self.base for n in range(first, last + 1)]
        return sum(self.ways[a][b] for a, b in pairwise(stops))

    def _cost(self, tour: list[int]) -> int:
        """Return the metres of a tour, and what coming late to doors weighs."""
        total = self._length(tour, -1, len(tour))
        if not self.has_windows:
            return total
        clock, late, here = self.course.starts, 0, self.base
        for unit in tour:
            clock += seconds(self.ways[here][unit])
            for visit in self.units[unit]:
                clock = max(clock, visit.opens)
                if visit.closes is not None:
                    late += max(0, clock - visit.closes)
                clock += self.course.at(visit)
            here = unit
        return total + LATE * late
