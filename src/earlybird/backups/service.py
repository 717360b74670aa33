"""Keep the record of backups and drills, and refuse what must not begin without a proven one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.audit.states import Severity
from earlybird.backups import queries
from earlybird.backups.errors import BackupNotProven
from earlybird.backups.models import Backup
from earlybird.infra.db import rows
from earlybird.kernel.ctx import Ctx

STALE = "backup_stale"
FAILED = "backup_failed"
SUBJECT = "newest"


@dataclass(frozen=True, slots=True)
class Terms:
    """What is asked before data or tables are changed: nothing outside of production."""

    is_production: bool
    fresh_hours: int


def note(
    session: Session,
    ctx: Ctx,
    name: str,
    *,
    place: str,
    made_at: datetime,
    schema_version: str,
    byte_count: int,
    is_encrypted: bool,
    manifest_digest: str,
) -> Backup:
    """Keep the record of a backup that is whole."""
    row = Backup(
        name=name,
        place=place,
        made_at=made_at,
        schema_version=schema_version,
        byte_count=byte_count,
        is_encrypted=is_encrypted,
        manifest_digest=manifest_digest,
        proof={},
    )
    session.add(row)
    session.flush()  # its id is in the entry
    after = {"name": name, "place": place, "byte_count": byte_count, "is_encrypted": is_encrypted}
    audit.record(session, ctx, "backups.make", "backup", row.id, after=after)
    return row


def note_drill(session: Session, ctx: Ctx, name: str, *, wrong: Sequence[str], proof: Mapping[str, Any]) -> None:
    """Keep what a drill found; a backup that does not hold is a finding until a newer one does."""
    row = queries.by_name(session, name)
    row.drilled_at, row.is_proven, row.proof = ctx.now, not wrong, dict(proof)
    after = {"name": name, "is_proven": not wrong, "wrong": list(wrong)}
    audit.record(session, ctx, "backups.drill", "backup", row.id, after=after)
    if wrong:
        audit.report(session, ctx, FAILED, SUBJECT, f"The backup {name} does not hold: {wrong[0]}", facts=after)
    else:
        audit.resolve_many(session, ctx, FAILED, [SUBJECT])
        audit.resolve_many(session, ctx, STALE, [SUBJECT])


def note_removed(session: Session, ctx: Ctx, names: Sequence[str]) -> None:
    """Note that these backups are gone, as the retention asks."""
    gone = rows(
        session,
        "UPDATE backups SET removed_at = :now WHERE name = ANY(:names) AND removed_at IS NULL RETURNING id",
        {"now": ctx.now, "names": list(names)},
    )
    audit.record_many(session, ctx, "backups.remove", "backup", [row["id"] for row in gone])


def is_fresh(session: Session, ctx: Ctx, terms: Terms) -> bool:
    """Return whether there is a backup that a drill has proven and that is young enough."""
    made_at = queries.newest_proven_at(session)
    return made_at is not None and made_at >= ctx.now - timedelta(hours=terms.fresh_hours)


def require(session: Session, ctx: Ctx, what: str, terms: Terms, *, without: str | None = None) -> None:
    """Refuse `what` in production without a fresh, proven backup, unless a reason is given; the reason is audited.

    Raises `BackupNotProven`.
    """
    if not terms.is_production or is_fresh(session, ctx, terms):
        return
    if not without:
        raise BackupNotProven(what=what, hours=terms.fresh_hours)
    audit.record(session, ctx, "backups.do_without", "backup", after={"what": what}, reason=without)


def watch(session: Session, ctx: Ctx, terms: Terms) -> int:
    """Keep a finding while the newest proven backup is missing or too old; return whether it is."""
    is_late = terms.is_production and not is_fresh(session, ctx, terms)
    if is_late:
        title = f"No backup of the last {terms.fresh_hours} hours is proven."
        audit.report(session, ctx, STALE, SUBJECT, title, severity=Severity.error)
    else:
        audit.resolve_many(session, ctx, STALE, [SUBJECT])
    return int(is_late)
