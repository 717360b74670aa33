"""Record what happened, move states, report findings: with `sealing`, the only code that writes these tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

import orjson
from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

from earlybird.audit.errors import NoSuchFinding
from earlybird.audit.models import AuditEntry, Finding
from earlybird.audit.states import MACHINE, FindingState, Severity
from earlybird.infra.db import rows
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.states import Machine

PEOPLE = frozenset({"user", "link", "key"})
"""The kinds of actors whose changes are told one by one, however many come at once."""

_INTO = """
INSERT INTO audit_entries (at, actor_kind, actor_id, actor_name, role, via, address, device, trace_id, action, entity,
    entity_id, reason, before, after)
SELECT :now, {} :action, :entity, m.id, CAST(:reason AS text),"""
EACH = _INTO.format(
    ":actor_kind, CAST(:actor_id AS uuid), :actor_name, :role, :via, CAST(:address AS text), "
    "CAST(:device AS text), :trace_id,"
)
EACH_OWN = _INTO.format("w.actor_kind, w.actor_id, w.actor_name, w.role, w.via, w.address, w.device, w.trace_id,")
WHOSE = """JOIN json_to_recordset(CAST(:by AS json)) AS w(id uuid, actor_kind text, actor_id uuid, actor_name text,
    role text, via text, address text, device text, trace_id text) ON w.id = m.id"""

DIGEST = "encode(sha256(string_agg(uuid_send(id), ''::bytea ORDER BY id)), 'hex')"
"""The SHA-256 of the sorted ids of a bulk change."""


class Stateful(Protocol):
    """A row with a lifecycle."""

    id: Any
    state: Any
    state_at: Any


def record(
    session: Session,
    ctx: Ctx,
    action: str,
    entity: str,
    entity_id: UUID | None = None,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str | None = None,
    row_count: int = 1,
    digest: str | None = None,
    audit_id: UUID | None = None,
) -> None:
    """Write one audit entry in the caller's transaction; bulk work gives a count and a digest."""
    given = {} if audit_id is None else {"id": audit_id}
    session.execute(
        insert(AuditEntry).values(
            **given,
            **_circumstances(ctx),
            at=ctx.now,
            action=action,
            entity=entity,
            entity_id=entity_id,
            before=before,
            after=after,
            reason=reason,
            row_count=row_count,
            digest=digest,
        )
    )


def move(
    session: Session, ctx: Ctx, row: Stateful, machine: Machine[Any], verb: str, *, reason: str | None = None
) -> None:
    """Move one locked row along its machine and record it; refuse a move that is not open."""
    before = str(row.state)
    row.state = machine.target(type(machine.start)(before), verb)
    row.state_at = ctx.now
    record(
        session,
        ctx,
        f"{machine.name}.{verb}",
        machine.name,
        row.id,
        before={"state": before},
        after={"state": str(row.state)},
        reason=reason,
    )


def move_many(
    session: Session,
    ctx: Ctx,
    table: str,
    machine: Machine[Any],
    verb: str,
    ids: Sequence[UUID] | Sequence[str],
    *,
    reason: str | None = None,
    by: Sequence[Ctx] | None = None,
) -> list[UUID]:
    """Move every row of `ids` whose state allows it, in one statement; return those that moved.

    The set-based twin of `move`: same table of moves. What a person moves is told row by row, bulk work in one
    audit entry with count and digest. `by` says who moves each, at `ctx.now`, where many people do at once.
    """
    if not ids:
        return []
    sources, target = machine.moves[verb]
    own = _own(ctx, ids, by)
    facts = {
        "target": str(target),
        "now": ctx.now,
        "ids": "{" + ",".join(map(str, ids)) + "}",
        "sources": [str(s) for s in sources],
        "one_by_one": own is not None or _is_one_by_one(ctx, ids),
        "action": f"{machine.name}.{verb}",
        "entity": machine.name,
        "reason": reason,
        "by": own,
    }
    each, whose = (EACH, "") if own is None else (EACH_OWN, WHOSE)
    moved, digest = session.execute(
        text(
            f"WITH was AS MATERIALIZED (SELECT id, state FROM {table} WHERE id = ANY(CAST(:ids AS uuid[])) "
            "AND state = ANY(:sources) ORDER BY id FOR NO KEY UPDATE), "
            f"moved AS (UPDATE {table} t SET state = :target, state_at = :now FROM was WHERE t.id = was.id "
            "RETURNING t.id, was.state AS state), "
            f"told AS ({each} jsonb_build_object('state', m.state), jsonb_build_object('state', CAST(:target AS text)) "
            f"FROM moved m {whose} WHERE CAST(:one_by_one AS boolean)) "
            f"SELECT coalesce(array_agg(id), '{{}}'), {DIGEST} FROM moved"
        ),
        facts | _circumstances(ctx),
    ).one()
    if moved and not facts["one_by_one"]:
        record(
            session,
            ctx,
            f"{machine.name}.{verb}",
            machine.name,
            after={"state": str(target)},
            reason=reason,
            row_count=len(moved),
            digest=digest,
        )
    return list(moved)


def record_many(
    session: Session,
    ctx: Ctx,
    action: str,
    entity: str,
    ids: Sequence[UUID],
    *,
    reason: str | None = None,
    after: Mapping[str, Any] | None = None,
    by: Sequence[Ctx] | None = None,
) -> None:
    """Write what happened to many rows: one entry each for a person, else one with count and SHA-256 of sorted ids.

    `by` says who did each, at `ctx.now`, where many people did at once: then each gets an entry.
    """
    if not ids:
        return
    own = _own(ctx, ids, by)
    given = {"ids": "{" + ",".join(map(str, ids)) + "}"}
    if own is not None or _is_one_by_one(ctx, ids):
        facts = given | {"now": ctx.now, "action": action, "entity": entity, "reason": reason, "by": own}
        facts["after"] = None if after is None else orjson.dumps(after, default=str).decode()
        each, whose = (EACH, "") if own is None else (EACH_OWN, WHOSE)
        told = f"{each} NULL, CAST(:after AS jsonb) FROM unnest(CAST(:ids AS uuid[])) AS m(id) {whose}"
        session.execute(text(told), facts | _circumstances(ctx))
        return
    digest = session.execute(
        text(f"SELECT {DIGEST} FROM unnest(CAST(:ids AS uuid[])) AS i(id)"),
        given,
    ).scalar()
    record(session, ctx, action, entity, after=after, reason=reason, row_count=len(ids), digest=digest)


def _is_one_by_one(ctx: Ctx, ids: Sequence[Any]) -> bool:
    """Return whether each row gets an entry: what people do is told so, bulk work by count and digest."""
    return len(ids) == 1 or ctx.actor.kind in PEOPLE


def _own(ctx: Ctx, ids: Sequence[Any], by: Sequence[Ctx] | None) -> str | None:
    """Return who did what to each row, as JSON; None where one and the same did it all."""
    if by is None or all(one is ctx for one in by):
        return None
    return orjson.dumps([{"id": key, **_circumstances(one)} for key, one in zip(ids, by, strict=True)]).decode()


def _circumstances(ctx: Ctx) -> dict[str, Any]:
    return {
        "actor_kind": ctx.actor.kind,
        "actor_id": ctx.actor.id,
        "actor_name": ctx.actor.name,
        "role": ctx.actor.role,
        "via": ctx.via,
        "address": ctx.address,
        "device": ctx.device,
        "trace_id": ctx.trace_id,
    }


def change(
    session: Session,
    ctx: Ctx,
    row: Any,
    facts: Mapping[str, Any],
    *,
    action: str,
    entity: str,
    reason: str | None = None,
) -> bool:
    """Set the columns of one locked row that differ and record each before and after; return whether any did."""
    assert "state" not in facts  # noqa: S101  # a state moves
    old = {name: getattr(row, name) for name, new in facts.items() if getattr(row, name) != new}
    if not old:
        return False
    for name in old:
        setattr(row, name, facts[name])
    session.flush()  # so that what reads next sees the change
    record(
        session,
        ctx,
        action,
        entity,
        row.id,
        before=plain(old),
        after=plain({name: facts[name] for name in old}),
        reason=reason,
    )
    return True


def plain(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts as JSON can hold them."""
    kept = (int, str, list, dict, type(None))
    return {name: value if isinstance(value, kept) else str(value) for name, value in facts.items()}


def report(
    session: Session,
    ctx: Ctx,
    check_name: str,
    subject: str,
    title: str,
    *,
    severity: Severity = Severity.error,
    money_minor: int | None = None,
    currency: str | None = None,
    customer_id: UUID | None = None,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Keep a finding: first seen now, or seen again; a resolved one opens again."""
    report_many(
        session,
        ctx,
        check_name,
        [
            {
                "subject": subject,
                "title": title,
                "severity": str(severity),
                "money_minor": money_minor,
                "currency": currency,
                "customer_id": str(customer_id) if customer_id else None,
                "facts": dict(facts or {}),
            }
        ],
    )


OTHER_THAN_ACCEPTED = """
SELECT k.id FROM findings k
JOIN jsonb_to_recordset(CAST(:found AS jsonb)) AS f(subject text, money_minor bigint, currency text, facts jsonb)
  ON f.subject = k.subject
WHERE k.check_name = :check_name AND k.state = 'accepted'
  AND (k.facts, k.money_minor, k.currency) IS DISTINCT FROM (coalesce(f.facts, '{}'), f.money_minor, f.currency)
"""


def report_many(session: Session, ctx: Ctx, check_name: str, found: Sequence[Mapping[str, Any]]) -> None:
    """Keep many findings of one check: first seen now, or seen again.

    A resolved one opens again, and so does an accepted one when its facts or its money are other than when it was
    accepted: what was explained is not what is there now.
    """
    if not found:
        return
    from psycopg.types.json import Jsonb

    facts = {"check_name": check_name, "now": ctx.now, "found": Jsonb([dict(f) for f in found])}
    other = [row["id"] for row in rows(session, OTHER_THAN_ACCEPTED, facts)]
    if other:
        move_many(session, ctx, "findings", MACHINE, "reopen", other, reason="its facts are other than when accepted")
    session.execute(
        text(
            """
            INSERT INTO findings (check_name, subject, severity, title, money_minor, currency, customer_id,
                                  facts, first_seen_at, last_seen_at, state, state_at)
            SELECT :check_name, f.subject, f.severity, f.title, f.money_minor, f.currency, f.customer_id,
                   coalesce(f.facts, '{}'), :now, :now, 'open', :now
            FROM jsonb_to_recordset(CAST(:found AS jsonb)) AS f(subject text, severity text, title text,
                 money_minor bigint, currency text, customer_id uuid, facts jsonb)
            ON CONFLICT (check_name, subject) DO UPDATE SET
                severity = excluded.severity, title = excluded.title, money_minor = excluded.money_minor,
                currency = excluded.currency, customer_id = excluded.customer_id, facts = excluded.facts,
                last_seen_at = excluded.last_seen_at,
                state = CASE findings.state WHEN 'resolved' THEN 'open' ELSE findings.state END,
                state_at = CASE findings.state WHEN 'resolved' THEN excluded.last_seen_at
                                ELSE findings.state_at END,
                accepted_reason = CASE findings.state WHEN 'accepted' THEN findings.accepted_reason END,
                accepted_by_id = CASE findings.state WHEN 'accepted' THEN findings.accepted_by_id END
            """
        ),
        facts,
    )


def accept(session: Session, ctx: Ctx, check_name: str, subject: str, *, reason: str) -> None:
    """Take a finding as it is, for a reason; it is not asked about again."""
    row = session.scalar(
        select(Finding).where(Finding.check_name == check_name, Finding.subject == subject).with_for_update()
    )
    if row is None or row.state != FindingState.open:
        raise NoSuchFinding(field="subject", subject=subject)
    row.accepted_reason, row.accepted_by_id = reason, ctx.actor.id
    move(session, ctx, row, MACHINE, "accept", reason=reason)


def resolve_many(session: Session, ctx: Ctx, check_name: str, subjects: Sequence[str]) -> int:
    """Close the findings of a check about these subjects, which no longer holds of them; return how many."""
    closed = rows(
        session,
        "UPDATE findings SET state = 'resolved', state_at = :now WHERE check_name = :check_name "
        "AND state <> 'resolved' AND subject = ANY(:subjects) RETURNING id",
        {"now": ctx.now, "check_name": check_name, "subjects": list(subjects)},
    )
    return len(closed)


def resolve_unseen(session: Session, ctx: Ctx, check_name: str, seen: Sequence[str]) -> int:
    """Close the open findings of a check that this run did not see again; return how many."""
    closed = rows(
        session,
        "UPDATE findings SET state = 'resolved', state_at = :now WHERE check_name = :check_name "
        "AND state <> 'resolved' AND NOT (subject = ANY(:seen)) RETURNING id",
        {"now": ctx.now, "check_name": check_name, "seen": list(seen)},
    )
    return len(closed)
