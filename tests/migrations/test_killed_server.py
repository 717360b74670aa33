"""PostgreSQL killed under a step: it starts again, the step goes on, nothing is skipped or done twice."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from conftest import NOW
from earlybird import schema
from earlybird.importers import earlybird as legacy
from earlybird.infra import db
from earlybird.infra.embedded import Embedded
from earlybird.migrations import service as steps
from importers import canonical
from make import decay
from migrations.conftest import HOUSEHOLDS
from migrations.content import IMPORTER, digests
from migrations.test_watched import KILLED, REVERTIBLE, go_down


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Embedded]:
    """A durable server of the test's own."""
    embedded = Embedded(tmp_path / "own")
    with embedded.running():
        yield embedded
    embedded.destroy()


def family(postmaster: int) -> list[int]:
    """All children of the postmaster."""
    found = []
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            told = place.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(told[1]) == postmaster:
            found.append(int(place.parent.name))
    return found


@pytest.mark.soak
@pytest.mark.parametrize("block", range(10))
def test_killed_servers_start_again_and_the_steps_go_on(own: Embedded, tmp_path: Path, block: int) -> None:
    with psycopg.connect(own.dsn("postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE untied TEMPLATE template0")
    engine = db.connect(own.url("untied"))
    schema.upgrade(engine)
    legacy.take_over(engine, IMPORTER, decay.write(HOUSEHOLDS, tmp_path / "dump"), link=None)
    bare = digests(engine)
    for step in REVERTIBLE:
        steps.apply(engine, IMPORTER, step)
    wanted = canonical.state(engine)
    go_down(engine, bare)
    instants = random.Random(50 + block)
    for turn in range(10):
        killed(own, instants.randrange(50, 1700), whole=turn % 2 == 1)
        engine.dispose()
        while turn % 2 == 0 and not own.is_running():
            time.sleep(0.02)
        own.start()
        stands = {row["state"] for row in steps.listing(engine)}
        if stands & {"reverting"}:
            go_down(engine, bare)
        for step in REVERTIBLE:
            steps.apply(engine, IMPORTER, step)
        found = canonical.state(engine)
        assert {name: rows for name, rows in canonical.unlike(wanted, found).items() if name != "steps"} == {}
        go_down(engine, bare)
    engine.dispose()


def killed(own: Embedded, instant: int, *, whole: bool) -> None:
    """Apply and revert all in a process of its own; at the given statement kill PostgreSQL.

    Where its postmaster survives it starts over by itself, as after any crash.
    """
    postmaster = (own.pgdata / "postmaster.pid").read_text().split()[0]
    script = KILLED.replace("os.kill(int(victim) or os.getpid(), signal.SIGKILL)", "print('now', flush=True); input()")
    words = [sys.executable, "-c", script, own.url("untied"), NOW.isoformat(), str(instant), "0", "99"]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as runner:
        assert runner.stdin
        assert runner.stdout
        reached = runner.stdout.readline() == "now\n"
        if reached:
            for pid in ([int(postmaster)] if whole else []) + family(int(postmaster)):
                with suppress(ProcessLookupError):  # the postmaster ends the others of a killed one
                    os.kill(pid, signal.SIGKILL)
        runner.stdin.close()
        assert runner.wait() == (1 if reached else 0)
