"""Record what happened, move states, report findings: the only code that writes these tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import insert, text
from sqlalchemy.orm import Session

from earlybird.audit.models import AuditEntry
from earlybird.audit.states import Severity
from earlybird.infra.db import rows
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.states import Machine

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
) -> None:
    """Write one audit entry in the caller's transaction; bulk work gives a count and a digest."""
    session.execute(
        insert(AuditEntry).values(
            at=ctx.now,
            actor_kind=ctx.actor.kind,
            actor_id=ctx.actor.id,
            actor_name=ctx.actor.name,
            role=ctx.actor.role,
            via=ctx.via,
            address=ctx.address,
            device=ctx.device,
            trace_id=ctx.trace_id,
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
) -> list[UUID]:
    """Move every row of `ids` whose state allows it, in one statement; return those that moved.

    The set-based twin of `move`: same table of moves, one audit entry with count and digest; a lone row is named.
    """
    if not ids:
        return []
    sources, target = machine.moves[verb]
    moved, digest = session.execute(
        text(
            f"WITH moved AS (UPDATE {table} SET state = :target, state_at = :now "
            "WHERE id = ANY(CAST(:ids AS uuid[])) AND state = ANY(:sources) RETURNING id) "
            f"SELECT coalesce(array_agg(id), '{{}}'), {DIGEST} FROM moved"
        ),
        {
            "target": str(target),
            "now": ctx.now,
            "ids": "{" + ",".join(map(str, ids)) + "}",
            "sources": [str(s) for s in sources],
        },
    ).one()
    if moved:
        record(
            session,
            ctx,
            f"{machine.name}.{verb}",
            machine.name,
            moved[0] if len(moved) == 1 else None,
            after={"state": str(target)} if len(moved) == 1 else None,
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
) -> None:
    """Write one entry for a bulk change: how many rows, and the SHA-256 of their sorted ids; a lone row is named."""
    if len(ids) == 1:
        record(session, ctx, action, entity, ids[0], after=after, reason=reason)
        return
    digest = session.execute(
        text(f"SELECT {DIGEST} FROM unnest(CAST(:ids AS uuid[])) AS i(id)"),
        {"ids": "{" + ",".join(map(str, ids)) + "}"},
    ).scalar()
    record(session, ctx, action, entity, after=after, reason=reason, row_count=len(ids), digest=digest)


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


def report_many(session: Session, ctx: Ctx, check_name: str, found: Sequence[Mapping[str, Any]]) -> None:
    """Keep many findings of one check in one statement."""
    if not found:
        return
    from psycopg.types.json import Jsonb

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
                                ELSE findings.state_at END
            """
        ),
        {"check_name": check_name, "now": ctx.now, "found": Jsonb([dict(f) for f in found])},
    )


def resolve_unseen(session: Session, ctx: Ctx, check_name: str, seen: Sequence[str]) -> int:
    """Close the open findings of a check that this run did not see again; return how many."""
    closed = rows(
        session,
        "UPDATE findings SET state = 'resolved', state_at = :now WHERE check_name = :check_name "
        "AND state <> 'resolved' AND NOT (subject = ANY(:seen)) RETURNING id",
        {"now": ctx.now, "check_name": check_name, "seen": list(seen)},
    )
    return len(closed)
