"""What the proof's pages show: customers' months with the old system beside, and findings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.audit.states import FindingState, Severity
from earlybird.infra.db import rows
from earlybird.kernel.clock import Month
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.pages import Page
from earlybird.reconcile import leakage
from earlybird.reconcile.errors import CustomerUnknown, NoSuchFinding


@dataclass(frozen=True, slots=True)
class CustomerMonth:
    """One customer's month in minor units. `asked_minor` is what was billed, here or by the old system."""

    month: str
    currency: str
    customer_id: UUID | None
    name: str
    code: str
    delivered_minor: int
    asked_minor: int
    waived_minor: int
    not_yet_due_minor: int
    lost_minor: int
    over_minor: int
    is_legacy: bool


def customer_months(session: Session, ctx: Ctx) -> list[CustomerMonth]:
    """Return every customer's month: a taken-over month as the old system asked for it, any other as the proof has it.

    The old system's bill is its first view, the one people were sent.
    """
    people = {row["id"]: (row["name"], row["code"]) for row in rows(session, "SELECT id, name, code FROM customers")}
    legacy = rows(
        session,
        "SELECT party, month, customer_id, currency, delivered_minor, first_view_minor FROM legacy_bills "
        "WHERE delivered_minor <> 0 OR first_view_minor <> 0",
    )
    taken = {(row["customer_id"], row["month"]) for row in legacy if row["customer_id"]}
    found = []
    for row in legacy:
        name, code = people.get(row["customer_id"], (f"Account {row['party'].removeprefix('user:')}", ""))
        gap = row["delivered_minor"] - row["first_view_minor"]
        found.append(
            CustomerMonth(
                month=row["month"],
                currency=row["currency"],
                customer_id=row["customer_id"],
                name=name,
                code=code,
                delivered_minor=row["delivered_minor"],
                asked_minor=row["first_view_minor"],
                waived_minor=0,
                not_yet_due_minor=0,
                lost_minor=max(gap, 0),
                over_minor=max(-gap, 0),
                is_legacy=True,
            )
        )
    for line in leakage.prove(session, ctx):
        month = f"{line.month:%Y-%m}"
        if (line.customer_id, month) in taken:
            continue
        name, code = people.get(line.customer_id, ("Unknown customer", ""))
        found.append(
            CustomerMonth(
                month=month,
                currency=line.currency,
                customer_id=line.customer_id,
                name=name,
                code=code,
                delivered_minor=line.delivered_minor,
                asked_minor=line.billed_minor,
                waived_minor=line.waived_minor + line.excluded_minor,
                not_yet_due_minor=line.not_yet_due_minor,
                lost_minor=line.lost_minor,
                over_minor=line.over_minor,
                is_legacy=False,
            )
        )
    return found


def customer(session: Session, customer_id: UUID) -> dict[str, Any]:
    """Return a customer's id, name and code."""
    found = rows(session, "SELECT id, name, code, phone FROM customers WHERE id = :id", {"id": customer_id})
    if not found:
        raise CustomerUnknown
    return found[0]


def legacy_bill(session: Session, customer_id: UUID, month: Month) -> dict[str, Any] | None:
    """Return what the old system asked that customer for that month, None where it was not asked."""
    found = rows(
        session,
        "SELECT min(currency) AS currency, sum(delivered_minor)::bigint AS delivered_minor, "
        "sum(one_time_minor)::bigint AS one_time_minor, sum(first_view_minor)::bigint AS first_view_minor, "
        "sum(second_view_minor)::bigint AS second_view_minor, sum(paid_minor)::bigint AS paid_minor "
        "FROM legacy_bills WHERE customer_id = :customer_id AND month = :month HAVING count(*) > 0",
        {"customer_id": customer_id, "month": str(month)},
    )
    return found[0] if found else None


FINDINGS = """
SELECT f.id, f.check_name, f.subject, f.severity, f.title, f.money_minor, f.currency, f.customer_id, f.facts,
       f.first_seen_at, f.last_seen_at, f.state, f.state_at, f.accepted_reason, u.name AS accepted_by
FROM findings f LEFT JOIN users u ON u.id = f.accepted_by_id
"""


def page_findings(
    session: Session,
    *,
    after: UUID | None,
    limit: int,
    check: str | None = None,
    state: FindingState | None = None,
    severity: Severity | None = None,
) -> Page[dict[str, Any]]:
    """Return findings, the last one first seen at the top."""
    facts = {"after": after, "limit": limit + 1, "check_name": check, "state": state, "severity": severity}
    wanted = ["f.id < :after"] if after else []
    wanted += [f"f.{name} = :{name}" for name in ("check_name", "state", "severity") if facts[name]]
    where = f"WHERE {' AND '.join(wanted)}" if wanted else ""
    found = rows(session, f"{FINDINGS} {where} ORDER BY f.id DESC LIMIT :limit", facts)
    return Page(found[:limit], found[limit - 1]["id"] if len(found) > limit else None)


def show_finding(session: Session, finding_id: UUID) -> dict[str, Any]:
    """Return a finding."""
    found = rows(session, f"{FINDINGS} WHERE f.id = :id", {"id": finding_id})
    if not found:
        raise NoSuchFinding
    return found[0]


def findings(session: Session) -> list[dict[str, Any]]:
    """Return the open errors and warnings by check, the gravest first."""
    return rows(
        session,
        "SELECT check_name, severity, count(*) AS count, min(title) AS example FROM findings WHERE state = 'open' "
        "GROUP BY 1, 2 ORDER BY array_position(ARRAY['error', 'warning', 'info'], severity), count(*) DESC",
    )
