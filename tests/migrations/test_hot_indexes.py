"""Step 30: indexes built and dropped beside live work, whatever interrupts it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine, text

from conftest import NOW
from earlybird.infra import db
from earlybird.migrations import errors
from earlybird.migrations import service as steps
from earlybird.migrations.steps import hot_indexes
from make.business import business, customer
from migrations.content import IMPORTER

STEP = steps.find("hot_indexes")
FIRST = hot_indexes.INDEXES[0]


def standing(engine: Engine) -> set[str]:
    with db.rehearsal(engine) as session:
        return {
            row["relname"] for row in db.rows(session, "SELECT relname FROM pg_class WHERE relname LIKE '%hot_idx'")
        }


def execute(engine: Engine, statement: str) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(statement))


def told(engine: Engine) -> list[str]:
    return [row["what"] for row in steps.verify(engine, STEP)]


def test_a_plan_tells_size_and_time_and_leaves_nothing_and_revert_drops_all(fresh: Engine) -> None:
    names = set(hot_indexes.BY_NAME)
    planned = steps.plan(fresh, IMPORTER, STEP)
    assert standing(fresh) == set()
    assert {note["index"] for note in planned.notes} == names
    assert all(note["bytes"] > 0 and note["seconds"] >= 0 for note in planned.notes)
    on_them = {lock["mode"] for lock in planned.locks if lock["table"] in STEP.touches}
    assert on_them == {"AccessShareLock"}
    assert steps.apply(fresh, IMPORTER, STEP) == planned.rows
    assert standing(fresh) == names
    assert steps.apply(fresh, IMPORTER, STEP) == {}
    foreseen = steps.plan_revert(fresh, IMPORTER, [STEP])[0].rows
    assert steps.revert(fresh, IMPORTER, STEP).rows == foreseen == planned.rows
    assert standing(fresh) == set()


def test_each_thing_wrong_with_an_index_is_told_and_mended(fresh: Engine) -> None:
    steps.apply(fresh, IMPORTER, STEP)
    assert told(fresh) == []
    wrongs = {
        "missing": f"DROP INDEX {FIRST.name}",
        "not whole": f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{FIRST.name}'::regclass",
        "another one": f"DROP INDEX {FIRST.name}; CREATE INDEX {FIRST.name} ON {FIRST.table} (id)",
    }
    for word, wrong in wrongs.items():
        for statement in wrong.split("; "):
            execute(fresh, statement)
        found = told(fresh)
        assert len(found) == 1, word
        assert word in found[0]
        assert sum(steps.apply(fresh, IMPORTER, STEP).values()) == 1
        assert told(fresh) == []


def test_the_planner_is_asked(fresh: Engine) -> None:
    steps.apply(fresh, IMPORTER, STEP)
    useless = hot_indexes.Hot("orders", "note", "note", "SELECT id FROM orders WHERE note = 'x'")
    with db.rehearsal(fresh) as session:
        assert all(hot_indexes._serves(session, index) for index in hot_indexes.INDEXES)
        assert not hot_indexes._serves(session, useless)


def test_writing_goes_on_while_an_index_waits_for_an_older_transaction(
    fresh: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with db.transaction(fresh) as session:
        firm = business(session)
    monkeypatch.setattr(hot_indexes, "PATIENCE", 0.3)
    with fresh.connect() as older:
        older.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        older.execute(text("SELECT count(*) FROM orders, memberships")).all()
        time.sleep(1.01)  # so old that it is named
        with pytest.raises(errors.OlderTransaction, match=str(older.connection.driver_connection.info.backend_pid)):  # type: ignore[union-attr]
            steps.apply(fresh, IMPORTER, STEP)
        monkeypatch.setattr(hot_indexes, "PATIENCE", 60.0)
        runner = threading.Thread(target=steps.apply, args=(fresh, IMPORTER, STEP))
        runner.start()
        seen = wait_until(fresh, WAITING)
        locks = f"SELECT mode FROM pg_locks WHERE relation = '{FIRST.table}'::regclass AND mode !~ '^(AccessShare|Row)' AND granted"
        with db.transaction(fresh) as session:
            db.run(session, "SET LOCAL lock_timeout = '50ms'")
            assert {row["mode"] for row in db.rows(session, locks)} == {STEP.locks[FIRST.table]}
            customer(session, firm)
            for table in STEP.touches:
                db.run(session, f"LOCK TABLE {table} IN ROW EXCLUSIVE MODE")
        assert seen
        assert runner.is_alive()
        older.rollback()
        runner.join()
    assert told(fresh) == []
    assert standing(fresh) == set(hot_indexes.BY_NAME)


WAITING = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '% INDEX CONCURRENTLY %'"


def wait_until(engine: Engine, condition: str) -> bool:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        with db.rehearsal(engine) as session:
            if db.rows(session, condition):
                return True
        time.sleep(0.01)
    return False


def test_two_who_apply_at_once_do_not_wait_for_each_other_forever(
    fresh: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hot_indexes, "PATIENCE", 5.0)
    failed: list[BaseException] = []

    def run() -> None:
        try:
            steps.apply(fresh, IMPORTER, STEP)
        except BaseException as failure:  # noqa: BLE001  told below, in the test's own thread
            failed.append(failure)

    both = [threading.Thread(target=run) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert failed == []
    assert told(fresh) == []


RUNNER = """
import sys
from datetime import datetime
from earlybird import wiring
from earlybird.infra import db
from earlybird.kernel.ctx import Actor, Ctx
from earlybird.migrations import service as steps
url, now = sys.argv[1:]
ctx = Ctx(actor=Actor(kind="system", name="import", role="admin"), now=datetime.fromisoformat(now), via="import")
steps.apply(db.connect(url), ctx, steps.find("30"))
"""


@pytest.mark.parametrize(
    "goes_on", [True, pytest.param(False, marks=pytest.mark.soak)], ids=["server goes on", "server stops too"]
)
def test_a_killed_runner_leaves_what_the_next_one_finishes(fresh: Engine, goes_on: bool) -> None:  # noqa: FBT001
    url = fresh.url.render_as_string(hide_password=False)
    with fresh.connect() as older:
        older.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        older.execute(text("SELECT count(*) FROM orders, memberships")).all()
        with subprocess.Popen([sys.executable, "-c", RUNNER, url, NOW.isoformat()], env=os.environ.copy()) as killed:
            assert wait_until(fresh, WAITING)
            killed.send_signal(signal.SIGKILL)
        assert FIRST.name in standing(fresh)
        if not goes_on:
            execute(fresh, "SELECT pg_terminate_backend(pid) FROM pg_stat_progress_create_index")
        next_one = threading.Thread(target=steps.apply, args=(fresh, IMPORTER, STEP))
        next_one.start()
        older.rollback()
        next_one.join()
    assert told(fresh) == []
    assert steps.revert(fresh, IMPORTER, STEP).is_whole
    assert standing(fresh) == set()


def test_reverting_stopped_half_way_goes_on(fresh: Engine) -> None:
    steps.apply(fresh, IMPORTER, STEP)
    calls: list[Any] = []

    def once_broken(take: Callable[[Any], dict[str, int]]) -> Callable[[Any], dict[str, int]]:
        def work(connection: Any) -> dict[str, int]:
            calls.append(connection)
            if len(calls) == 1:
                connection.execute(text(f"DROP INDEX CONCURRENTLY {FIRST.name}"))
                raise KeyboardInterrupt
            return take(connection)

        return work

    broken = replace(STEP, tear_down=once_broken(hot_indexes.tear_down))
    with pytest.raises(KeyboardInterrupt):
        steps.revert(fresh, IMPORTER, broken)
    assert steps.revert(fresh, IMPORTER, broken).is_whole
    assert standing(fresh) == set()
