"""The web and the worker act as a role that owns nothing: what is append-only stays so, and their work is not hindered."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from alembic import command
from sqlalchemy import Engine, text
from sqlalchemy.exc import ProgrammingError
from starlette.testclient import TestClient

from conftest import admin, scratch
from earlybird import schema, wiring
from earlybird.audit.service import sealing
from earlybird.identity.service import grants, people
from earlybird.infra import db
from earlybird.infra.embedded import Embedded
from earlybird.infra.schedule import Periodic
from earlybird.infra.settings import Settings
from earlybird.kernel.ctx import SYSTEM, Ctx
from earlybird.main import create_app
from earlybird.worker import create_queue, register
from make.entrance import CTX, link
from make.month import NOW, month
from make.trail import Trail

GUARDED = """SELECT c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE t.tgname LIKE '%\\_append\\_only' ORDER BY 1"""


@contextmanager
def application(url: str) -> Iterator[Engine]:
    engine = db.connect(url, role=db.APPLICATION)
    yield engine
    engine.dispose()


@pytest.fixture
def app_engine(fresh_url: str) -> Iterator[Engine]:
    with application(fresh_url) as engine:
        yield engine


def test_no_append_only_table_can_be_changed_and_no_trigger_switched_off(fresh: Engine, app_engine: Engine) -> None:
    with fresh.connect() as owner:
        guarded = list(owner.execute(text(GUARDED)).scalars())
    assert {"audit_entries", "audit_seals", "audit_seal_rows", "charges", "postings"} <= set(guarded)
    refused = ["SET session_replication_role = replica", "UPDATE alembic_version SET version_num = 'x'"]
    for table in guarded:
        refused += [
            f"UPDATE {table} SET id = NULL", f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE",
            f"ALTER TABLE {table} DISABLE TRIGGER ALL", f"DROP TABLE {table} CASCADE",
        ]  # fmt: skip
    refused = [statement.replace("audit_seals SET id", "audit_seals SET seal_no").replace("seal_rows SET id", "seal_rows SET audit_id")
               for statement in refused]  # fmt: skip
    for statement in refused:
        with (
            app_engine.connect() as connection,
            pytest.raises(ProgrammingError, match=r"permission denied|must be owner"),
        ):
            connection.execute(text(statement))


def test_every_other_table_can_be_written_and_later_ones_too(fresh: Engine, app_engine: Engine) -> None:
    with fresh.begin() as owner:
        owner.execute(text("CREATE TABLE made_later (id bigserial PRIMARY KEY, note text)"))
        guarded = {*owner.execute(text(GUARDED)).scalars(), "alembic_version"}
        tables = set(owner.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).scalars())
    with app_engine.begin() as connection:
        assert connection.execute(text("SELECT current_user")).scalar() == db.APPLICATION
        for table in tables - guarded:
            connection.execute(text(f"DELETE FROM {table} WHERE false"))
        connection.execute(text("INSERT INTO made_later (note) VALUES ('x')"))
        connection.execute(text("CREATE TEMP TABLE mine ON COMMIT DROP AS SELECT 1 AS one"))
        connection.execute(text("TRUNCATE mine"))


def test_the_jobs_do_their_work_as_the_application(server: Embedded, tmp_path: Path) -> None:
    with scratch(server) as url:
        owner = db.connect(url)
        with db.transaction(owner) as session:
            month(session)
            made = db.value(session, "SELECT count(*) FROM charges")
            db.run(session, "SET LOCAL session_replication_role = replica")
            db.run(session, "DELETE FROM charges WHERE service_on = (SELECT min(service_on) FROM charges)")
            assert db.value(session, "SELECT count(*) FROM charges") < made
        with application(url) as engine:
            ctx = Ctx(actor=SYSTEM, now=NOW, via="job")
            jobs = wiring.periodic(Settings(data_dir=tmp_path))
            for job in jobs:
                job.run(engine, ctx)
            next(job for job in jobs if job.name == "audit.seal").run(engine, ctx)
        with db.transaction(owner) as session:
            assert db.value(session, "SELECT count(*) FROM charges") == made
            assert db.value(session, "SELECT count(*) FROM audit_seals") == 1
            assert (tmp_path / "audit-checkpoints.jsonl").read_bytes().count(b"\n") == 1
        owner.dispose()


def test_the_queue_works_as_the_application(fresh_url: str, app_engine: Engine, tmp_path: Path) -> None:
    with psycopg.connect(fresh_url.replace("+psycopg", "")) as connection:
        connection.execute("UPDATE job_clocks SET covered_until_at = '2026-01-01'")  # so that something is due
    queue = create_queue(app_engine, Settings(data_dir=tmp_path))
    who: list[object] = []

    def ask(engine: Engine, _ctx: Ctx) -> None:
        with engine.connect() as connection:
            who.append(connection.execute(text("SELECT current_user")).scalar())

    register(queue, app_engine, Periodic("test.ask", "* * * * *", ask))
    with queue.open():
        queue.configure_task("test.ask").defer(timestamp=0)
        queue.run_worker(wait=False, install_signal_handlers=False)
        with psycopg.connect(fresh_url.replace("+psycopg", "")) as connection:
            owners = connection.execute(
                "SELECT DISTINCT usename FROM pg_stat_activity WHERE datname = current_database()"
            )
            assert owners.fetchall()
    assert set(who) == {db.APPLICATION}


def test_pages_are_served_as_the_application(server: Embedded) -> None:
    with scratch(server) as url:
        owner = db.connect(url)
        with db.transaction(owner) as session:
            month(session)
            grants.seed(session, CTX)
            people.create_owner(session, CTX, "asha@example.com")
        with application(url) as engine:
            same_site = {"Sec-Fetch-Site": "same-origin"}
            client = TestClient(create_app(engine, lambda: NOW), follow_redirects=False, headers=same_site)
            assert client.post(f"/sign-in/{link(owner)}").status_code == 303
            assert client.get("/proof").status_code == 200
            assert client.get("/api/proof").json()["totals"]
        owner.dispose()


def test_the_way_down_leaves_the_role_to_the_other_databases_and_up_grants_again(fresh: Engine, fresh_url: str) -> None:
    for _ in range(2):
        assert db.can_act_as_application(fresh)
        command.downgrade(schema.config(fresh), "0001")
        assert not db.can_act_as_application(fresh)
        with fresh.connect() as connection:
            assert (
                connection.execute(text("SELECT count(*) FROM pg_roles WHERE rolname = 'earlybird_app'")).scalar() == 1
            )
        schema.upgrade(fresh)


def test_databases_made_at_the_same_moment_agree_on_the_role() -> None:
    home = Path("/tmp") / f"eb-role-{os.getpid()}"  # noqa: S108  the server's account must reach it
    home.mkdir(mode=0o711)
    embedded = Embedded(home / "pg", durable=False)
    code = "import sys; from earlybird import schema; from earlybird.infra import db; e = db.connect(sys.argv[1]); "
    code += "schema.upgrade(e); assert db.can_act_as_application(e)"
    try:
        with embedded.running():
            names = [f"at_once_{n}" for n in range(3)]
            for name in names:
                admin(embedded, f"CREATE DATABASE {name}")
            made = [subprocess.Popen([sys.executable, "-c", code, embedded.url(name)]) for name in names]
            assert [one.wait(120) for one in made] == [0, 0, 0]
    finally:
        embedded.destroy()
        shutil.rmtree(home)


def test_an_owner_who_may_make_no_role_gets_his_schema_and_a_warning(server: Embedded, tmp_path: Path) -> None:
    """The role exists on this server, but this owner may not take it."""
    admin(server, "DROP ROLE IF EXISTS plain_owner")
    admin(server, "CREATE ROLE plain_owner LOGIN")
    admin(server, "CREATE DATABASE plain OWNER plain_owner")
    try:
        url = server.url("plain").replace("earlybird@", "plain_owner@").replace("user=earlybird", "user=plain_owner")
        engine = db.connect(url)
        schema.upgrade(engine)
        with engine.connect() as connection:
            assert connection.execute(text("SELECT current_user")).scalar() == "plain_owner"
        assert not db.can_act_as_application(engine)
        engine.dispose()
        process = subprocess.Popen(
            [sys.executable, "-m", "earlybird", "worker", "--data-dir", str(tmp_path)],
            env={**os.environ, "EARLYBIRD_DATABASE_URL": url, "COLUMNS": "200"}, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stderr
        said = process.stderr.readline() + process.stderr.readline()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert "no role earlybird_app" in said
    finally:
        admin(server, "DROP DATABASE plain WITH (FORCE)")
        admin(server, "DROP ROLE plain_owner")


def test_the_application_seals_and_may_not_erase(app_engine: Engine, ctx: Ctx, tmp_path: Path) -> None:
    trail = Trail.at(app_engine, ctx, tmp_path).sealed(2)
    order = trail.ask("SELECT entity_id FROM audit_entries LIMIT 1")
    with pytest.raises(ProgrammingError, match="permission denied"), db.transaction(app_engine) as session:
        sealing.erase(session, ctx, "order", order, reason="x")  # type: ignore[arg-type]
    assert trail.verify().count == 0
