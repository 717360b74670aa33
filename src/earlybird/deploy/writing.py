"""Stop all writing for a while, and let it go on: what an emergency begins and ends with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from earlybird.audit import service as audit
from earlybird.deploy.errors import WritersBusy, WritingIsOpen, WritingIsStopped
from earlybird.infra import db, gate
from earlybird.infra.db import Engine, Session
from earlybird.kernel.ctx import Ctx

CHECK = "writing_stopped"
SUBJECT = "everything"
OPEN = "SELECT id, reason, actor_name, stopped_at FROM write_stops WHERE lifted_at IS NULL"
HOLDERS = """SELECT string_agg(format('%s (process %s, since %s)', a.application_name, a.pid,
    to_char(a.backend_start, 'HH24:MI:SS')), ', ') FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.mode = 'ShareLock' AND l.granted
  AND (l.classid::bigint << 32 | l.objid::bigint) = hashtextextended(:lock, 0)
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"""


def standing(session: Session) -> dict[str, Any] | None:
    """Return since when writing is stopped, by whom and why; None where it goes on."""
    found = db.rows(session, OPEN)
    return found[0] if found else None


@contextmanager
def _alone(engine: Engine, patience: float) -> Iterator[None]:
    """Hold the gate alone, once those who are writing have ended; raise `WritersBusy` when they do not in time.

    From the moment this waits nobody new comes through.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"SET lock_timeout = {int(patience * 1000)}"))
        try:
            connection.execute(text("SELECT pg_advisory_lock(hashtextextended(:lock, 0))"), {"lock": gate.LOCK})
        except OperationalError as failure:
            connection.rollback()
            who = connection.execute(text(HOLDERS), {"lock": gate.LOCK}).scalar()
            raise WritersBusy(writing=who) from failure
        finally:
            connection.execute(text("RESET lock_timeout"))
        try:
            yield
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(hashtextextended(:lock, 0))"), {"lock": gate.LOCK})


def stop(engine: Engine, ctx: Ctx, *, reason: str, patience: float) -> None:
    """Stop writing until `allow`, whatever becomes of this process; wait `patience` seconds for those who write.

    Raises `WritingIsStopped`, `WritersBusy`.
    """
    with _alone(engine, patience):
        _note_stop(engine, ctx, reason)


def _note_stop(engine: Engine, ctx: Ctx, reason: str) -> None:
    with db.transaction(engine) as session:
        if standing(session):
            raise WritingIsStopped
        session.add(gate.WriteStop(reason=reason, actor_name=ctx.actor.name, stopped_at=ctx.now))
        audit.record(session, ctx, "writing.stop", "write_stop", reason=reason)
        title = f"{ctx.actor.name} stopped all writing: {reason}"
        audit.report(session, ctx, CHECK, SUBJECT, title, facts={"reason": reason})


def allow(engine: Engine, ctx: Ctx, *, reason: str | None = None) -> None:
    """Let writing go on; raise `WritingIsOpen` where nobody stopped it."""
    with db.transaction(engine) as session:
        lifted = db.run(session, "UPDATE write_stops SET lifted_at = :now WHERE lifted_at IS NULL", {"now": ctx.now})
        if not lifted:
            raise WritingIsOpen
        audit.record(session, ctx, "writing.allow", "write_stop", reason=reason)
        audit.resolve_many(session, ctx, CHECK, [SUBJECT])


@contextmanager
def stopped(engine: Engine, ctx: Ctx, *, reason: str, patience: float) -> Iterator[None]:
    """Hold all writing back for a block, alone; one that a crash left stopped is taken over.

    The block says itself when writing may go on (`allow`): where it fails, or dies, writing stays stopped.
    """
    with _alone(engine, patience):
        with db.rehearsal(engine) as session:
            is_left = standing(session) is not None
        if not is_left:
            _note_stop(engine, ctx, reason)
        yield
