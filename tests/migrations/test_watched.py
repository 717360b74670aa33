"""Steps are watched: what was changed behind them is found, what goes wrong is taken back, what kills them is survived."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from conftest import NOW, SOAK
from earlybird.infra import db
from earlybird.infra.embedded import Embedded
from earlybird.kernel.errors import Failure
from earlybird.migrations import errors, images, service
from earlybird.migrations import service as steps
from earlybird.migrations.states import Wish
from importers import canonical
from migrations import clients
from migrations.conftest import copied
from migrations.content import IMPORTER, digests, unlike

REVERTIBLE = [step for step in steps.STEPS if not step.is_structural]

WRITTEN = """
WITH field AS MATERIALIZED (
    SELECT DISTINCT r.table_name, e.id, a.key FROM step_residue r
    CROSS JOIN LATERAL ROWS FROM (unnest(r.ids), jsonb_array_elements(r.after)) AS e(id, after)
    CROSS JOIN LATERAL jsonb_each(e.after) a
    WHERE r.reverted_at IS NULL AND e.id IS NOT NULL AND a.key <> 'id' AND jsonb_typeof(e.after) = 'object'
), chosen AS MATERIALIZED (SELECT * FROM field ORDER BY md5(concat(table_name, id, key)) LIMIT :most)
SELECT f.*, format_type(c.atttypid, NULL) AS data_type
FROM chosen f JOIN pg_attribute c ON c.attrelid = to_regclass(f.table_name) AND c.attname = f.key
"""
"""Fields that steps wrote, by chance: ids differ in every run."""

OTHERWISE = {
    "uuid": "new_id()", "text": "coalesce({0}, '') || 'x'", "bigint": "coalesce({0}, 0) + 1", "integer": "coalesce({0}, 0) + 1",
    "smallint": "coalesce({0}, 0) + 1", "numeric": "coalesce({0}, 0) + 1", "date": "coalesce({0}, '2026-01-01') + 1",
    "boolean": "NOT coalesce({0}, false)", "jsonb": "'{{\"x\": 1}}'", "timestamp with time zone": "coalesce({0}, now()) + interval '1 day'",
}  # fmt: skip


def test_each_field_changed_behind_a_step_is_found_and_no_other(tied: Callable[[], Any]) -> None:
    with tied() as engine:
        world = clients.world(engine)
        for n, kind in enumerate(clients.KINDS):
            clients.write(engine, kind, world[kind][n % len(world[kind])], f"meanwhile {n}")
        assert {step.name: steps.verify(engine, step) for step in steps.STEPS} == {
            step.name: [] for step in steps.STEPS
        }
        with db.rehearsal(engine) as session:
            chosen = []
            db.run(session, "SET LOCAL session_replication_role = replica")
            for field in db.rows(session, WRITTEN, {"most": 1300 if SOAK else 130}):
                put = OTHERWISE[field["data_type"]].format(f'"{field["key"]}"')
                table, check = field["table_name"], f'"{field["key"]}" = {put}'
                with contextlib.suppress(IntegrityError), session.begin_nested():  # some the database refuses itself
                    db.run(session, f"UPDATE {table} SET {check} WHERE id = :id", {"id": field["id"]})
                    chosen.append(field)
            found = {
                (row["table_name"], row["id"], row["column_name"])
                for step in steps.STEPS
                for row in images.unlike(session, step, step_id(session, step))
            }
        assert len(chosen) > (1000 if SOAK else 90)
        assert found == {(field["table_name"], str(field["id"]), field["key"]) for field in chosen}


def step_id(session: Any, step: steps.Step) -> Any:
    return db.value(session, "SELECT id FROM steps WHERE number = :number", {"number": step.number})


def test_a_step_that_does_not_verify_is_taken_back_by_itself(taken: Engine) -> None:
    before = digests(taken)
    bad = replace(steps.find("19"), verify=lambda _: [{"id": 1, "what": "all wrong"}])
    with pytest.raises(errors.StepNotVerified):
        steps.apply(taken, IMPORTER, bad)
    assert unlike(before, digests(taken)) == []
    assert state(taken, 19) == "reverted"
    steps.apply(taken, IMPORTER, steps.find("19"))
    applied = digests(taken)
    with pytest.raises(errors.StepNotVerified):
        steps.apply(taken, IMPORTER, bad)
    assert unlike(applied, digests(taken)) == []
    assert state(taken, 19) == "applied"


def state(engine: Engine, number: int) -> str:
    return str(next(row["state"] for row in steps.listing(engine) if row["number"] == number))


def asking(engine: Engine, wish: Wish, *, after: int) -> steps.Progress:
    """A progress that asks for something, once, when so much is done."""
    asked: list[int] = []

    def progress(_: str, done: int, __: int, ___: int) -> None:
        if not asked and done >= after:
            asked.append(done)
            service.ask(engine, IMPORTER, steps.find("20"), wish)

    return progress


def test_paused_it_goes_on_and_cancelled_it_is_taken_back(taken: Engine) -> None:
    steps.apply(taken, IMPORTER, steps.find("19"))
    before = digests(taken)
    with pytest.raises(errors.StepPaused):
        steps.apply(taken, IMPORTER, steps.find("20"), asking(taken, Wish.pause, after=1))
    assert state(taken, 20) == "applying"
    with pytest.raises(errors.StepCancelled):
        steps.apply(taken, IMPORTER, steps.find("20"), asking(taken, Wish.cancel, after=1))
    assert state(taken, 20) == "reverted"
    assert unlike(before, digests(taken)) == []
    with pytest.raises(errors.StepNotRunning):
        service.ask(taken, IMPORTER, steps.find("20"), Wish.pause)
    steps.apply(taken, IMPORTER, steps.find("20"))
    assert steps.verify(taken, steps.find("20")) == []


def test_a_hole_demands_the_typed_name_and_a_reason_and_stays_told_while_it_is_open(taken: Engine) -> None:
    step = steps.find("login_to_customer")
    steps.apply(taken, IMPORTER, step)
    for words in ({}, {"confirmed": "login"}, {"confirmed": step.name}, {"confirmed": step.name, "reason": " "}):
        with pytest.raises(Failure):
            steps.revert(taken, IMPORTER, step, **words)
    assert state(taken, 21) == "applied"
    steps.revert(taken, IMPORTER, step, confirmed=step.name, reason="trial")
    assert open_holes(taken) == [step.name]
    with db.rehearsal(taken) as session:
        told = db.rows(session, "SELECT reason FROM audit_entries WHERE action = 'step.revert'")
    assert told == [{"reason": "trial"}]
    steps.apply(taken, IMPORTER, step)
    assert open_holes(taken) == []


def test_interrupted_it_stops_after_the_present_batches_and_goes_on(taken: Engine) -> None:
    told: list[int] = []

    def progress(_: str, done: int, __: int, ___: int) -> None:
        told.append(done)
        if len(told) == 1:
            os.kill(os.getpid(), signal.SIGINT)

    idle = replace(steps.find("29"), phases=lambda _: [list(range(200))], join=None, apply=lambda *_: {})
    with pytest.raises(KeyboardInterrupt):
        steps.apply(taken, IMPORTER, idle, progress)
    assert len(told) < 100
    assert state(taken, 29) == "applying"
    steps.apply(taken, IMPORTER, steps.find("29"))
    assert steps.verify(taken, steps.find("29")) == []


def test_one_step_runs_at_a_time_and_who_waits_is_told(taken: Engine) -> None:
    step, told = steps.find("29"), list[str]()
    waits = threading.Event()

    def progress(what: str, *_: int) -> None:
        told.append(what)
        waits.set()

    with ThreadPoolExecutor(1) as pool:
        with db.alone(taken, service.LOCK):
            planned = pool.submit(steps.plan, taken, IMPORTER, step, progress)
            assert waits.wait(30)
            assert told == ["Waiting for another step to end"]
        assert planned.result().rows
    assert told[-1] == step.title


def die(*_: object) -> None:
    raise MemoryError


def test_a_revert_that_died_half_way_is_ended_by_taking_back_what_came_after(taken: Engine) -> None:
    before = digests(taken)
    step = replace(steps.find("29"), join=None)
    steps.apply(taken, IMPORTER, step)
    with pytest.raises(MemoryError):
        steps.revert(taken, IMPORTER, step, progress=die)
    assert state(taken, 29) == "reverting"
    with pytest.raises(errors.StepNotVerified):
        steps.apply(taken, IMPORTER, replace(step, verify=lambda _: [{"id": 1, "what": "all wrong"}]))
    assert state(taken, 29) == "reverted"
    assert unlike(before, digests(taken)) == []


def test_a_hole_is_told_from_the_moment_its_revert_begins(taken: Engine) -> None:
    step = steps.find("login_to_customer")
    steps.apply(taken, IMPORTER, step)
    with pytest.raises(MemoryError):
        steps.revert(taken, IMPORTER, step, confirmed=step.name, reason="trial", progress=die)
    assert (state(taken, 21), open_holes(taken)) == ("reverting", [step.name])


def open_holes(engine: Engine) -> list[str]:
    with db.rehearsal(engine) as session:
        asked = "SELECT subject FROM findings WHERE check_name = 'reverted_step' AND state = 'open'"
        return [row["subject"] for row in db.rows(session, asked)]


def test_what_is_at_stake_is_what_one_time_orders_are_worth(taken: Engine) -> None:
    for step in REVERTIBLE:
        steps.apply(taken, IMPORTER, step)
    money = steps.find("23")
    planned = steps.plan(taken, IMPORTER, money)
    with db.rehearsal(taken) as session:
        worth = db.value(
            session,
            "SELECT sum(c.amount_minor) FROM charges c JOIN delivery_event_lines e ON e.id = c.event_line_id "
            "JOIN delivery_lines d ON d.id = e.delivery_line_id JOIN order_lines l ON l.id = d.order_line_id "
            "WHERE l.source = 'one_time'",
        )
    assert [stake["amount_minor"] for stake in planned.stakes] == [worth]
    with db.transaction(taken) as session:
        policy = db.value(session, "SELECT value FROM policies WHERE name = 'charge_one_time_orders'")
    assert policy is True
    steps.revert(taken, IMPORTER, money)
    with db.rehearsal(taken) as session:
        assert db.value(session, "SELECT value FROM policies WHERE name = 'charge_one_time_orders'") is False


KILLED = """
import itertools, os, signal, sys
from datetime import datetime
from sqlalchemy import event
from earlybird import wiring
from earlybird.infra import db
from earlybird.kernel.ctx import Actor, Ctx
from earlybird.migrations import service as steps

url, now, last, victim, most = sys.argv[1:]
ctx = Ctx(actor=Actor(kind="system", name="import", role="admin"), now=datetime.fromisoformat(now), via="import")
engine = db.connect(url)
count = itertools.count(1)

@event.listens_for(engine, "before_cursor_execute")
def kill(_, __, statement, *___):
    if "pg_stat_activity" not in statement and next(count) == int(last):
        os.kill(int(victim) or os.getpid(), signal.SIGKILL)

both = [step for step in steps.STEPS if not step.is_structural][:int(most)]
for step in both:
    steps.apply(engine, ctx, step)
for step in both[::-1]:
    steps.revert(engine, ctx, step, confirmed=step.name, reason="a trial")
print(next(count) - 1)
"""


def killed_at(statement: int, engine: Engine) -> subprocess.CompletedProcess[str]:
    """Apply and revert all until the given statement, and there kill the process."""
    url = engine.url.render_as_string(hide_password=False)
    words = (url, NOW.isoformat(), str(statement), "0", "99")
    return subprocess.run(
        [sys.executable, "-c", KILLED, *words], capture_output=True, text=True, check=False, env=os.environ.copy()
    )


@pytest.fixture(scope="module")
def statements(server: Embedded, untied: str) -> int:
    """How many statements it takes to apply and revert all, about."""
    if not SOAK:
        return 1500
    with copied(server, untied) as engine:
        return int(killed_at(0, engine).stdout)


@pytest.mark.parametrize("block", range(10 if SOAK else 1))
def test_killed_at_any_statement_it_goes_on_and_nothing_is_skipped_or_done_twice(
    taken: Engine, another: Callable[[], Any], statements: int, block: int
) -> None:
    bare = digests(taken)
    for step in REVERTIBLE:
        steps.apply(taken, IMPORTER, step)
    wanted = canonical.state(taken)
    instants = random.Random(3 + block)
    for turn in range(10 if SOAK else 1):
        instant = instants.randrange(2, statements)
        with another() as engine:
            ended = killed_at(instant, engine).returncode
            assert ended in {-signal.SIGKILL, 0}, instant
            stands = {row["number"]: row["state"] for row in steps.listing(engine)}
            if turn % 2 and {"reverting", "reverted"} & set(stands.values()):
                go_down(engine, bare)
            for step in REVERTIBLE:
                steps.apply(engine, IMPORTER, step)
            found = canonical.state(engine)
            assert {name: rows for name, rows in canonical.unlike(wanted, found).items() if name != "steps"} == {}, (
                instant
            )
            go_down(engine, bare)


def go_down(engine: Engine, bare: dict[str, str]) -> None:
    stands = {row["number"]: row["state"] for row in steps.listing(engine)}
    for step in REVERTIBLE[::-1]:
        if stands[step.number] not in {"pending", "reverted"}:
            steps.revert(engine, IMPORTER, step, confirmed=step.name, reason="a trial")
    assert unlike(bare, digests(engine)) == []
