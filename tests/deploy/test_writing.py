"""While writing is stopped everybody may look and nobody may write, whoever stopped it and whatever became of them."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from datetime import datetime

import procrastinate
import procrastinate.testing
import pytest
from sqlalchemy import Engine

from earlybird import worker
from earlybird.deploy import writing
from earlybird.deploy.errors import WritersBusy, WritingIsOpen, WritingIsStopped
from earlybird.infra import db, gate
from earlybird.infra.schedule import Periodic
from earlybird.kernel.ctx import Ctx
from make.doors import place, town
from make.town import Town

__all__ = ["place", "town"]

WAIT = 0.3


def test_writes_are_refused_with_a_time_to_come_again_and_reads_are_answered(town: Town, ctx: Ctx) -> None:
    _, stop = town.planned()
    said = {
        "client_id": "0199c5e7-a100-7000-8000-000000000001",
        "outcome": "delivered",
        "device_at": town.now.isoformat(),
    }
    writes = [
        ("meena", "POST", "/api/orders", town.wish()),
        ("driver", "POST", f"/api/deliveries/{stop}/confirm", said),
        (None, "POST", "/api/auth/login", {"email": "nobody@example.com", "password": "nothing at all"}),
    ]
    writing.stop(town.engine, ctx, reason="a rollback", patience=WAIT)
    assert town.findings() == []
    for who, method, path, body in writes:
        answer = town.ask(who, method, path, body)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30"), path
        assert answer.json()["detail"].startswith("Writing is stopped")
    for path in ("/api/orders", f"/api/deliveries/{stop}", "/api/health"):
        assert town.ask("admin", "GET", path).status_code == 200, path
    assert town.rows("SELECT state FROM findings WHERE check_name = 'writing_stopped'") == [{"state": "open"}]
    with pytest.raises(WritingIsStopped):
        writing.stop(town.engine, ctx, reason="again", patience=WAIT)
    writing.allow(town.engine, ctx)
    assert [town.ask(*one).status_code for one in writes[:2]] == [201, 200]
    assert town.rows("SELECT state FROM findings WHERE check_name = 'writing_stopped'") == [{"state": "resolved"}]
    with pytest.raises(WritingIsOpen):
        writing.allow(town.engine, ctx)


def test_who_writes_is_waited_for_and_named_and_nobody_new_comes_through(fresh: Engine, ctx: Ctx) -> None:
    with db.transaction(fresh) as session:
        gate.enter(session)
        with pytest.raises(WritersBusy, match="earlybird"):
            writing.stop(fresh, ctx, reason="now", patience=WAIT)
        with db.transaction(fresh) as another:
            gate.enter(another)  # it goes on as if nothing had been
    with writing.stopped(fresh, ctx, reason="now", patience=WAIT):
        with db.rehearsal(fresh) as session, pytest.raises(gate.WritingStopped):
            gate.enter(session)
        with gate.entered(fresh) as is_open:
            assert not is_open
    with db.rehearsal(fresh) as session, pytest.raises(gate.WritingStopped):
        gate.enter(session)  # until somebody says so


def test_jobs_wait_and_are_made_up_for(fresh: Engine, ctx: Ctx, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[datetime] = []
    job = Periodic("test.work", "* * * * *", lambda _engine, now: called.append(now.now))
    queue = procrastinate.App(connector=procrastinate.testing.InMemoryConnector())
    worker.register(queue, fresh, job)
    monkeypatch.setattr(worker, "circumstances", lambda: ctx)
    monkeypatch.setenv("EARLYBIRD_NOW", ctx.now.isoformat())
    writing.stop(fresh, ctx, reason="a rollback", patience=WAIT)
    queue.tasks[job.name].func(timestamp=0)
    assert called == []
    writing.allow(fresh, ctx)
    queue.tasks[job.name].func(timestamp=0)
    assert called == [ctx.now]


def test_it_outlives_who_stopped_it_and_commands_may_only_look(
    fresh: Engine, fresh_url: str, ctx: Ctx, earlybird: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    child = os.fork()
    if child == 0:
        with writing.stopped(db.connect(fresh_url), ctx, reason="a rollback", patience=5):
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    status = earlybird("writing", "status")
    assert (status.returncode, "Stopped by Asha" in status.stdout) == (1, True)
    refused = earlybird("charge")
    assert (refused.returncode, "Writing is stopped" in refused.stderr) == (3, True)
    assert earlybird("writing", "allow").returncode == 0
    assert earlybird("charge").returncode == 0
