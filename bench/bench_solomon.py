"""Solomon's 56 instances with time windows, a few seconds each, against the best known.

python bench/bench_solomon.py ARCHIVE [SECONDS]: ARCHIVE is Solomon.tar.xz with a NAME.txt and a NAME.sol per instance.
Distances are Euclidean, cut (not rounded) after one decimal, as in the DIMACS challenge; travel takes as long as it is
far; what counts is the distance alone, not the number of vans. Best known are the costs of the .sol files, which follow
the same convention (C101 is 827.3 there, 828.94 with uncut distances).
"""

from __future__ import annotations

import re
import sys
import tarfile
from collections import defaultdict
from math import hypot
from statistics import mean

import measure

from earlybird.routes.service.sequencing import Call, Task, solve


def read(text: str) -> Task:
    """Return the instance in tenths."""
    vans, capacity = map(int, re.search(r"CAPACITY\s+(\d+)\s+(\d+)", text).groups())  # type: ignore[union-attr]
    rows = [list(map(int, line.split())) for line in text.split("TIME\n")[1].splitlines() if line.strip()]
    spots = [(row[1], row[2]) for row in [*rows, rows[0]]]
    ways = [[int(10 * hypot(a[0] - b[0], a[1] - b[1])) for b in spots] for a in spots]
    calls = [Call(row[3], 10 * row[4], 10 * row[5], 10 * row[6]) for row in rows[1:]]
    return Task(calls, ways, ways, vans, capacity, starts=10 * rows[0][4], ends=10 * rows[0][5])


def main() -> None:
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    limit = float(sys.argv[2]) if len(sys.argv) > 2 else 3.0
    gaps: dict[str, list[float]] = defaultdict(list)
    table = measure.new_table(f"Solomon's instances, {limit:g} s each", "instance", "found", "best known", "gap %")
    with tarfile.open(sys.argv[1]) as archive:
        files = {member.name.rsplit("/", 1)[1]: archive.extractfile(member) for member in archive if member.isfile()}
        texts = {name: file.read().decode() for name, file in sorted(files.items()) if file is not None}
    for name in [name[:-4] for name in texts if name.endswith(".txt")]:
        best = round(10 * float(re.search(r"Cost\s+([\d.]+)", texts[f"{name}.sol"], re.IGNORECASE)[1]))  # type: ignore[index]
        task = read(texts[f"{name}.txt"].replace("\r", ""))
        done = solve(task, limit=limit, iterations=None)
        if not done.is_feasible or sorted(n for tour in done.tours for n in tour) != list(range(len(task.calls))):
            raise SystemExit(f"{name}: no tour that keeps every rule was found.")
        gap = 100 * (done.distance / best - 1)
        gaps[re.sub(r"\d\d$", "", name)].append(gap)
        table.add_row(name, f"{done.distance / 10:.1f}", f"{best / 10:.1f}", f"{gap:.2f}")
    for kind, found in gaps.items():
        table.add_row(f"{kind} ({len(found)})", "", "", f"{mean(found):.2f}")
    every = [gap for found in gaps.values() for gap in found]
    table.add_row(f"all ({len(every)})", "", "", f"{mean(every):.2f}")
    measure.show(table)


if __name__ == "__main__":
    main()
