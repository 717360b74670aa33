"""The tables, made by Alembic from inside the package, so an installed wheel can migrate."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from earlybird import wiring

TABLES = wiring.TABLES
"""Whoever opens the database knows every table: foreign keys point across slices."""


def config(engine: Engine) -> Config:
    """Return Alembic's configuration for this package and that database."""
    found = Config()
    found.set_main_option("script_location", str(Path(__file__).parent))
    found.attributes["engine"] = engine
    return found


def head() -> str:
    """Return the schema version this code is written for."""
    version = ScriptDirectory(str(Path(__file__).parent)).get_current_head()
    if version is None:
        raise RuntimeError("The package holds no schema versions.")
    return version


def current(engine: Engine) -> str | None:
    """Return the schema version the database stands at, None when it is empty."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def upgrade(engine: Engine) -> None:
    """Bring the database to `head()`; nothing happens when it is there already."""
    if current(engine) != head():
        command.upgrade(config(engine), "head")
