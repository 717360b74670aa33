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
