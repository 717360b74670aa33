"""One clean month for all tests of a file; each rolls back what it plants."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from conftest import scratch
from earlybird.infra import db
from earlybird.infra.embedded import Embedded
from make.month import month


@pytest.fixture(scope="module")
def clean(server: Embedded) -> Iterator[Engine]:
    """A database of its own with the clean month committed."""
    with scratch(server) as url:
        engine = db.connect(url)
        with db.transaction(engine) as session:
            month(session)
        yield engine
        engine.dispose()


@pytest.fixture
def books(clean: Engine) -> Iterator[Session]:
    """The clean month with constraints and guards down."""
    with clean.connect() as connection:
        outer = connection.begin()
        with Session(connection, join_transaction_mode="create_savepoint") as session:
            session.execute(text("SET LOCAL session_replication_role = replica"))
            yield session
        outer.rollback()
