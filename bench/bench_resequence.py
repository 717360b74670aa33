"""A round of a hundred stops gets a late one: how long, how many others move, how far against a fresh solve.

Twenty seeded rounds in a town of 6 × 6 km, clustered streets, some places unknown in every fourth case; the order
before is a fresh solve of the hundred, as a person would remember it. python bench/bench_resequence.py [CASES]
"""

from __future__ import annotations

import random
import sys
import time
from statistics import median

import measure

from earlybird.routes.rules.distance import Place
from earlybird.routes.rules.sequence import Course, Visit, length, moved, resequenced
from earlybird.routes.service import sequencing

STOPS = 100
DEPOT = Place(12.9716, 77.5946)


def town(seed: int) -> list[Visit]:
    """A hundred and one doors around twelve streets."""
    draw = random.Random(seed)  # noqa: S311
    streets = [(draw.uniform(-0.027, 0.027), draw.uniform(-0.027, 0.027)) for _ in range(12)]
    found = []
    for n in range(STOPS + 1):
        a, b = draw.choice(streets)
        place = Place(DEPOT.latitude + a + draw.gauss(0, 0.003), DEPOT.longitude + b + draw.gauss(0, 0.003))
        is_unknown = seed % 4 == 0 and n % 20 == 7
        found.append(Visit(n, None if is_unknown else place))
    return found


def main() -> None:
    cases = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    course = Course(DEPOT)
    table = measure.new_table("One late stop in a round of a hundred", "case", "seconds", "moved", "of a fresh solve")
    seconds, jumps, ratios = [], [], []
    for seed in range(cases):
        visits = town(seed)
        before, late = sequencing.fresh(visits[:STOPS], course), visits[STOPS:]
        start = time.perf_counter()
        after = resequenced(before, late, course)
        seconds.append(time.perf_counter() - start)
        jumps.append(moved([v.key for v in before], [v.key for v in after]))
        ratios.append(
            length(after, course) / length(sequencing.fresh(visits, course, limit=3, iterations=None), course)
        )
        table.add_row(str(seed), f"{seconds[-1]:.3f}", str(jumps[-1]), f"{ratios[-1]:.4f}")
    table.add_row("median", f"{median(seconds):.3f}", str(median(jumps)), f"{median(ratios):.4f}")
    table.add_row("worst", f"{max(seconds):.3f}", str(max(jumps)), f"{max(ratios):.4f}")
    measure.show(table)
    kept = max(seconds) <= 1 and max(jumps) <= 3 and max(ratios) <= 1.05
    print("Asked: at most 1 s, 3 moved, 1.05 of a fresh solve:", "kept" if kept else "NOT kept")
    raise SystemExit(not kept)


if __name__ == "__main__":
    main()
