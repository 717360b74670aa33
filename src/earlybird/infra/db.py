"""The database: the table base with its naming rules, and the only place that commits."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, ClassVar, cast
from uuid import UUID

import psycopg
from psycopg.conninfo import make_conninfo
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Date,
    DateTime,
    ForeignKey,
    MetaData,
    Numeric,
    Text,
    Uuid,
    create_engine,
    text,
)
from sqlalchemy import Engine as Engine  # noqa: PLC0414  as Session below
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import InternalError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.orm import Session as Session  # noqa: PLC0414  doors and pages name it from here

DatabaseDown = OperationalError
"""What a statement raises when the server is gone, refuses or times out."""

DatabaseRefused = InternalError
"""What a statement raises when its transaction cannot do that: write, where it may only look."""

NAMES = {
    "pk": "%(table_name)s_pkey",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "ck": "%(table_name)s_%(constraint_name)s_check",
    "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
    "ix": "%(table_name)s_%(column_0_N_name)s_idx",
}

Key = Annotated[UUID, mapped_column(Uuid, primary_key=True, server_default=text("new_id()"))]
"""A UUIDv7 primary key made by the database when the caller brings none."""

Instant = Annotated[datetime, mapped_column(DateTime(timezone=True))]
Now = Annotated[datetime, mapped_column(DateTime(timezone=True), server_default=text("now()"))]
Minor = Annotated[int, mapped_column(BigInteger)]
Quantity = Annotated[Decimal, mapped_column(Numeric(14, 3))]
UnitPrice = Annotated[Decimal, mapped_column(Numeric(14, 4))]
Rate = Annotated[Decimal, mapped_column(Numeric(7, 4))]
Json = Annotated[dict[str, Any], mapped_column(JSONB)]


class Table(DeclarativeBase):
    """The base of every table."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text,
        UUID: Uuid,
        date: Date,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
    }


def ref(target: str, *, index: bool = True, **options: Any) -> Mapped[Any]:
    """Return a foreign-key column to `table.column`, indexed unless another index leads with it."""
    return mapped_column(ForeignKey(target), index=index, **options)


def one_of(column: str, kinds: type[StrEnum] | tuple[str, ...]) -> CheckConstraint:
    """Return the CHECK that holds `column` to the listed words."""
    words = ", ".join(f"'{kind}'" for kind in kinds)
    return CheckConstraint(f"{column} IN ({words})", name=column)


ASKED_AGAIN = 0.05
"""Seconds between two tries for a lock that `alone` waits for."""

APPLICATION = "earlybird_app"
"""The database role of the web and the worker: it owns nothing, so what is append-only stays so."""


def connect(url: str, *, role: str | None = None, is_looking: bool = False, **options: Any) -> Engine:
    """Return an engine for a PostgreSQL URL in any of its spellings (psycopg 3, UTC).

    With `role` every connection acts as that database role; one that `is_looking` cannot write.
    """
    for scheme in ("postgresql://", "postgres://"):
        if url.startswith(scheme):
            url = "postgresql+psycopg://" + url.removeprefix(scheme)
    options.setdefault("pool_pre_ping", True)
    options.setdefault("connect_args", {})
    said = ["-c timezone=UTC", *([f"-c role={role}"] if role else [])]
    said += ["-c default_transaction_read_only=on"] if is_looking else []
    options["connect_args"].setdefault("options", " ".join(said))
    options["connect_args"].setdefault("application_name", "earlybird")
    return create_engine(url, **options)


def conninfo(engine: Engine) -> str:
    """Return how libpq reaches the engine's database, acting as the same role."""
    address = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with engine.connect() as connection:
        role = connection.execute(text("SELECT current_setting('role')")).scalar()
    return address if role == "none" else make_conninfo(address, options=f"-c role={role}")


def server_major(engine: Engine) -> int:
    """Return the server's major version, as 18."""
    with engine.connect() as connection:
        return int(connection.execute(text("SELECT current_setting('server_version_num')::int / 10000")).scalar() or 0)


def can_act_as_application(engine: Engine) -> bool:
    """Return whether this database has the application's role, with its rights, and lets us take it."""
    with engine.connect() as connection:
        found = connection.execute(
            text(
                "SELECT CASE WHEN current_setting('server_version_num')::int >= 160000 "
                "THEN pg_has_role(oid, 'SET') ELSE pg_has_role(oid, 'MEMBER') END "
                "AND has_table_privilege(oid, 'audit_entries', 'INSERT') FROM pg_roles WHERE rolname = :role"
            ),
            {"role": APPLICATION},
        ).scalar()
    return bool(found)


@contextmanager
def transaction(engine: Engine) -> Iterator[Session]:
    """Open one transaction; commit when the block ends, roll back when it raises."""
    with Session(engine, expire_on_commit=False) as session, session.begin():
        yield session


@contextmanager
def rehearsal(engine: Engine) -> Iterator[Session]:
    """Open one transaction that is rolled back whatever happens: for reading, and for dry runs."""
    with Session(engine, expire_on_commit=False) as session:
        try:
            yield session
        finally:
            session.rollback()


@contextmanager
def tried(session: Session) -> Iterator[None]:
    """Take back what the block writes when it ends; the transaction around it goes on: for dry runs in a request."""
    point = session.begin_nested()
    try:
        yield
    finally:
        point.rollback()


def driver(session: Session) -> psycopg.Connection[Any]:
    """Return the psycopg connection that `session` is using, for COPY and for jobs that join in."""
    raw = session.connection().connection.driver_connection
    return cast("psycopg.Connection[Any]", raw)


def run(session: Session, sql: str, facts: Mapping[str, Any] | None = None) -> int:
    """Execute one set-based statement and return how many rows it touched."""
    return int(getattr(session.execute(text(sql), dict(facts or {})), "rowcount", 0))


def rows(session: Session, sql: str, facts: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """Return the rows of one statement as dictionaries."""
    return [dict(row) for row in session.execute(text(sql), dict(facts or {})).mappings()]


def value(session: Session, sql: str, facts: Mapping[str, Any] | None = None) -> Any:
    """Return the first column of the first row, or None."""
    return session.execute(text(sql), dict(facts or {})).scalar()


def settled_later(session: Session) -> None:
    """Let this commit return before it is on disk: for batches that are repeated if a crash takes them back.

    The next ordinary commit makes it durable, as the log is written in order.
    """
    session.execute(text("SET LOCAL synchronous_commit = off"))


def as_history(session: Session) -> None:
    """Say that this transaction takes over what happened elsewhere: nobody outside is told of it."""
    session.execute(text("SET LOCAL earlybird.history = 'yes'"))


def whole_sets(session: Session) -> None:
    """Tell the planner that this transaction works on whole tables, whatever their statistics say yet."""
    session.execute(text("SET LOCAL enable_nestloop = off"))


def analyze(session: Session, *tables: str) -> None:
    """Refresh the planner's statistics from a small sample, after a bulk write that joins will follow."""
    session.execute(text("SET LOCAL default_statistics_target = 10"))
    for table in tables:
        session.execute(text(f"ANALYZE {table}"))


@contextmanager
def alone(engine: Engine, name: str, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the named advisory lock until the block ends; call `waiting` before waiting for whoever has it.

    It lives on a connection of its own, so that it spans all transactions of the block and dies with the process.
    Who waits asks again and again: a statement that waits keeps its snapshot, and an index built without blocking
    anybody waits for all older snapshots, so the two would wait for each other.
    """
    key = {"name": name}
    asked = text("SELECT pg_try_advisory_lock(hashtextextended(:name, 0))")
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if not connection.execute(asked, key).scalar():
            waiting()
            while not connection.execute(asked, key).scalar():
                time.sleep(ASKED_AGAIN)
        try:
            yield
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(hashtextextended(:name, 0))"), key)


@contextmanager
def tried_alone(engine: Engine, name: str) -> Iterator[bool]:
    """Hold the named advisory lock until the block ends, as `alone` does; yield False at once where somebody has it."""
    key = {"name": name}
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        is_ours = bool(
            connection.execute(text("SELECT pg_try_advisory_lock(hashtextextended(:name, 0))"), key).scalar()
        )
        try:
            yield is_ours
        finally:
            if is_ours:
                connection.execute(text("SELECT pg_advisory_unlock(hashtextextended(:name, 0))"), key)


def lock(session: Session, name: str) -> None:
    """Hold the named advisory lock until the transaction ends; wait for whoever has it."""
    session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name})
