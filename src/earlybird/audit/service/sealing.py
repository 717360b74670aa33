"""Seal the trail, keep its checkpoints, erase personal details from it."""

from __future__ import annotations

from uuid import UUID

from earlybird.audit.errors import NothingToErase
from earlybird.audit.queries import seals
from earlybird.audit.rules import BEGINNING, instant, seal_digest
from earlybird.audit.service import record, report, report_many
from earlybird.audit.states import Severity
from earlybird.infra.checkpoints import Checkpoint, Checkpoints, Trust
from earlybird.infra.db import Engine, Session, lock, rows, run, transaction, value
from earlybird.kernel.ctx import Ctx

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
