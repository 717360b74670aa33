"""The remembered order: how it takes in today's, and how it puts back in place what was away."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

K = TypeVar("K", bound=Hashable)


def merged(remembered: Sequence[K], today: Sequence[K]) -> list[K]:
    """Return what is remembered after a day: today's order, and who is away today behind whom they stood."""
    present = set(today)
    behind: dict[K | None, list[K]] = {}
    last: K | None = None
    for key in remembered:
        if key in present:
            last = key
        else:
            behind.setdefault(last, []).append(key)
    return [*behind.get(None, ()), *(each for key in dict.fromkeys(today) for each in (key, *behind.get(key, ())))]


def recalled(order: Sequence[K], back: Sequence[K], rank: Mapping[K, int], *, frozen: int = 0) -> list[K]:
    """Return the order with those who are back in it, each behind the nearest one remembered before them.

    Nothing comes before the first `frozen` ones, and nobody who stands there already moves.
    """
    found = list(order)
    for key in sorted(back, key=lambda each: rank[each]):
        before = [n for n, each in enumerate(found) if each in rank and rank[each] < rank[key]]
        nearest = max(before, key=lambda n: (rank[found[n]], n), default=None)
        after = [n for n, each in enumerate(found) if each in rank and rank[each] > rank[key]]
        place = nearest + 1 if nearest is not None else min(after, default=len(found))
        found.insert(max(place, frozen), key)
    return found
