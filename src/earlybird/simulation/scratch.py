"""A database that is made for one simulation and thrown away after it."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from earlybird import schema
from earlybird.infra.db import connect
from earlybird.infra.embedded import Embedded


@dataclass(frozen=True)
class Scratch:
    """Where the simulation lives: a migrated, empty database, and a folder for its files."""

    url: str
    folder: Path


@contextmanager
def scratch(server: str | None, keep: Path | None) -> Iterator[Scratch]:
    """Yield a scratch database: on `server`, a PostgreSQL URL, else an embedded one; dropped unless kept.

    Nothing else on a given server is touched. The embedded one gives up durability for speed.
    """
    folder = keep or Path(tempfile.mkdtemp(prefix="earlybird-simulation-"))
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        if keep is None:
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        if server is None:
            folder.chmod(0o711)  # the server's own account passes through
            embedded = Embedded(folder, durable=False)
            if keep is None:
                stack.callback(embedded.destroy)
            stack.enter_context(embedded.running())
            url = embedded.url("earlybird")
        else:
            url = stack.enter_context(_database(server, is_kept=keep is not None))
        engine = connect(url)
        schema.upgrade(engine)
        engine.dispose()
        yield Scratch(url, folder)


@contextmanager
def _database(server: str, *, is_kept: bool) -> Iterator[str]:
    name = f"earlybird_simulation_{uuid.uuid4().hex[:12]}"
    engine = connect(server)
    owner = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(owner, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    try:
        yield engine.url.set(database=name).render_as_string(hide_password=False)
    finally:
        engine.dispose()
        if not is_kept:
            with psycopg.connect(owner, autocommit=True) as connection:
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
