"""Ask every question of one moment, and keep what was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.audit.models import Finding
from earlybird.audit.states import MACHINE, Severity
from earlybird.infra.db import rows, run
from earlybird.kernel.ctx import Ctx
from earlybird.reconcile.checks import BY_NAME, CHECKS
from earlybird.reconcile.errors import NoSuchCheck, NoSuchFinding
from earlybird.reconcile.rules import GRACE_SECONDS, Check


@dataclass(frozen=True, slots=True)
class Answer:
    """What one check found: nothing, one hopes."""

    check: Check
    found: Sequence[dict[str, Any]]

    @property
    def money(self) -> dict[str, int]:
        """The money of all its findings in minor units by currency, each counted as positive."""
        sums: dict[str, int] = {}
        for row in self.found:
            if row["currency"] and row["money_minor"]:
                sums[row["currency"]] = sums.get(row["currency"], 0) + abs(row["money_minor"])
        return sums

    @property
    def is_error(self) -> bool:
        """Whether it found something that must not be."""
        return bool(self.found) and self.check.severity == Severity.error


def snapshot(session: Session) -> None:
    """Let the transaction, from its first statement on, see one moment and write nothing."""
    run(session, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")


def ask(session: Session, ctx: Ctx, *, only: Sequence[str] | None = None) -> list[Answer]:
    """Ask every question, or those named; nothing is written. Raises NoSuchCheck for a name that is none."""
    facts = {"now": ctx.now, "grace": GRACE_SECONDS}
    for name in only or ():
        if name not in BY_NAME:
            raise NoSuchCheck(field="check", value=name)
    wanted = [check for check in CHECKS if only is None or check.name in only]
    return [Answer(check, rows(session, check.sql, facts)) for check in wanted]


def keep(session: Session, ctx: Ctx, answers: Sequence[Answer]) -> None:
    """Keep the findings: first seen, seen again, or resolved because this run did not see them."""
    for answer in answers:
        found = [
            row | {"severity": str(answer.check.severity), "customer_id": str(row["customer_id"] or "") or None}
            for row in answer.found
        ]
        audit.report_many(session, ctx, answer.check.name, found)
        audit.resolve_unseen(session, ctx, answer.check.name, [row["subject"] for row in found])
    audit.record(session, ctx, "reconcile.run", "finding", row_count=sum(len(answer.found) for answer in answers))


def accept(session: Session, ctx: Ctx, finding_id: UUID, *, reason: str) -> Finding:
    """Accept an open finding: known, explained, and no longer work; who accepted it is kept with the reason."""
    row = session.get(Finding, finding_id, with_for_update=True)
    if row is None:
        raise NoSuchFinding(finding=finding_id)
    audit.move(session, ctx, row, MACHINE, "accept", reason=reason)
    row.accepted_reason = reason
    row.accepted_by_id = ctx.actor.id
    session.flush()  # whoever shows it next reads it with SQL
    return row


def as_facts(answer: Answer) -> dict[str, Any]:
    """Return an answer as plain values."""
    check = answer.check
    return {
        "number": check.number,
        "name": check.name,
        "title": check.title,
        "severity": check.severity,
        "kind": check.kind,
        "ok": not answer.found,
        "count": len(answer.found),
        "money_minor": answer.money,
        "findings": list(answer.found),
    }
