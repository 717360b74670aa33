"""Taking a business over: the report is the reference's, whatever the decay, and every way there ends the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from conftest import NOW, SOAK, scratch
from earlybird.importers import earlybird as legacy
from earlybird.infra import db
from earlybird.infra.embedded import Embedded
from earlybird.kernel.ctx import Actor, Ctx
from earlybird.migrations import service as steps
from earlybird.reconcile import service as proof
from importers import canonical, oracle
from make import decay, dump

CHECKER = dump.SHARED / "legacy" / "check_earlybird_truth.py"
TRUTH = dump.SHARED / "legacy" / "earlybird" / "truth.json.gz"

IMPORTER = Ctx(actor=Actor(kind="system", name="import", role="admin"), now=NOW, via="import")
SEEDS = range(400) if SOAK else range(12)
HOUSEHOLDS = 3
"""A seed whose dump has something of everything and takes a second."""

Command = Callable[..., subprocess.CompletedProcess[str]]


def link(engine: Engine) -> None:
    for step in steps.STEPS:
        steps.apply(engine, IMPORTER, step)


def take_over(engine: Engine, folder: Path, *, linked: bool = True) -> dict[str, Any]:
    taken = legacy.take_over(engine, IMPORTER, folder, link=(lambda: link(engine)) if linked else None)
    return legacy.report(engine, taken)


def wrong(engine: Engine) -> list[str]:
    """What the proof calls an error."""
    with db.rehearsal(engine) as session:
        return [f"{a.check.name}: {list(a.found)[:2]}" for a in proof.ask(session, IMPORTER) if a.is_error]


def test_the_sample_is_taken_over_as_the_reference_reads_it_and_as_it_truly_was(
    earlybird: Command, fresh: Engine, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    done = earlybird("import", "earlybird", str(dump.SAMPLE), "--report", str(report))
    assert done.returncode == 0, done.stderr
    found = json.loads(report.read_text())
    assert oracle.differences(oracle.report_of(dump.SAMPLE), oracle.comparable(found)) == []
    assert wrong(fresh) == []
    if not TRUTH.exists():
        pytest.skip(f"the truth of the sample is not at {TRUTH}; everything else held")
    judged = subprocess.run(
        [sys.executable, str(CHECKER), str(TRUTH), str(report), "--money"], capture_output=True, text=True, check=False
    )
    assert judged.returncode == 0, judged.stdout


@pytest.mark.parametrize("seed", SEEDS)
def test_a_decayed_dump_is_taken_over_as_the_reference_reads_it(seed: int, fresh: Engine, tmp_path: Path) -> None:
    folder = decay.write(seed, tmp_path / "dump")
    found = take_over(fresh, folder)
    assert oracle.differences(oracle.report_of(folder), oracle.comparable(found)) == []
    assert wrong(fresh) == []


@pytest.fixture
def another(server: Embedded) -> Iterator[Engine]:
    """A second database beside `fresh`."""
    with scratch(server) as url:
        engine = db.connect(url)
        yield engine
        engine.dispose()


@pytest.fixture
def some(tmp_path: Path) -> Path:
    """A decayed dump."""
    return decay.write(HOUSEHOLDS, tmp_path / "dump")


def test_the_same_dump_again_changes_nothing_and_two_at_once_are_as_one(
    fresh: Engine, some: Path, tmp_path: Path, fresh_url: str, another: Engine
) -> None:
    first = take_over(fresh, some)
    whole = canonical.state(fresh)
    assert take_over(fresh, some) == first
    assert canonical.unlike(whole, canonical.state(fresh)) == {}
    both = [importing(str(another.url.render_as_string(hide_password=False)), some) for _ in range(2)]
    assert [process.wait(120) for process in both] == [0, 0]
    assert canonical.unlike(whole, canonical.state(another)) == {}
    assert wrong(another) == []


def importing(url: str, folder: Path) -> subprocess.Popen[bytes]:
    """The real command, running."""
    return subprocess.Popen(
        [sys.executable, "-m", "earlybird", "import", "earlybird", str(folder)],
        env=os.environ | {"EARLYBIRD_DATABASE_URL": url, "EARLYBIRD_NOW": NOW.isoformat()},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_steps_one_by_one_change_what_their_plan_said_and_end_where_the_import_ends(
    fresh: Engine, another: Engine, some: Path
) -> None:
    whole_report = take_over(fresh, some)
    bare_report = take_over(another, some, linked=False)
    assert bare_report["links"]["deliveries_to_orders"] == {}
    for step in steps.STEPS:
        before = canonical.state(another)
        planned = steps.plan(another, IMPORTER, step)
        assert canonical.unlike(before, canonical.state(another)) == {}, step.NAME
        assert steps.apply(another, IMPORTER, step) == planned, step.NAME
        assert not any(steps.plan(another, IMPORTER, step).values()), step.NAME
    assert canonical.unlike(canonical.state(fresh), canonical.state(another)) == {}
    with db.rehearsal(another) as session:
        taken = {name: counts.as_report() for name, counts in last_counts(session).items()}
    assert oracle.differences(oracle.comparable(whole_report), oracle.comparable(legacy.report(another, taken))) == []


def last_counts(session: Any) -> Any:
    from earlybird.importers.earlybird import intake

    return intake.counts_of_run(session, db.value(session, "SELECT id FROM import_runs ORDER BY id DESC LIMIT 1"))
