"""What a seal covers, as SQL, and the seals as they stand."""

from __future__ import annotations

from typing import Any

from earlybird.audit.rules import LATE, MOST_TOLD, instant
from earlybird.infra.checkpoints import Checkpoint
from earlybird.infra.db import Session, rows

KEPT = ("id", "at", "actor_kind", "actor_id", "role", "via", "trace_id", "action", "entity", "entity_id", "row_count",
        "digest")  # fmt: skip
"""The columns of an entry that stay whatever is erased."""

PERSONAL = ("actor_name", "address", "device", "before", "after", "reason")
"""The columns of an entry that may hold personal details: their digest is salted, so that they can be erased."""

PERSONAL_DIGEST = (
    "sha256(coalesce(s.salt, ''::bytea) || record_send(ROW(" + ", ".join(f"a.{name}" for name in PERSONAL) + ")))"
)
ENTRY = "record_send(ROW(" + ", ".join(f"a.{name}" for name in KEPT) + f")) || coalesce(s.personal, {PERSONAL_DIGEST})"
ROW_DIGEST = f"sha256(int8send(s.position) || sha256({ENTRY}))"
"""The digest of a row: SHA-256 over its position and its entry, in PostgreSQL's binary form."""

IS_LATE = f"""(substr(a.id::text, 15, 1) <> '7' OR a.at < z.sealed_before - interval '{LATE.total_seconds()} seconds'
    OR to_timestamp(('x' || translate(left(a.id::text, 13), '-', ''))::bit(48)::bigint / 1000.0)
       < z.made_before - interval '{LATE.total_seconds()} seconds')"""
"""Whether an entry says a time, or has a key, from well before the seal before its own."""

LATE_CHECK = "audit_late_entry"
NOT_ACCEPTED = f"""NOT EXISTS (SELECT FROM findings f WHERE f.check_name = '{LATE_CHECK}' AND f.subject = a.id::text
    AND f.state = 'accepted')"""

BLANK = "a.actor_name = '' AND num_nonnulls(a.before, a.after, a.address, a.device, a.reason) = 0"
BADLY_ERASED = f"""(s.salt IS NULL AND s.personal IS NOT NULL AND NOT ({BLANK} AND EXISTS (
    SELECT FROM audit_entries e WHERE e.id = s.erased_by_id AND e.action = 'audit.erase')))"""

RANGES = """SELECT seal_no, last_position, lag(last_position, 1, CAST(:position AS bigint)) OVER w AS after,
    lag(sealed_at, 1, CAST(:sealed_before AS timestamptz)) OVER w AS sealed_before,
    lag(made_at, 1, CAST(:made_before AS timestamptz)) OVER w AS made_before
    FROM audit_seals WHERE seal_no BETWEEN :first AND :last WINDOW w AS (ORDER BY seal_no)"""

FAULTS = f"""
SELECT s.position, s.seal_no AS told, z.seal_no, s.audit_id, s.digest, a.id IS NULL AS is_gone, {ROW_DIGEST} AS really,
       sha256({ENTRY}) AS entry, {BADLY_ERASED} AS is_badly_erased, {IS_LATE} AND {NOT_ACCEPTED} AS is_late, a.at,
       z.sealed_before
FROM ({RANGES}) z JOIN audit_seal_rows s ON s.position > z.after AND s.position <= z.last_position
LEFT JOIN audit_entries a ON a.id = s.audit_id
WHERE a.id IS NULL OR s.seal_no <> z.seal_no OR {ROW_DIGEST} <> s.digest OR {BADLY_ERASED}
   OR ({IS_LATE} AND {NOT_ACCEPTED})
ORDER BY s.position LIMIT :most"""

LATE_ENTRIES = f"""
SELECT s.position, s.audit_id, a.at
FROM ({RANGES}) z JOIN audit_seal_rows s ON s.position > z.after AND s.position <= z.last_position
JOIN audit_entries a ON a.id = s.audit_id WHERE {IS_LATE} ORDER BY s.position LIMIT :most"""


def as_line(seal: dict[str, Any]) -> Checkpoint:
    """Return the checkpoint of a seal as its row says it."""
    return Checkpoint(
        seal=seal["seal_no"],
        digest=bytes(seal["digest"]).hex(),
        rows=seal["last_position"],
        at=instant(seal["sealed_at"]),
        key=seal["key"],
        signature=bytes(seal["signature"]).hex(),
    )


def last_seal(session: Session) -> dict[str, Any] | None:
    """Return the newest seal."""
    return next(iter(rows(session, "SELECT * FROM audit_seals ORDER BY seal_no DESC LIMIT 1")), None)


def seals_after(session: Session, seal_no: int, limit: int) -> list[dict[str, Any]]:
    """Return the seals that follow one, in their order."""
    facts = {"seal_no": seal_no, "limit": limit}
    return rows(session, "SELECT * FROM audit_seals WHERE seal_no > :seal_no ORDER BY seal_no LIMIT :limit", facts)


def newest(session: Session, limit: int) -> list[Checkpoint]:
    """Return the checkpoints of the newest seals, newest first."""
    found = rows(session, "SELECT * FROM audit_seals ORDER BY seal_no DESC LIMIT :limit", {"limit": limit})
    return [as_line(seal) for seal in found]


def late_entries(session: Session, seal_no: int) -> list[dict[str, Any]]:
    """Return the entries of a seal that say a time from well before the seal before it."""
    last = rows(session, "SELECT * FROM audit_seals WHERE seal_no = :n - 1", {"n": seal_no})
    facts = bounds(last[0] if last else None, seal_no, seal_no)
    return rows(session, LATE_ENTRIES, facts | {"most": MOST_TOLD})


def bounds(before: dict[str, Any] | None, first: int, last: int) -> dict[str, Any]:
    """Return what `RANGES` names: the seals from `first` to `last`, and the one before them."""
    return {
        "position": before["last_position"] if before else 0,
        "sealed_before": before["sealed_at"] if before else None,
        "made_before": before["made_at"] if before else None,
        "first": first,
        "last": last,
    }
