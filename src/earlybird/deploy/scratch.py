"""A backup brought back beside the live database, for as long as somebody looks at it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import text

from earlybird.deploy import restore
from earlybird.deploy.folder import Whole
from earlybird.infra import db
from earlybird.infra.db import Engine
from earlybird.infra.security import Keys


@contextmanager
def restored(engine: Engine, whole: Whole, key: Keys | None, purpose: str) -> Iterator[Engine]:
    """Yield an engine on a new database of the same server that holds the backup; it is dropped in the end.

    What a crash left of an earlier one for the same purpose is dropped first.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        own = connection.execute(text("SELECT oid FROM pg_database WHERE datname = current_database()")).scalar()
        name = f"earlybird_{purpose}_{own}"
        connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template0"))
    found = db.connect(engine.url.set(database=name).render_as_string(hide_password=False))
    try:
        restore.database(whole, found, key)
        yield found
    finally:
        found.dispose()
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
