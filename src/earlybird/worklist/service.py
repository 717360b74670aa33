"""Decide an item of the work list, and take a decision back to the byte."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.billing.service import adjustments
from earlybird.importers.models import WorklistChoice
from earlybird.infra.db import lock, rows, run, value
from earlybird.kernel import ids
from earlybird.kernel.ctx import Ctx
from earlybird.migrations.steps import delivery_to_order, login_to_customer
from earlybird.worklist import errors, queries
from earlybird.worklist.states import OPEN, Choice, Kind

Wrote = tuple[dict[str, Any], dict[str, Any]]
"""What a decision wrote: how it was before, how it is after."""


def resolve(
    session: Session, ctx: Ctx, item_id: UUID, *, choice: Choice, reason: str, target_id: UUID | None = None
) -> WorklistChoice:
    """Decide an item that waits. A link writes what the step would have written had it known.

    Raises NoSuchItem, AlreadyDecided, NotOpen, TargetMissing, NoCandidate, ReasonWanted.
    """
    if not reason.strip():
        raise errors.ReasonWanted(field="reason")
    lock(session, f"worklist:{item_id}")
    item = queries.find(session, item_id)
    if item["is_decided"]:
        raise errors.AlreadyDecided
    kind = Kind(item["kind"])
    if choice not in OPEN[kind]:
        raise errors.NotOpen(field="choice", kind=kind, open=", ".join(sorted(OPEN[kind])))
    if choice is Choice.link and target_id is None:
        raise errors.TargetMissing(field="target_id")
    if choice is not Choice.link and target_id is not None:
        raise errors.TargetNotWanted(field="target_id")
    before, after = _write(session, ctx, kind, item_id, choice, target_id, reason)
    made = WorklistChoice(
        id=ids.new_id(),
        kind=str(kind),
        subject_id=item_id,
        choice=str(choice),
        target_id=target_id,
        reason=reason,
        before=before,
        after=after,
        made_at=ctx.now,
        made_by=ctx.actor.name,
    )
    session.add(made)
    session.flush()  # whoever shows the item next reads it with SQL
    told = {"kind": str(kind), "choice": str(choice)} | ({"target_id": str(target_id)} if target_id else {})
    audit.record(
        session, ctx, "worklist.resolve", "worklist", item_id, before=before, after=told | after, reason=reason
    )
    return made


def undo(session: Session, ctx: Ctx, item_id: UUID, *, reason: str) -> WorklistChoice:
    """Take the standing decision about an item back: what it wrote is as it was before.

    Raises NotDecided, ChangedSince, ReasonWanted; AmountBilled when the amount stands on a document.
    """
    if not reason.strip():
        raise errors.ReasonWanted(field="reason")
    lock(session, f"worklist:{item_id}")
    made = (
        session.query(WorklistChoice)
        .filter(WorklistChoice.subject_id == item_id, WorklistChoice.undone_at.is_(None))
        .with_for_update()
        .one_or_none()
    )
    if made is None:
        queries.find(session, item_id)
        raise errors.NotDecided
    _take_back(session, ctx, made, reason)
    made.undone_at, made.undone_by, made.undone_reason = ctx.now, ctx.actor.name, reason
    session.flush()  # whoever shows the item next reads it with SQL
    audit.record(
        session, ctx, "worklist.undo", "worklist", item_id, before=made.after, after=made.before, reason=reason
    )
    return made


def _write(
    session: Session, ctx: Ctx, kind: Kind, item_id: UUID, choice: Choice, target_id: UUID | None, reason: str
) -> Wrote:
    if choice is Choice.link and target_id is not None:
        return (_link_delivery if kind is Kind.delivery else _link_login)(session, ctx, item_id, target_id)
    if kind is Kind.amount and choice is not Choice.keep:
        return _decide_amount(session, ctx, item_id, choice, reason)
    return {}, {}


CHOSEN_ORDER = """
CREATE TEMP TABLE judged ON COMMIT DROP AS
SELECT l.id, o.id AS order_id, 'linked' AS verdict, l.candidates
FROM legacy_deliveries l JOIN orders o ON o.id = :target_id
WHERE l.id = :id AND l.order_id IS NULL
  AND (l.candidates @> to_jsonb(o.id::text) OR o.customer_id = l.customer_id OR o.placed_by_id = l.user_id)
"""


def _link_delivery(session: Session, _ctx: Ctx, item_id: UUID, target_id: UUID) -> Wrote:
    """Let the step's own statement tie the row to the order; the next `steps apply 20` makes a stop it lacks."""
    run(session, "DROP TABLE IF EXISTS judged")
    run(session, CHOSEN_ORDER, {"id": item_id, "target_id": target_id})
    found = rows(session, delivery_to_order.CHANGED)
    if not found:
        raise errors.NoCandidate(field="target_id")
    run(session, delivery_to_order.LINK)
    before = {name: found[0]["before"][name] for name in ("order_id", "verdict")}
    return before, {"order_id": str(target_id), "verdict": "linked"}


CHOSEN_CUSTOMER = """
CREATE TEMP TABLE login_link ON COMMIT DROP AS
SELECT a.user_id, c.id AS customer_id, false AS is_own
FROM legacy_accounts a JOIN customers c ON c.id = :target_id AND c.archived_at IS NULL
WHERE a.user_id = :id AND a.candidates @> to_jsonb(c.id::text)
"""

NO_LOGIN = """
CREATE TEMP TABLE made_login (id uuid, membership_id uuid, customer_id uuid) ON COMMIT DROP
"""


def _link_login(session: Session, ctx: Ctx, item_id: UUID, target_id: UUID) -> Wrote:
    """Let the login join the customer as the step lets every proven login that is not the customer's only one."""
    run(session, "DROP TABLE IF EXISTS login_link, made_member, made_login")
    if not run(session, CHOSEN_CUSTOMER, {"id": item_id, "target_id": target_id}) and not value(
        session, "SELECT count(*) FROM login_link"
    ):
        raise errors.NoCandidate(field="target_id")
    run(session, login_to_customer.MADE_MEMBERS)
    run(session, NO_LOGIN)
    made = rows(session, "SELECT id FROM made_member")
    run(session, login_to_customer.MEMBERS, {"now": ctx.now})
    return {}, {"membership_ids": [str(row["id"]) for row in made]}


def _decide_amount(session: Session, ctx: Ctx, item_id: UUID, choice: Choice, reason: str) -> Wrote:
    before = rows(
        session,
        "SELECT state, state_at::text AS state_at, approver FROM adjustments WHERE id = :id FOR UPDATE",
        {"id": item_id},
    )[0]
    if choice is Choice.approve:
        row = adjustments.approve_adjustment(session, ctx, item_id)
    else:
        row = adjustments.waive_adjustment(session, ctx, item_id, reason=reason)
    return before, {"state": str(row.state)}


def _take_back(session: Session, ctx: Ctx, made: WorklistChoice, reason: str) -> None:
    facts = {"id": made.subject_id} | made.before
    if "order_id" in made.after:
        done = run(
            session,
            "UPDATE legacy_deliveries SET order_id = CAST(:order_id AS uuid), verdict = :verdict "
            "WHERE id = :id AND order_id = :target_id AND verdict = 'linked'",
            facts | {"target_id": made.target_id},
        )
        if done != 1:
            raise errors.ChangedSince
    elif "membership_ids" in made.after:
        done = run(
            session,
            "DELETE FROM memberships WHERE id = ANY(CAST(:ids AS uuid[])) AND ended_at IS NULL",
            {"ids": made.after["membership_ids"]},
        )
        if done != len(made.after["membership_ids"]):
            raise errors.ChangedSince
    elif "state" in made.after:
        now = value(session, "SELECT state FROM adjustments WHERE id = :id FOR UPDATE", facts)
        if now != made.after["state"]:
            raise errors.ChangedSince
        adjustments.reopen_adjustment(session, ctx, made.subject_id, reason=reason)
        run(session, "UPDATE adjustments SET state_at = CAST(:state_at AS timestamptz) WHERE id = :id", facts)
