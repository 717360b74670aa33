"""How far two places lie apart, and how long a van takes: great circles, whole metres, whole seconds."""

from __future__ import annotations

from collections.abc import Sequence
from math import asin, cos, radians, sin, sqrt
from typing import NamedTuple

EARTH = 6_371_008.8
"""The mean radius of the Earth in metres (IUGG)."""

STREETS = 1.3
"""How much longer streets are than the great circle, in towns."""

METRES_A_SECOND = 5.5
"""How fast a van gets on between doors: 20 km/h."""


class Place(NamedTuple):
    """A point on the map, in degrees."""

    latitude: float
    longitude: float


def metres(here: Place, there: Place) -> int:
    """Return the great-circle distance, rounded to whole metres (haversine)."""
    a, b = radians(here.latitude), radians(there.latitude)
    half = sin((b - a) / 2) ** 2 + cos(a) * cos(b) * sin(radians(there.longitude - here.longitude) / 2) ** 2
    return round(2 * EARTH * asin(min(1.0, sqrt(half))))


def table(places: Sequence[Place | None]) -> list[list[int]]:
    """Return all distances in metres; from and to a place that is not known it is no way at all."""
    found = [[0] * len(places) for _ in places]
    for n, here in enumerate(places):
        for m in range(n):
            there = places[m]
            if here is not None and there is not None:
                found[n][m] = found[m][n] = metres(here, there)
    return found


def seconds(way: int) -> int:
    """Return how long a van takes for a way given in metres of great circle."""
    return round(way * STREETS / METRES_A_SECOND)
