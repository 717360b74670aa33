"""Record what happened, seal it, move states, report findings: the only code that writes these tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import insert, text
from sqlalchemy.orm import Session

from earlybird.audit.errors import NothingToErase
from earlybird.audit.models import AuditEntry
from earlybird.audit.queries import seals
from earlybird.audit.rules import BEGINNING, instant, seal_digest
from earlybird.audit.states import Severity
from earlybird.infra.checkpoints import Checkpoint, Checkpoints, Trust
from earlybird.infra.db import Engine, lock, rows, run, transaction, value
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.states import Machine

SEAL_ROWS = 100_000
"""The most entries one seal holds."""

WRITE_LINES = 10_000
"""The most checkpoints written at once."""

SEAL = f"""
WITH waiting AS MATERIALIZED (
    SELECT u.audit_id FROM unsealed_entries u WHERE EXISTS (SELECT FROM audit_entries a WHERE a.id = u.audit_id)
    ORDER BY u.audit_id LIMIT :limit),
taken AS (DELETE FROM unsealed_entries u USING waiting w WHERE u.audit_id = w.audit_id RETURNING u.audit_id),
s AS MATERIALIZED (
    SELECT audit_id, CAST(:after AS bigint) + row_number() OVER (ORDER BY audit_id) AS position,
           uuid_send(gen_random_uuid()) AS salt, CAST(NULL AS bytea) AS personal
    FROM taken),
digested AS MATERIALIZED (
    SELECT s.audit_id, s.position, s.salt, {seals.ROW_DIGEST} AS digest
    FROM s JOIN audit_entries a ON a.id = s.audit_id),
kept AS (
    INSERT INTO audit_seal_rows (audit_id, seal_no, position, digest, mark, salt)
    SELECT audit_id, CAST(:seal_no AS bigint), position, digest,
           substr(sha256(CAST(:mark_key AS bytea) || int8send(position) || digest), 1, 16), salt
    FROM digested ORDER BY position RETURNING position, digest)
SELECT count(*) AS count, sha256(coalesce(string_agg(digest, ''::bytea ORDER BY position), '')) AS rows,
       clock_timestamp() AS made_at
FROM kept"""

ERASE = f"""
WITH wanted AS MATERIALIZED (
    SELECT s.audit_id, {seals.PERSONAL_DIGEST} AS digest
    FROM audit_seal_rows s JOIN audit_entries a ON a.id = s.audit_id
    WHERE s.salt IS NOT NULL AND a.action <> 'audit.erase'
      AND ((a.entity = :entity AND a.entity_id = :id) OR a.actor_id = :id)),
forgotten AS (
    UPDATE audit_seal_rows s SET salt = NULL, personal = w.digest, erased_by_id = :by_id FROM wanted w
    WHERE w.audit_id = s.audit_id RETURNING s.audit_id)
UPDATE audit_entries a SET actor_name = '', address = NULL, device = NULL, before = NULL, after = NULL, reason = NULL
FROM forgotten f WHERE f.audit_id = a.id"""

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

    The set-based twin of `move`: same table of moves, one audit entry with count and digest.
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
    """Write one entry for a bulk change: how many rows, and the SHA-256 of their sorted ids."""
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


def seal(session: Session, ctx: Ctx, checkpoints: Checkpoints) -> int:
    """Seal the entries that wait and are committed, at most a hundred thousand; return how many.

    Entries of transactions that are still open fall into a later seal. One chain: whoever
    seals at the same moment waits. The checkpoint is to be written once this is committed (`unwritten`).
    """
    lock(session, "audit.seal")
    last = seals.last_seal(session)
    number = last["seal_no"] + 1 if last else 1
    after = last["last_position"] if last else 0
    facts = {"after": after, "seal_no": number, "limit": SEAL_ROWS, "mark_key": checkpoints.mark_key(number)}
    found = rows(session, SEAL, facts)[0]
    if not found["count"]:
        return 0
    position = after + found["count"]
    digest = seal_digest(
        bytes(last["digest"]) if last else BEGINNING,
        number,
        sealed_at=ctx.now,
        made_at=found["made_at"],
        last_position=position,
        rows=bytes(found["rows"]),
    )
    signature, key = checkpoints.sign(number, digest.hex(), position, instant(ctx.now))
    run(
        session,
        "INSERT INTO audit_seals (seal_no, sealed_at, made_at, row_count, last_position, digest, signature, key) "
        "VALUES (:seal_no, :now, :made_at, :count, :position, :digest, :signature, :key)",
        {
            "seal_no": number,
            "now": ctx.now,
            "made_at": found["made_at"],
            "count": found["count"],
            "position": position,
            "digest": digest,
            "signature": signature,
            "key": key,
        },
    )
    late = seals.late_entries(session, number)
    report_many(
        session,
        ctx,
        seals.LATE_CHECK,
        [
            {
                "subject": str(row["audit_id"]),
                "title": f"An audit entry says {row['at']}, well before the seal before its own: added later?",
                "severity": str(Severity.warning),
                "facts": {"seal": number, "position": row["position"]},
            }
            for row in late
        ],
    )
    return int(found["count"])


def unwritten(session: Session, ctx: Ctx, checkpoints: Checkpoints) -> list[Checkpoint]:
    """Return the checkpoints that the file does not have yet: a crash left one out, or the file was lost.

    Nothing is written behind a line that does not fit the chain, and no seal without our signature: both are findings.
    """
    newest = checkpoints.newest()
    after = newest.seal if newest else 0
    if newest is not None:
        stands = next(iter(seals.seals_after(session, after - 1, 1)), None)
        if stands is None or seals.as_line(stands) != newest:
            sentence = f"The checkpoint of seal {after} is not that seal: run earlybird audit verify."
            report(session, ctx, "audit_checkpoint", "differs", sentence)
            return []
    found = seals.seals_after(session, after, WRITE_LINES)
    lines = [seals.as_line(one) for one in found]
    trust = Trust((checkpoints.public,))
    for line in lines:
        if not trust.fits(line):
            sentence = f"Seal {line.seal} is not signed by us: run earlybird audit verify."
            report(session, ctx, "audit_checkpoint", "not signed", sentence)
            return []
    if len(lines) > 1 and value(
        session, "SELECT clock_timestamp() - :at > interval '10 min'", {"at": found[0]["made_at"]}
    ):
        sentence = (
            f"The checkpoint file had lost {len(lines)} lines from seal {lines[0].seal} on; they were written again."
        )
        report(session, ctx, "audit_checkpoint", "missing", sentence, severity=Severity.warning)
    return lines


def erase(session: Session, ctx: Ctx, entity: str, entity_id: UUID, *, reason: str) -> int:
    """Erase the personal details in the sealed entries about a thing, or by an actor of that id; return how many.

    Names, addresses, devices, before, after and reason go; what was done, when and under which id stays, and the
    seals still verify: the salted digest of what was erased is kept, its salt is not. Entries that wait for
    their seal are left: seal first.
    """
    by_id = value(session, "SELECT new_id()")
    run(session, "SET LOCAL earlybird.erasing = 'on'")
    count = run(session, ERASE, {"entity": entity, "id": entity_id, "by_id": by_id})
    run(session, "SET LOCAL earlybird.erasing = ''")
    if not count:
        raise NothingToErase(field="entity")
    record(session, ctx, "audit.erase", entity, entity_id, reason=reason, row_count=count, audit_id=by_id)
    return count


def seal_all(engine: Engine, ctx: Ctx, checkpoints: Checkpoints) -> int:
    """Seal everything that waits, each seal committed and then written to the file; return how many entries.

    What a crash kept from the file is written first.
    """
    write_checkpoints(engine, ctx, checkpoints)
    sealed = 0
    while True:
        with transaction(engine) as session:
            count = seal(session, ctx, checkpoints)
        if not count:
            return sealed
        sealed += count
        write_checkpoints(engine, ctx, checkpoints)


def write_checkpoints(engine: Engine, ctx: Ctx, checkpoints: Checkpoints) -> None:
    """Write the checkpoints of committed seals that the file does not have."""
    while True:
        with transaction(engine) as session:
            lines = unwritten(session, ctx, checkpoints)
        checkpoints.append(lines)
        if len(lines) < WRITE_LINES:
            return
