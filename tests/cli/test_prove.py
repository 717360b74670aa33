"""init, db, reconcile, serve, worker and up as a person runs them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest
from sqlalchemy import Engine, text

from earlybird import schema
from earlybird.infra import db
from earlybird.infra.embedded import Embedded
from make.month import NOW, month

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_init_creates_once_and_prints_a_new_link_each_time(earlybird: Run, fresh: Engine) -> None:
    refused = earlybird("init")
    assert (refused.returncode, "owner-email" in refused.stderr) == (1, True)
    wrong = earlybird("init", "--owner-email", "asha@example.com", "--zone", "Mars/Olympus")
    assert (wrong.returncode, "zone" in wrong.stderr) == (1, True)
    first = earlybird("init", "--business", "Sunrise", "--owner-email", "Asha@example.com", "--json")
    facts = json.loads(first.stdout)
    assert facts["created"] == ["business", "owner"]
    assert facts["owner"] == "asha@example.com"
    with db.transaction(fresh) as session:
        counts = (
            "SELECT count(*) FROM businesses",
            "SELECT count(*) FROM sites",
            "SELECT count(*) FROM shifts",
            "SELECT count(*) FROM units",
            "SELECT count(*) FROM grants",
            "SELECT count(*) FROM users",
        )
        before = [db.value(session, sql) for sql in counts]
    again = json.loads(earlybird("init", "--json").stdout)
    assert again["created"] == []
    assert again["sign_in"] != facts["sign_in"]
    with db.transaction(fresh) as session:
        assert [db.value(session, sql) for sql in counts] == before == [1, 1, 2, 3, before[4], 1]
        assert before[4] > 50


def test_reconcile_answers_exits_and_keeps_findings(earlybird: Run, fresh: Engine) -> None:
    with db.transaction(fresh) as session:
        month(session)
    clean = earlybird("reconcile", "--json", now=NOW)
    assert clean.returncode == 0, clean.stdout
    facts = json.loads(clean.stdout)
    assert facts["ok"]
    assert all(check["ok"] for check in facts["checks"])
    with db.transaction(fresh) as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(
            text(
                "DELETE FROM charges WHERE id = (SELECT charge_id FROM invoice_lines WHERE charge_id IS NOT NULL LIMIT 1)"
            )
        )
    found = earlybird("reconcile", "--json", now=NOW)
    assert found.returncode == 1
    facts = json.loads(found.stdout)
    [check] = [check for check in facts["checks"] if not check["ok"]]
    assert check["name"] == "fact_not_charged"
    assert check["money_minor"]["INR"] == facts["proof"]["totals"][0]["lost_minor"] > 0
    past = earlybird("reconcile", "--as-of", "2025-11-30", "--json", now=NOW)
    assert (past.returncode, json.loads(past.stdout)["proof"]["totals"]) == (0, [])
    with db.transaction(fresh) as session:
        assert db.value(session, "SELECT count(*) FROM findings WHERE state = 'open'") == 1


def test_db_url_starts_the_database_and_leaves_it_running(tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("EARLYBIRD_")}
    call = [sys.executable, "-m", "earlybird", "db", "url", "--data-dir", str(tmp_path / "d")]
    try:
        url = subprocess.run(call, capture_output=True, text=True, check=True, env=environment).stdout.strip()
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == (schema.head(),)
        psql = [*call[:4], "psql", "--data-dir", str(tmp_path / "d"), "-Atc", "SELECT 6 * 7"]
        assert subprocess.run(psql, capture_output=True, text=True, check=True, env=environment).stdout.strip() == "42"
    finally:
        Embedded(tmp_path / "d").stop()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def until(true: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.1)


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/api/health").json()["status"] == "ok"
    except httpx.HTTPError:
        return False


SOAK = pytest.mark.soak


@pytest.mark.parametrize(
    "end", ["term", "dead child", pytest.param("ctrl-c", marks=SOAK), pytest.param("kill", marks=SOAK)]
)
def test_up_runs_all_and_leaves_nothing_behind(fresh_url: str, tmp_path: Path, end: str) -> None:
    port = free_port()
    environment = {**os.environ, "EARLYBIRD_DATABASE_URL": fresh_url}
    up = subprocess.Popen(
        [sys.executable, "-m", "earlybird", "up", "--port", str(port)],
        env=environment, cwd=tmp_path, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        until(lambda: answers(port))
        children = psutil.Process(up.pid).children(recursive=True)
        assert len(children) == 2
        if end == "ctrl-c":
            os.killpg(up.pid, signal.SIGINT)
        elif end == "term":
            up.terminate()
        elif end == "kill":
            up.kill()
        else:
            children[1].kill()
        code = up.wait(30)
        until(lambda: not any(child.is_running() and child.status() != "zombie" for child in children))
        assert not answers(port)
        assert code == {"ctrl-c": 0, "term": 0, "kill": -signal.SIGKILL, "dead child": 1}[end]
    finally:
        if up.poll() is None:
            os.killpg(up.pid, signal.SIGKILL)
            up.wait()


def test_the_worker_runs_its_periodic_jobs_once_each(fresh: Engine, tmp_path: Path) -> None:
    from earlybird.infra.schedule import Periodic
    from earlybird.infra.settings import Settings
    from earlybird.kernel.ctx import Ctx
    from earlybird.worker import create_queue, register

    with db.transaction(fresh) as session:  # installed a while ago, so that a minute has been due since
        db.run(session, "UPDATE job_clocks SET covered_until_at = covered_until_at - interval '5 minutes'")
    seen: list[Ctx] = []
    queue = create_queue(fresh, Settings(data_dir=tmp_path))
    register(queue, fresh, Periodic("tests.tick", "* * * * *", lambda _engine, ctx: seen.append(ctx)))
    with queue.open():
        queue.tasks["tests.tick"].defer(timestamp=0)
        queue.run_worker(wait=False, install_signal_handlers=False)
    assert {ctx.actor.kind for ctx in seen} == {"system"}
    assert "reconcile.run" in queue.tasks
