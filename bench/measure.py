"""What every benchmark shares: a durable server of its own, interleaved rounds, medians side by side."""

from __future__ import annotations

import gc
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine

from earlybird import schema
from earlybird.infra import db
from earlybird.infra.embedded import Embedded

SOAK = bool(os.environ.get("EARLYBIRD_SOAK"))
ROUNDS = 5

Side = Callable[[], object]


@contextmanager
def server() -> Iterator[Embedded]:
    """Yield a PostgreSQL with fsync and synchronous_commit on, in a folder that is removed afterwards."""
    home = Path(tempfile.mkdtemp(prefix="earlybird-bench-"))
    embedded = Embedded(home / "pg", durable=True)
    try:
        with embedded.running():
            yield embedded
    finally:
        embedded.destroy()
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def database(embedded: Embedded, name: str) -> Iterator[Engine]:
    """Yield an engine on a migrated, empty database; drop it afterwards."""
    with psycopg.connect(embedded.url("postgres").replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
        engine = db.connect(embedded.url(name))
        try:
            schema.upgrade(engine)
            yield engine
        finally:
            engine.dispose()
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def execute(engine: Engine, *statements: str) -> None:
    """Run statements outside any transaction: VACUUM, CHECKPOINT, TRUNCATE."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def interleave(
    sides: Mapping[str, Side], *, before: Callable[[], None] | None = None, rounds: int = ROUNDS
) -> dict[str, list[float]]:
    """Time each side once a round, in turns; `before` clears the table before each. Seconds.

    The first side of a round changes from round to round, so that none always comes after the other.
    """
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    names = list(sides)
    for n in range(rounds):
        for name in names[n % len(names) :] + names[: n % len(names)]:
            if before is not None:
                before()
            gc.collect()
            start = time.perf_counter()
            sides[name]()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def ratio(seconds: Mapping[str, list[float]], ours: str, baseline: str) -> float:
    """Return how fast we are against the baseline: median over median, 1 = as fast, 0.5 = half as fast."""
    return statistics.median(seconds[baseline]) / statistics.median(seconds[ours])


def new_table(title: str, *columns: str) -> Table:
    """Return an empty result table; the first column names the case."""
    table = Table(title=title, title_justify="left")
    for n, column in enumerate(columns):
        table.add_column(column, justify="right" if n else "left")
    return table


def spread(seconds: list[float]) -> str:
    """Return the median with its range, in seconds."""
    return f"{statistics.median(seconds):.3f} ({min(seconds):.3f}-{max(seconds):.3f})"


def show(table: Table) -> None:
    """Print a result table."""
    Console(file=sys.stdout, width=120).print(table)
