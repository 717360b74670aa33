"""How Alembic runs here: one advisory lock, short lock and statement timeouts, no half version."""

from types import SimpleNamespace
from typing import Any

from alembic import context
from sqlalchemy import Engine, text

from earlybird import wiring
from earlybird.infra.db import Table

LOCK_TIMEOUT = "4s"
STATEMENT_TIMEOUT = "30s"

engine: Engine | None = context.config.attributes.get("engine")


OF_STEPS = ("_held_fkey", "_held_check", "_hot_idx")
"""How the names of constraints and indexes end that a reversible step builds and takes away; no version knows them."""


def include(obj: object, name: str | None, kind: str, reflected: bool, other: object) -> bool:  # noqa: FBT001
    """Leave the queue's own tables to the queue, and to the steps what they build."""
    is_theirs = (kind == "table" and str(name).startswith("procrastinate")) or str(name).endswith(OF_STEPS)
    return not (reflected and is_theirs)


def _print_scripts() -> None:
    """Let the versions print what they would hand to the driver whole, and say which server they speak to."""
    printing = context.get_context()
    cursor = SimpleNamespace(execute=printing.impl.static_output)
    stand_in: Any = printing.bind
    stand_in.connection = SimpleNamespace(driver_connection=cursor)
    stand_in.dialect.server_version_info = (context.config.attributes.get("server_major", 18),)


def run() -> None:
    """Run the versions inside one transaction under the lock, or print them with --sql."""
    if context.is_offline_mode() or engine is None:
        context.configure(
            dialect_name="postgresql",
            target_metadata=Table.metadata,
            literal_binds=True,
            transaction_per_migration=True,
        )
        _print_scripts()
        context.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}'")
        context.execute(f"SET statement_timeout = '{STATEMENT_TIMEOUT}'")
        with context.begin_transaction():
            context.run_migrations()
        return
    with engine.connect() as connection:
        connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
        connection.execute(text(f"SET statement_timeout = '{STATEMENT_TIMEOUT}'"))
        connection.execute(text("SELECT pg_advisory_lock(hashtextextended('earlybird.schema', 0))"))
        connection.commit()
        try:
            context.configure(
                connection=connection,
                target_metadata=Table.metadata,
                include_object=include,
                compare_type=True,
                compare_server_default=False,
                transaction_per_migration=True,
            )
            with context.begin_transaction():
                context.run_migrations()
        finally:
            connection.rollback()
            connection.execute(text("SELECT pg_advisory_unlock(hashtextextended('earlybird.schema', 0))"))
            connection.execute(text("RESET lock_timeout"))
            connection.execute(text("RESET statement_timeout"))
            connection.commit()


assert wiring.TABLES
run()
