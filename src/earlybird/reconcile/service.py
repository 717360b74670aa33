"""Ask every question of one moment, and keep what was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.audit.states import Severity
from earlybird.infra.db import rows, run
from earlybird.kernel.ctx import Ctx
from earlybird.reconcile.checks import CHECKS
from earlybird.reconcile.rules import GRACE_SECONDS, Check


@dataclass(frozen=True, slots=True)
class Answer:
    """What one check found: nothing, one hopes."""

    check: Check
    found: Sequence[dict[str, Any]]

    @property
    def money_minor(self) -> int:
        """The money of all its findings, each counted as positive."""
        return sum(abs(found["money_minor"] or 0) for found in self.found)

    @property
    def is_error(self) -> bool:
        """Whether it found something that must not be."""
        return bool(self.found) and self.check.severity == Severity.error


def snapshot(session: Session) -> None:
    """Let the transaction, from its first statement on, see one moment and write nothing."""
    run(session, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")


def ask(session: Session, ctx: Ctx) -> list[Answer]:
    """Ask every question; nothing is written."""
    facts = {"now": ctx.now, "grace": GRACE_SECONDS}
    return [Answer(check, rows(session, check.sql, facts)) for check in CHECKS]


def keep(session: Session, ctx: Ctx, answers: Sequence[Answer]) -> None:
    """Keep the findings: first seen, seen again, or resolved because this run did not see them."""
    for answer in answers:
        found = [
            row | {"severity": str(answer.check.severity), "customer_id": str(row["customer_id"] or "") or None}
            for row in answer.found
        ]
        audit.report_many(session, ctx, answer.check.name, found)
        audit.resolve_unseen(session, ctx, answer.check.name, [row["subject"] for row in found])
