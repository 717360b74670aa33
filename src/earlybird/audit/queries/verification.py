"""The verification of the seals against rows, signatures and checkpoints."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from earlybird.audit.queries.seals import (
    BADLY_ERASED,
    FAULTS,
    IS_LATE,
    NOT_ACCEPTED,
    RANGES,
    ROW_DIGEST,
    as_line,
    bounds,
    seals_after,
)
from earlybird.audit.rules import BEGINNING, MOST_TOLD, Broken, Fault, Verdict, mark, seal_digest
from earlybird.infra import checkpoints
from earlybird.infra.checkpoints import Checkpoint, Torn, Trust
from earlybird.infra.db import Session, rows, run, value

BATCH_SEALS = 1000
BATCH_ROWS = 100_000

SUMS = f"""
SELECT z.seal_no, count(s.position) AS found, sha256(coalesce(string_agg(s.digest, ''::bytea ORDER BY s.position), ''))
           AS rows, count(*) FILTER (WHERE s.personal IS NOT NULL) AS erased,
       count(*) FILTER (WHERE s.position IS NOT NULL AND (a.id IS NULL OR s.seal_no <> z.seal_no
           OR {ROW_DIGEST} <> s.digest OR {BADLY_ERASED} OR ({IS_LATE} AND {NOT_ACCEPTED}))) AS faults
FROM ({RANGES}) z LEFT JOIN audit_seal_rows s ON s.position > z.after AND s.position <= z.last_position
LEFT JOIN audit_entries a ON a.id = s.audit_id
GROUP BY z.seal_no"""

GAPS = """
SELECT min(p) AS first, max(p) AS last FROM (
    SELECT p, p - row_number() OVER (ORDER BY p) AS island FROM generate_series(CAST(:after AS bigint) + 1, :last) p
    WHERE NOT EXISTS (SELECT FROM audit_seal_rows s WHERE s.position = p)) g GROUP BY island ORDER BY 1 LIMIT :most"""

MARKS = """SELECT position, audit_id, digest, mark FROM audit_seal_rows WHERE position > :after AND position <= :last
ORDER BY position"""

UNSEALED = f"""
SELECT a.id, a.at, u.audit_id IS NULL AS is_smuggled,
       (SELECT s.position FROM audit_seal_rows s WHERE s.audit_id < a.id ORDER BY s.audit_id DESC LIMIT 1) AS after
FROM audit_entries a LEFT JOIN unsealed_entries u ON u.audit_id = a.id
CROSS JOIN (SELECT CAST(:sealed_before AS timestamptz) AS sealed_before,
                   CAST(:made_before AS timestamptz) AS made_before) z
WHERE NOT EXISTS (SELECT FROM audit_seal_rows s WHERE s.audit_id = a.id)
  AND (u.audit_id IS NULL OR ({IS_LATE} AND {NOT_ACCEPTED}))
ORDER BY a.id LIMIT :most"""

LOST = """SELECT audit_id FROM unsealed_entries u WHERE NOT EXISTS (SELECT FROM audit_entries a WHERE a.id = u.audit_id)
ORDER BY 1 LIMIT :most"""


@dataclass
class _Lines:
    """The checkpoint file, read along with the seals; None where there is none."""

    lines: Iterator[Checkpoint | Torn] | None
    trust: Trust
    verdict: Verdict
    ahead: Checkpoint | None = None
    missing: list[int] = field(default_factory=list)

    def advance(self) -> None:
        """Read the next line that says something."""
        before, self.ahead = self.ahead, None
        for line in self.lines or ():
            if isinstance(line, Torn) or (before and line.seal <= before.seal):
                where = f"line {line.number}" if isinstance(line, Torn) else f"the line of seal {line.seal}"
                self.verdict.tell(
                    Broken(Fault.checkpoint_damaged, f"The checkpoint file is damaged: {where} does not belong there.")
                )
                continue
            self.ahead = line
            return

    def compare(self, seal: dict[str, Any]) -> None:
        """Hold one seal against its line."""
        number = seal["seal_no"]
        while self.ahead and self.ahead.seal < number:
            self._gone(self.ahead)
            self.advance()
        if self.ahead is None or self.ahead.seal > number:
            self.missing.append(number)
            return
        line = self.ahead
        if line != as_line(seal):
            if self.trust.fits(line):
                sentence = f"Seal {number} is not the one that was signed on {line.at} with {line.rows} rows so far."
                self.verdict.tell(Broken(Fault.checkpoint_differs, sentence, number))
            else:
                sentence = f"The checkpoint of seal {number} was changed in the file: its signature does not fit."
                self.verdict.tell(Broken(Fault.checkpoint_damaged, sentence, number))
        self.verdict.checkpoint = number
        self.advance()

    def _gone(self, line: Checkpoint) -> None:
        if self.trust.fits(line):
            sentence = f"Seal {line.seal} is gone; it was signed on {line.at} with {line.rows} rows so far."
            self.verdict.tell(Broken(Fault.truncated, sentence, line.seal))
        else:
            sentence = f"The checkpoint file holds a line for seal {line.seal} that nobody we trust has signed."
            self.verdict.tell(Broken(Fault.checkpoint_damaged, sentence, line.seal))

    def finish(self, last: dict[str, Any] | None, until: int) -> None:
        """Say what the file has and the chain has not (up to seal `until`), and the other way round."""
        gone: list[Checkpoint] = []
        while self.ahead and self.ahead.seal <= until:
            gone.append(self.ahead)
            self.advance()
        if gone and self.trust.fits(gone[-1]):
            number, position = (last["seal_no"], last["last_position"]) if last else (0, 0)
            sentence = (
                f"The newest seals are gone: {number + 1} to {gone[-1].seal}, with the rows at positions "
                f"{position + 1} to {gone[-1].rows}."
            )
            self.verdict.tell(Broken(Fault.truncated, sentence, number + 1, position + 1))
        else:
            for line in gone[:MOST_TOLD]:
                self._gone(line)
        is_behind_a_crash = last and self.missing == [last["seal_no"]]
        if self.missing and not is_behind_a_crash:
            what = "is cut or was changed" if self.lines is not None else "is lost, or kept elsewhere"
            sentence = (
                f"The checkpoint file {what}: it says nothing of {len(self.missing)} seals, the first of them "
                f"{self.missing[0]}. The rows are judged by the seals alone."
            )
            self.verdict.tell(Broken(Fault.checkpoint_missing, sentence))


def verify(session: Session, path: Path, trust: Trust, mark_key: Callable[[int], bytes] | None = None) -> Verdict:
    """Recompute every seal from the rows and hold it against signatures and checkpoints, all as of one moment.

    `mark_key` names the row where somebody recomputed the digests of a seal too; without the secret only the seal
    is named. Memory stays flat: the database does the sums, one batch of seals at a time.
    """
    verdict = Verdict()
    newest = checkpoints.newest(path)  # before the snapshot: what is in the file by now, the snapshot must have
    run(session, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
    run(session, "SET LOCAL enable_hashjoin = off")  # batches are small and go by position
    lines = _Lines(checkpoints.read(path) if path.exists() else None, trust, verdict)
    lines.advance()
    last: dict[str, Any] | None = None
    while seals := _batch(seals_after(session, last["seal_no"] if last else 0, BATCH_SEALS)):
        _check_batch(session, verdict, last, seals, mark_key)
        for before, seal in pairwise([last, *seals]):
            assert seal  # noqa: S101  # only the first may be none
            _check_seal(verdict, before, seal, trust)
            lines.compare(seal)
        last = seals[-1]
    lines.finish(last, newest.seal if newest else 0)
    run(session, "SET LOCAL enable_hashjoin = on")
    _check_outside(session, verdict, last)
    return verdict


def _batch(seals: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return as many of the seals as hold about a hundred thousand rows."""
    enough = seals[0]["last_position"] + BATCH_ROWS if seals else 0
    return seals[: next((n for n, seal in enumerate(seals, 1) if seal["last_position"] > enough), None)]


def _check_seal(verdict: Verdict, before: dict[str, Any] | None, seal: dict[str, Any], trust: Trust) -> None:
    """Check a seal's number, digest and signature; `rows` was computed by its batch."""
    number, expected = seal["seal_no"], (before["seal_no"] if before else 0) + 1
    verdict.seals += 1
    if number != expected:
        gone = f"Seal {expected} is" if number == expected + 1 else f"The seals {expected} to {number - 1} are"
        verdict.tell(Broken(Fault.deleted, f"{gone} gone from the middle of the chain.", expected))
    elif seal["really"] != bytes(seal["digest"]) and not seal["is_told"]:
        sentence = f"Seal {number} does not fit its rows and the seal before it."
        verdict.tell(Broken(Fault.chain_broken, sentence, number, seal["after"] + 1))
    if not trust.fits(as_line(seal)):
        known = {checkpoints.name_of(public) for public in trust.keys}
        why = "its signature does not fit" if seal["key"] in known else f"it is signed by another key ({seal['key']})"
        verdict.tell(Broken(Fault.not_signed, f"Seal {number} is not one of ours: {why}.", number))


def _check_batch(
    session: Session,
    verdict: Verdict,
    last: dict[str, Any] | None,
    seals: list[dict[str, Any]],
    mark_key: Callable[[int], bytes] | None,
) -> None:
    """Check the rows of some seals, and leave in each what its digest really is."""
    facts = bounds(last, seals[0]["seal_no"], seals[-1]["seal_no"])
    sums = {row["seal_no"]: row for row in rows(session, SUMS, facts)}
    suspects: list[dict[str, Any]] = []
    for before, seal in pairwise([last, *seals]):
        assert seal  # noqa: S101  # only the first may be none
        number, found = seal["seal_no"], sums[seal["seal_no"]]
        seal["after"] = before["last_position"] if before else 0
        seal["really"] = seal_digest(
            bytes(before["digest"]) if before else BEGINNING,
            number,
            sealed_at=seal["sealed_at"],
            made_at=seal["made_at"],
            last_position=seal["last_position"],
            rows=bytes(found["rows"]),
        )
        verdict.rows += found["found"]
        verdict.erased += found["erased"]
        told = verdict.count
        if found["found"] != seal["row_count"] or found["found"] != seal["last_position"] - seal["after"]:
            _tell_gaps(session, verdict, seal)
        if found["faults"]:
            suspects += rows(session, FAULTS, bounds(before, number, number) | {"most": MOST_TOLD})
            verdict.count += max(0, found["faults"] - MOST_TOLD)
        if seal["really"] != bytes(seal["digest"]) and mark_key is not None:
            known = {row["position"] for row in suspects}
            _tell_marks(session, verdict, seal, mark_key(number), known)
        seal["is_told"] = verdict.count > told or bool(found["faults"])
    verdict.tell(*(_broken(row, suspects) for row in suspects))


def _broken(row: dict[str, Any], suspects: list[dict[str, Any]]) -> Broken:
    position, key = row["position"], row["audit_id"]

    def told(fault: Fault, sentence: str) -> Broken:
        return Broken(fault, sentence, row["seal_no"], position, key)

    if row["is_gone"]:
        return told(Fault.deleted, f"The entry at position {position} was deleted.")
    if bytes(row["really"]) != bytes(row["digest"]):
        for other in suspects:
            if other is not row and _digest_at(other["position"], row) in (
                bytes(other["digest"]),
                bytes(row["digest"]),
            ):
                return told(Fault.swapped, f"Position {position} was swapped with position {other['position']}.")
        return told(Fault.edited, f"The entry at position {position} was edited after it was sealed.")
    if row["told"] != row["seal_no"]:
        return told(Fault.edited, f"Position {position} says it belongs to seal {row['told']}.")
    if row["is_badly_erased"]:
        return told(Fault.edited, f"The entry at position {position} was blanked without a record of the erasure.")
    sentence = f"The entry at position {position} says {row['at']}, well before the seal before it: it was added later."
    return told(Fault.late, sentence)


def _digest_at(position: int, row: dict[str, Any]) -> bytes:
    return hashlib.sha256(position.to_bytes(8, "big", signed=True) + bytes(row["entry"])).digest()


def _tell_gaps(session: Session, verdict: Verdict, seal: dict[str, Any]) -> None:
    facts = {"after": seal["after"], "last": seal["last_position"], "most": MOST_TOLD}
    gaps = rows(session, GAPS, facts)
    number = seal["seal_no"]
    for gap in gaps:
        first, last = gap["first"], gap["last"]
        where = f"Position {first} is" if first == last else f"The positions {first} to {last} are"
        verdict.tell(Broken(Fault.deleted, f"{where} gone from seal {number}.", number, first))
    if not gaps:
        counted = f"{seal['row_count']} rows"
        sentence = f"Seal {number} says it holds {counted}, its positions say otherwise."
        verdict.tell(Broken(Fault.chain_broken, sentence, number, seal["after"] + 1))


def _tell_marks(session: Session, verdict: Verdict, seal: dict[str, Any], key: bytes, known: set[int]) -> None:
    """Name the rows whose digests were made by somebody else."""
    for row in rows(session, MARKS, {"after": seal["after"], "last": seal["last_position"]}):
        position = row["position"]
        if position not in known and mark(key, position, bytes(row["digest"])) != bytes(row["mark"]):
            sentence = f"The entry at position {position} is not the one that was sealed there, though its digest fits."
            verdict.tell(Broken(Fault.edited, sentence, seal["seal_no"], position, row["audit_id"]))


def _check_outside(session: Session, verdict: Verdict, last: dict[str, Any] | None) -> None:
    """Look at what no seal holds: what waits, what was smuggled in, what vanished while it waited."""
    end = last["last_position"] if last else 0
    facts = bounds(last, 0, 0) | {"most": MOST_TOLD, "end": end}
    verdict.unsealed = value(session, "SELECT count(*) FROM unsealed_entries")
    beyond = "SELECT * FROM audit_seal_rows WHERE position > :end OR position < 1 ORDER BY position LIMIT :most"
    for row in rows(session, beyond, facts):
        sentence = f"Position {row['position']} is held by no seal: it was put there, or its seal taken away."
        verdict.tell(Broken(Fault.inserted, sentence, row["seal_no"], row["position"], row["audit_id"]))
    for row in rows(session, UNSEALED, facts):
        place = row["after"] or 0
        seal_no = value(session, "SELECT seal_no FROM audit_seal_rows WHERE position = :p", {"p": place})
        if row["is_smuggled"]:
            sentence = f"An entry was inserted behind position {place} with the triggers off, or its seal taken away."
            verdict.tell(Broken(Fault.inserted, sentence, seal_no, place, row["id"]))
        else:
            sentence = (
                f"An entry that is not sealed yet says {row['at']}, well before the newest seal: it was added later."
            )
            verdict.tell(Broken(Fault.late, sentence, seal_no, place, row["id"]))
    for row in rows(session, LOST, facts):
        verdict.tell(Broken(Fault.deleted, "An entry was deleted before it was sealed.", None, None, row["audit_id"]))
