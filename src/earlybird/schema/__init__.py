"""The tables, made by Alembic from inside the package, so an installed wheel can migrate."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from earlybird import wiring
from earlybird.infra.db import alone
from earlybird.kernel.errors import NotFound, Unavailable
from earlybird.migrations import building
from earlybird.migrations.building import Version

TABLES = wiring.TABLES
"""Whoever opens the database knows every table: foreign keys point across slices."""

RUNS_ON = frozenset({"0004"})
"""The schema versions this code can run on. While one version expands and the next contracts, there are two."""

LOCK = "earlybird.migrating"
"""One process migrates at a time."""


class SchemaTooOld(Unavailable):
    """The database's tables are older than this program; earlybird migrate up brings them up to date."""


class SchemaUnknown(Unavailable):
    """The database's tables are of a version this program does not know; a newer program made them, so run that."""


class NoSuchVersion(NotFound):
    """There is no such schema version; earlybird migrate status shows them."""


def config(engine: Engine | None) -> Config:
    """Return Alembic's configuration for this package and that database; without one it only prints."""
    found = Config()
    found.set_main_option("script_location", str(Path(__file__).parent))
    found.attributes["engine"] = engine
    return found


def versions() -> list[str]:
    """Return every schema version, the oldest first."""
    scripts = ScriptDirectory(str(Path(__file__).parent))
    return [script.revision for script in scripts.walk_revisions()][::-1]


def both_ways() -> list[Version]:
    """Return every schema version with what it follows, and whether it does something up and down."""
    found = []
    for script in ScriptDirectory(str(Path(__file__).parent)).walk_revisions():
        before = script.down_revision or ()
        follows = (before,) if isinstance(before, str) else tuple(before)
        up, down = (getattr(script.module, way, None) for way in ("upgrade", "downgrade"))
        found.append(Version(script.revision, follows, _does_something(up), _does_something(down)))
    return found


def _does_something(way: Any) -> bool:
    """Return whether a function calls anything."""
    return way is not None and bool(way.__code__.co_names)


building.tell(versions=both_ways)


def head() -> str:
    """Return the schema version this code is written for."""
    return versions()[-1]


def current(engine: Engine) -> str | None:
    """Return the schema version the database stands at, None when it is empty."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def check(engine: Engine) -> None:
    """Refuse a database whose tables this code cannot run on; raise `SchemaTooOld` or `SchemaUnknown`."""
    version = current(engine)
    if version in RUNS_ON:
        return
    kind = SchemaTooOld if version is None or version in versions() else SchemaUnknown
    raise kind(database=version or "empty", program=", ".join(sorted(RUNS_ON)))


def prepare(engine: Engine, *, is_production: bool) -> None:
    """Bring the database to `head()`, then `check` it; in production only an empty one is brought by itself."""
    version = current(engine)
    if version is None or (not is_production and version in versions()):
        upgrade(engine)
    check(engine)


def upgrade(engine: Engine, to: str | None = None) -> None:
    """Bring the database up to `to`, or to `head()`; nothing happens when it is there already."""
    _known(to)
    if current(engine) != (to or head()):
        with alone(engine, LOCK):
            command.upgrade(config(engine), to or "head")


def downgrade(engine: Engine, to: str) -> None:
    """Take the database down to `to`, "base" for none of our tables; what only newer tables hold is lost."""
    _known(None if to == "base" else to)
    with alone(engine, LOCK):
        command.downgrade(config(engine), to)


def between(before: str | None, to: str | None = None) -> list[str]:
    """Return the versions after `before` up to `to` or `head()`; raise `NoSuchVersion`."""
    _known(before)
    _known(to)
    every = versions()
    start = every.index(before) + 1 if before else 0
    return every[start : every.index(to) + 1 if to else None]


def sql(before: str | None, to: str, *, server_major: int) -> str:
    """Return the statements that lead from one version up to another, as a server of that major would get them."""
    _known(before)
    _known(to)
    found = config(None)
    found.output_buffer = StringIO()
    found.attributes["server_major"] = server_major
    command.upgrade(found, f"{before or 'base'}:{to}", sql=True)
    return found.output_buffer.getvalue()


def _known(version: str | None) -> None:
    if version is not None and version not in versions():
        raise NoSuchVersion(field="version", value=version)
