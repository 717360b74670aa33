"""A business taken over without its steps, made once per worker and copied for each test."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine

from conftest import admin
from earlybird import schema
from earlybird.importers import earlybird as legacy
from earlybird.infra import db
from earlybird.infra.embedded import Embedded
from earlybird.migrations import service as steps
from make import decay
from make.scratch import TEMPLATE
from migrations import clients, content

HOUSEHOLDS = 3
"""A seed whose dump has something of everything and takes a second."""


@contextmanager
def copied(server: Embedded, template: str) -> Iterator[Engine]:
    """Yield an engine on a copy of a database that nobody is connected to."""
    name = "s_" + uuid.uuid4().hex[:12]
    admin(server, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
    engine = db.connect(server.url(name))
    try:
        yield engine
    finally:
        engine.dispose()
        admin(server, f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def taken_over(server: Embedded, folder: Path, seed: int) -> Iterator[Engine]:
    """Yield an engine on a database of its own with the dump of a seed taken over, no step applied."""
    with copied(server, TEMPLATE) as engine:
        assert schema.current(engine) == schema.head()
        legacy.take_over(engine, content.IMPORTER, decay.write(seed, folder / "dump"), link=None)
        yield engine


@pytest.fixture(scope="session")
def untied(server: Embedded, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of a database with a decayed dump taken over, no step applied."""
    with taken_over(server, tmp_path_factory.mktemp("dump"), HOUSEHOLDS) as engine:
        engine.dispose()
        yield str(engine.url.database)


@pytest.fixture
def taken(server: Embedded, untied: str) -> Iterator[Engine]:
    """A copy of its own of the business taken over."""
    with copied(server, untied) as engine:
        yield engine


@pytest.fixture
def another(server: Embedded, untied: str) -> Callable[[], object]:
    """What opens one more copy."""
    return lambda: copied(server, untied)


@pytest.fixture(scope="session")
def tied(server: Embedded, untied: str) -> Iterator[Callable[[], object]]:
    """What opens a copy of the business with every step applied and a day planned."""
    name = "w_" + uuid.uuid4().hex[:12]
    admin(server, f"CREATE DATABASE {name} TEMPLATE {untied} STRATEGY file_copy")
    engine = db.connect(server.url(name))
    for step in steps.STEPS:
        steps.apply(engine, content.IMPORTER, step)
    clients.plan_the_day(engine)
    engine.dispose()
    yield lambda: copied(server, name)
    admin(server, f"DROP DATABASE {name} WITH (FORCE)")
