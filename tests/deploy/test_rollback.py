"""The emergency path and its rehearsal, on a business that was taken over."""

from __future__ import annotations

import gc
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine

from conftest import NOW, admin
from earlybird.deploy import backup, rehearsal, rollback, writing
from earlybird.deploy.errors import NotRecovered
from earlybird.deploy.place import Place
from earlybird.deploy.rollback import Report
from earlybird.importers import earlybird as legacy
from earlybird.infra import db, gate
from earlybird.infra.embedded import Embedded
from earlybird.kernel.ctx import Actor, Ctx
from earlybird.migrations import service as steps
from make import decay, terminal
from make.scratch import TEMPLATE

from .conftest import contents

IMPORTER = Actor(kind="system", name="import", role="admin")

OWN = {"steps", "step_runs", "step_residue", "audit_entries", "unsealed_entries", "findings", "write_stops"}
"""What tells of steps and of stopped writing."""


@pytest.fixture(scope="module")
def pattern(server: Embedded, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A decayed dump, taken over, with every step applied: the name of a database to copy."""
    name, ctx = f"p_{uuid4().hex[:12]}", Ctx(actor=IMPORTER, now=NOW, via="import")
    admin(server, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    engine = db.connect(server.url(name))

    def link() -> None:
        for step in steps.STEPS:
            steps.apply(engine, ctx, step)

    legacy.take_over(engine, ctx, decay.write(3, tmp_path_factory.mktemp("decay") / "dump"), link=link)
    engine.dispose()
    yield name
    admin(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def taken_over(server: Embedded, pattern: str) -> Iterator[Engine]:
    """A copy of it."""
    name = f"c_{uuid4().hex[:12]}"
    admin(server, f"CREATE DATABASE {name} TEMPLATE {pattern} STRATEGY file_copy")
    engine = db.connect(server.url(name))
    yield engine
    engine.dispose()
    admin(server, f"DROP DATABASE {name} WITH (FORCE)")


def plain(engine: Engine) -> dict[str, str]:
    return {table: digest for table, digest in contents(engine).items() if table not in OWN}


def roll(engine: Engine, ctx: Ctx, place: Place, to: str = "19") -> Report:
    report = Report(lambda _phase: None)
    down = rollback.wanted(engine, to)
    rollback.run(engine, ctx, place, down, reason="a wrong dump", patience=5, report=report)
    return report


def states(engine: Engine) -> dict[int, str]:
    return {row["number"]: row["state"] for row in steps.listing(engine)}


def test_it_takes_every_step_back_while_nobody_writes_and_tells_how_long_each_phase_took(
    taken_over: Engine, place: Place, ctx: Ctx
) -> None:
    applied = plain(taken_over)
    down = [step.number for step in rollback.wanted(taken_over, "19")]
    assert down == sorted(down, reverse=True)
    assert {19, 22, 29} <= set(down)
    report = roll(taken_over, ctx, place)
    names = [phase.name for phase in report.phases]
    assert (names[0], names[-3:]) == ("stop writers", ["verify", "start writers", "verify writers"])
    assert [name.split()[1] for name in names[1:-3]] == [str(number) for number in down]
    assert report.wrong == []
    told = report.as_facts()
    assert told["seconds"] == pytest.approx(sum(phase["seconds"] for phase in told["phases"]), abs=0.01)
    assert set(states(taken_over).values()) <= {"reverted", "pending", "applied"}
    assert [number for number, state in states(taken_over).items() if state == "reverted"] == down[::-1]
    assert plain(taken_over) != applied
    with db.rehearsal(taken_over) as session:
        gate.enter(session)
    for step in steps.STEPS:
        steps.apply(taken_over, ctx, step)
    assert plain(taken_over) == applied


def test_where_it_dies_or_does_not_verify_writing_stays_stopped_and_it_goes_on_from_there(
    taken_over: Engine, place: Place, ctx: Ctx
) -> None:
    url = taken_over.url.render_as_string(hide_password=False)
    gc.collect()
    child = os.fork()
    if child == 0:

        def die(_phase: str) -> None:
            if _phase.startswith("revert 23"):
                os.kill(os.getpid(), signal.SIGKILL)

        engine = db.connect(url)
        down = rollback.wanted(engine, "22")
        rollback.run(engine, ctx, place, down, reason="a wrong dump", patience=5, report=Report(die))
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    with db.rehearsal(taken_over) as session:
        assert (writing.standing(session) or {})["reason"] == "a wrong dump"
        with pytest.raises(gate.WritingStopped):
            gate.enter(session)
    assert states(taken_over)[29] == "reverted"
    assert states(taken_over)[22] == "applied"
    with db.transaction(taken_over) as session:
        db.run(session, "SET LOCAL session_replication_role = replica")
        db.run(session, "UPDATE postings SET amount_minor = amount_minor + 1 WHERE id = "
                        "(SELECT max(id::text)::uuid FROM postings)")  # fmt: skip
    with pytest.raises(NotRecovered, match="sums to 1"):
        roll(taken_over, ctx, place, "22")
    with db.transaction(taken_over) as session:
        assert writing.standing(session)
        db.run(session, "SET LOCAL session_replication_role = replica")
        db.run(session, "UPDATE postings SET amount_minor = amount_minor - 1 WHERE id = "
                        "(SELECT max(id::text)::uuid FROM postings)")  # fmt: skip
    assert roll(taken_over, ctx, place, "22").wrong == []
    assert (states(taken_over)[22], states(taken_over)[21]) == ("reverted", "applied")
    with db.rehearsal(taken_over) as session:
        assert writing.standing(session) is None


def test_a_step_is_rehearsed_on_the_last_backup_and_the_live_database_is_not_touched(
    taken_over: Engine, place: Place, ctx: Ctx
) -> None:
    whole = backup.make(taken_over, ctx, place, encrypt=True)
    live = contents(taken_over)
    for number in ("22",):
        report = Report(lambda _phase: None)
        rehearsal.run(taken_over, ctx, place, whole, steps.find(number), report)
        assert [phase.name for phase in report.phases] == [
            "check backup", "restore", "revert", "plan", "apply", "verify", "compare"
        ]  # fmt: skip
        assert report.wrong == []
    assert contents(taken_over) == live


def test_the_commands_ask_for_yes_a_reason_and_the_names_of_what_opens_a_hole(
    taken_over: Engine, tmp_path: Path
) -> None:
    environment = {
        **os.environ,
        "EARLYBIRD_DATABASE_URL": taken_over.url.render_as_string(hide_password=False),
        "EARLYBIRD_NOW": NOW.isoformat(),
        "COLUMNS": "200",
    }

    def asked(*words: str) -> Any:
        return terminal.run(("rollback", "--to", "21", "--json", *words), environment, tmp_path)

    shown = json.loads(asked().stdout)
    assert [one["number"] for one in shown][-1] == 21
    assert states(taken_over)[29] == "applied"
    told = ("--reason", "a wrong dump", "--yes")
    assert "type its name" in asked(*told).stderr
    assert states(taken_over)[29] == "applied"
    holes = [word for one in shown if one["opens_a_hole"] for word in ("--confirm", one["name"])]
    done = asked(*told, *holes)
    assert (done.returncode, json.loads(done.stdout)["ok"]) == (0, True), done.stderr
    assert (states(taken_over)[21], states(taken_over)[20]) == ("reverted", "applied")
