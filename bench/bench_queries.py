"""The hot queries of docs/queries.md among a thousand stops and among a million: what is asked of one depot stays flat.

Each depot has twenty households; more stops are more depots. Sizes take turns; shown are medians of nine,
and the ratio of the fastest, which says what a query costs where other work does not disturb it.

python bench/bench_queries.py               1,000 to 1,000,000 stops
python bench/bench_queries.py 10000000      and so many
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import measure
from sqlalchemy import Engine

from earlybird.infra import db
from earlybird.migrations.steps import hot_indexes
from make import crowd, hot

SIZES = (1_000, 10_000, 100_000, 1_000_000)
ROUNDS = 9
FLAT = 2.5
"""Trees are one level deeper among a million, and not every page is in memory any more."""


def built(engine: Engine, stops: int) -> crowd.Crowd:
    """Fill a database, and give it the indexes of step 30."""
    found = crowd.crowd(engine, stops)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for index in hot_indexes.INDEXES:
            hot_indexes.build(connection, index.name)
    measure.execute(engine, "VACUUM ANALYZE", "CHECKPOINT")
    return found


def asked(engine: Engine, about: crowd.Crowd, query: hot.Hot) -> float:
    """Ask once, on a connection that is open already, and take back what it wrote; return the milliseconds."""
    with db.rehearsal(engine) as session:
        db.value(session, "SELECT 1")
        start = time.perf_counter()
        query.ask(session, about)
        return (time.perf_counter() - start) * 1000


def compare(engines: Mapping[int, Engine], abouts: Mapping[int, crowd.Crowd]) -> list[str]:
    """Print the medians of every query and size; return the queries that ought to be flat and are not."""
    table = measure.new_table(
        "Hot queries, ms", "query", *(f"{size:,}" for size in engines), "last / first", "grows with"
    )
    grown = []
    first, last = min(engines), max(engines)
    for query in hot.HOT:
        took: dict[int, list[float]] = {size: [] for size in engines}
        for _ in range(ROUNDS):
            for size, engine in engines.items():
                took[size].append(asked(engine, abouts[size], query))
        medians = [statistics.median(each) for each in took.values()]
        ratio = min(took[last]) / min(took[first])
        if ratio > FLAT and query.grows is None:
            grown.append(f"{query.name}: {ratio:.1f}")
        table.add_row(query.name, *(f"{each:.2f}" for each in medians), f"{ratio:.2f}", query.grows or "")
    measure.show(table)
    return grown


def main(sizes: tuple[int, ...]) -> int:
    """Fill a database of each size and compare."""
    with measure.server() as embedded, ExitStack() as open_:
        engines = {size: open_.enter_context(measure.database(embedded, f"queries_{size}")) for size in sizes}
        abouts = {}
        for size, engine in engines.items():
            start = time.perf_counter()
            abouts[size] = built(engine, size)
            print(f"{size:,} stops written in {time.perf_counter() - start:.0f} s", flush=True)
        grown = compare(engines, abouts)
    print(f"Not flat (ratio > {FLAT}): {', '.join(grown) or 'none'}")
    return 1 if grown else 0


if __name__ == "__main__":
    sys.exit(main((*SIZES, *map(int, sys.argv[1:]))))
