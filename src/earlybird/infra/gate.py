"""The gate before every write: closed while an emergency is dealt with, whoever closed it and whatever became of them.

A row says that writing is stopped, since when and why; it outlives the process that wrote it. A lock makes it exact:
each write holds it shared for its transaction, each job and command for as long as it runs, and who closes the gate
takes it alone. Nobody waits at the gate: a write is refused, a job comes again, a command may only look.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import Text, text
from sqlalchemy.orm import Mapped, mapped_column

from earlybird.infra.db import Engine, Instant, Key, Session, Table
from earlybird.kernel.errors import Unavailable

LOCK = "earlybird.writing"
RETRY_SECONDS = 30

IS_OPEN = "SELECT {}(hashtextextended(:lock, 0)) AND NOT EXISTS (SELECT FROM write_stops WHERE lifted_at IS NULL)"
BY_TRANSACTION = text(IS_OPEN.format("pg_try_advisory_xact_lock_shared"))
BY_SESSION = text(IS_OPEN.format("pg_try_advisory_lock_shared"))


class WritingStopped(Unavailable):
    """Writing is stopped for a moment; reading goes on. Send it again later."""


class WriteStop(Table):
    """One time that writing was stopped: by whom, why, from when to when."""

    __tablename__ = "write_stops"

    id: Mapped[Key]
    reason: Mapped[str] = mapped_column(Text)
    actor_name: Mapped[str]
    stopped_at: Mapped[Instant]
    lifted_at: Mapped[datetime | None]


def enter(session: Session) -> None:
    """Hold the gate open until this transaction ends; raise `WritingStopped` where it is closed."""
    if not session.execute(BY_TRANSACTION, {"lock": LOCK}).scalar():
        raise WritingStopped(retry_after=RETRY_SECONDS)


@contextmanager
def entered(engine: Engine) -> Iterator[bool]:
    """Hold the gate open for the length of a block, on a connection of its own; yield False where it is closed."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        is_open = bool(connection.execute(BY_SESSION, {"lock": LOCK}).scalar())
        try:
            yield is_open
        finally:
            connection.execute(text("SELECT pg_advisory_unlock_all()"))
