"""What steps that enforce share: which constraints and triggers a table has, and how they are let go."""

from __future__ import annotations

from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from earlybird.infra.db import rows, run

LET_GO = """
DO $$
BEGIN
    PERFORM set_config('lock_timeout', '80ms', true);
    IF EXISTS (SELECT FROM pg_constraint WHERE conrelid = to_regclass('{table}') AND conname = '{name}') THEN
        ALTER TABLE {table} DROP CONSTRAINT {name};
    END IF;
    IF EXISTS (SELECT FROM pg_trigger WHERE tgrelid = to_regclass('{table}') AND tgname = '{name}') THEN
        DROP TRIGGER {name} ON {table};
    END IF;
END $$
"""


def constraints(session: Session, table: str) -> dict[str, bool]:
    """Return the checks and foreign keys of a table by name, with whether each is proven for every row."""
    found = rows(
        session,
        "SELECT conname, convalidated FROM pg_constraint "
        "WHERE conrelid = to_regclass(:table) AND contype IN ('c', 'f')",
        {"table": table},
    )
    return {row["conname"]: row["convalidated"] for row in found}


def triggers(session: Session, table: str) -> set[str]:
    """Return the names of a table's triggers that are awake."""
    asked = (
        "SELECT tgname FROM pg_trigger WHERE tgrelid = to_regclass(:table) AND NOT tgisinternal AND tgenabled <> 'D'"
    )
    return {row["tgname"] for row in rows(session, asked, {"table": table})}


def settle(session: Session) -> None:
    """Ask what waits for the end of the transaction now: a table with such questions open takes no constraint."""
    run(session, "SET CONSTRAINTS ALL IMMEDIATE")


def let_go(connection: Connection, table: str, name: str) -> None:
    """Drop what holds a table under that name, in a transaction of its own that waits 80 ms at most for its lock."""
    connection.exec_driver_sql(LET_GO.format(table=table, name=name))
