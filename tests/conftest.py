"""Real PostgreSQL for every test: one server per run, one database per worker, each test rolled back."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

import watch
from earlybird import schema
from earlybird.infra import db
from earlybird.infra.embedded import Embedded
from earlybird.kernel.ctx import EVERYWHERE, Actor, Ctx
from make import terminal
from make.scratch import TEMPLATE, Scratch

SOAK = bool(os.environ.get("EARLYBIRD_SOAK"))
NOW = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the full counts to `make soak`."""
    if not SOAK:
        for item in items:
            if item.get_closest_marker("soak"):
                item.add_marker(pytest.mark.skip(reason="full counts: make soak"))


RUN = "EARLYBIRD_TEST_RUN"


def pytest_configure() -> None:
    """Give the run a folder that all its workers share; let its many commands start from compiled code."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    if RUN not in os.environ:
        os.environ[RUN] = tempfile.mkdtemp(prefix="earlybird-test-")
        Path(os.environ[RUN]).chmod(0o711)
        os.environ["EARLYBIRD_TEST_OWNER"] = str(os.getpid())


def pytest_unconfigure() -> None:
    """Leave no server and no folder behind."""
    if os.environ.get("EARLYBIRD_TEST_OWNER") == str(os.getpid()):
        shared = Path(os.environ[RUN])
        Embedded(shared / "pg").destroy()
        shutil.rmtree(shared, ignore_errors=True)


watch.begin()


@pytest.fixture(autouse=True)
def no_secret_leaks() -> Iterator[None]:
    """No secret made so far has turned up in a log or an answer."""
    watch.leaks.clear()
    yield
    assert watch.leaks == []


@pytest.fixture(scope="session")
def server() -> Iterator[Embedded]:
    """One embedded PostgreSQL for the run, shared by all workers."""
    shared = Path(os.environ[RUN])
    embedded = Embedded(shared / "pg", durable=False)
    with embedded.running():
        with (shared / "template.lock").open("w") as guard:
            fcntl.flock(guard, fcntl.LOCK_EX)
            done = shared / "template.done"
            if not done.exists():
                admin(embedded, f"CREATE DATABASE {TEMPLATE}")
                engine = db.connect(embedded.url(TEMPLATE))
                schema.upgrade(engine)
                engine.dispose()
                done.touch()
        yield embedded


def admin(embedded: Embedded, sql: str) -> None:
    """Run one statement outside any transaction on the maintenance database."""
    with psycopg.connect(embedded.url("postgres").replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(sql)


POOLS: dict[Path, Scratch] = {}


@contextmanager
def scratch(embedded: Embedded) -> Iterator[str]:
    """Yield the URL of a database of its own, migrated and empty."""
    with POOLS.setdefault(embedded.data_dir, Scratch(embedded)).lend() as url:
        yield url


@pytest.fixture(scope="session")
def worker_engine(server: Embedded) -> Iterator[Engine]:
    """The database that this worker's rolled-back tests share."""
    with scratch(server) as url:
        engine = db.connect(url)
        yield engine
        engine.dispose()


@pytest.fixture
def session(worker_engine: Engine) -> Iterator[Session]:
    """A session inside a transaction that is rolled back at the end."""
    with worker_engine.connect() as connection:
        outer = connection.begin()
        with Session(connection, expire_on_commit=False, join_transaction_mode="create_savepoint") as inner:
            yield inner
        outer.rollback()


@pytest.fixture
def fresh_url(server: Embedded) -> Iterator[str]:
    """The URL of an empty migrated database of the test's own, for commits, concurrency and crashes."""
    with scratch(server) as url:
        yield url


@pytest.fixture
def fresh(fresh_url: str) -> Iterator[Engine]:
    """An engine on `fresh_url`."""
    engine = db.connect(fresh_url)
    yield engine
    engine.dispose()


@pytest.fixture
def ctx() -> Ctx:
    """An admin at the console, on 15 January 2026, 17:30 in India."""
    return Ctx(actor=Actor(kind="user", name="Asha", role="admin", reaches=EVERYWHERE), now=NOW, via="console")


@pytest.fixture
def earlybird(fresh_url: str, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the real command line against `fresh_url`: earlybird("plan", "--on", "2026-01-16")."""

    def call(*words: str, now: datetime = NOW) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "EARLYBIRD_DATABASE_URL": fresh_url,
            "EARLYBIRD_NOW": now.isoformat(),
            "COLUMNS": "200",
        }
        return terminal.run(words, environment, tmp_path)

    return call
