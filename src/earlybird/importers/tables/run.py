"""Bring a table in: chunk by chunk, each in a transaction of its own, every row in or kept with its reason.

A chunk that the database refuses is halved until the row stands alone that it refuses. Killed at any
instant, the same command goes on: what is in is found again, by its key, and left as it is.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TextIO
from uuid import UUID

from sqlalchemy import Engine
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.catalog import service as catalog
from earlybird.importers.errors import NoSuchBusiness, OtherCurrency
from earlybird.importers.tables import home as homes
from earlybird.importers.tables.cells import Unfit
from earlybird.importers.tables.columns import Problem, Row
from earlybird.importers.tables.guard import guarded
from earlybird.importers.tables.home import Home
from earlybird.importers.tables.kinds import Kind, Piece, Written, as_json
from earlybird.importers.tables.reading import Cell, Formula, Table, open_table
from earlybird.importers.tables.reading.files import AFTERTHOUGHTS, LONGEST_CELL, check_header
from earlybird.infra import db, fields
from earlybird.infra.db import run, value
from earlybird.kernel import ids
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.errors import Conflict, Failure, Invalid, NotFound
from earlybird.territory import service as territory

CHUNK = 1_000
"""Rows in one transaction."""

SHOWN = 10_000
"""Refused rows that an answer lists; the file of refused rows and the database hold them all."""

Progress = Callable[[str, int, int], None]


@dataclass
class Outcome:
    """What became of a table. Counts are of pieces (customers, orders); `rows`, `refused`, `kept` of rows."""

    kind: str
    business: str
    currency: str
    rows: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    kept: Counter[str] = field(default_factory=Counter)
    kept_minor: Counter[str] = field(default_factory=Counter)
    file_minor: int = 0
    refused_minor: int = 0
    rejections: list[dict[str, Any]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def as_facts(self) -> dict[str, Any]:
        """Return the outcome as an answer."""
        return {
            "kind": self.kind,
            "business": self.business,
            "rows": self.rows,
            **{name: self.counts[name] for name in ("created", "changed", "same")},
            "refused": self.refused,
            "kept": sum(self.kept.values()),
            "counts": {k: v for k, v in self.counts.items() if k not in {"created", "changed", "same"}},
            "kept_because": dict(self.kept),
            **self.facts,
            "notes": self.notes,
            "rejections": self.rejections,
        }


def take(
    engine: Engine,
    ctx: Ctx,
    kind: Kind,
    path: Path,
    *,
    business: str | None = None,
    dry_run: bool = False,
    errors: TextIO | None = None,
    progress: Progress = lambda _what, _done, _count: None,
    first_hash: str | None = None,
) -> Outcome:
    """Bring the rows of a file in; with `dry_run` all in one transaction that is taken back.

    Refused rows are written to `errors`: as they were, with line, field and rule. Raises TableUnreadable before
    anything is written, and what `homes.find_home` raises.
    """
    table = _opened(kind, path)
    with contextlib.ExitStack() as stack:
        held = stack.enter_context(db.rehearsal(engine)) if dry_run else None
        with _transaction(engine, held) as session:
            home = replace(_find_home(session, ctx, kind, business), first_hash=first_hash)
        stack.enter_context(db.alone(engine, f"import tables {home.name}"))
        taking = _Taking(engine, ctx, kind, table, home, held, _Errors(errors, table.header), progress)
        return taking.take()


def take_within(
    session: Session,
    ctx: Ctx,
    kind: Kind,
    path: Path,
    *,
    business: str | None = None,
    dry_run: bool = False,
    first_hash: str | None = None,
) -> Outcome:
    """Bring the rows of a file in inside the caller's transaction, as a door does; with `dry_run` nothing stays."""
    table = _opened(kind, path)
    savepoint = session.begin_nested()
    home = replace(_find_home(session, ctx, kind, business), first_hash=first_hash)
    db.lock(session, f"import tables {home.name}")
    quiet: Progress = lambda _what, _done, _count: None  # noqa: E731
    outcome = _Taking(None, ctx, kind, table, home, session, _Errors(None, table.header), quiet).take()
    if dry_run:
        savepoint.rollback()
    return outcome


def _opened(kind: Kind, path: Path) -> Any:
    """Open the table and hold its header to the columns of its kind."""
    table = kind.source(path) if kind.source else open_table(path, set(kind.columns.known))
    check_header(table.header, set(kind.columns.known), kind.columns.missing(table.header))
    kind.columns.place(table.header)
    return table


@contextlib.contextmanager
def _transaction(engine: Engine | None, held: Session | None) -> Iterator[Session]:
    if held is not None:
        yield held
        return
    assert engine is not None  # noqa: S101
    with db.transaction(engine) as session:
        yield session


def _find_home(session: Session, ctx: Ctx, kind: Kind, name: str | None) -> Home:
    """Return the business the table is for; a mapping of another system's table may open one of its own."""
    if kind.opens is None:
        return homes.find_home(session, ctx.now, name)
    title, country, zone = kind.opens
    found = homes.find_homes(session, ctx.now, name)
    fitting = [home for home in found if home.currency == kind.currency]
    if not fitting and name and found:
        raise OtherCurrency(field="business", currency=found[0].currency, table=kind.currency)
    if not fitting and name:
        raise NoSuchBusiness(field="business", business=name)
    if not fitting:
        territory.open_business(session, ctx, title, currency=kind.currency or "", country=country, zone=zone)
        session.flush()  # the query below finds it
        fitting = homes.find_homes(session, ctx.now, title)
    return fitting[0]


class _Errors:
    """The file of refused rows: the table's own columns, then line, field and rule."""

    def __init__(self, out: TextIO | None, header: Sequence[str]) -> None:
        self.places = [place for place, name in enumerate(header) if name not in AFTERTHOUGHTS]
        self.writer = csv.writer(out, lineterminator="\r\n") if out else None
        if self.writer:
            self.writer.writerow([*(header[place] for place in self.places), "line", "field", "rule"])

    def write(self, row: Row, problem: Problem) -> None:
        if self.writer:
            cells = [row.cells[place] if place < len(row.cells) else None for place in self.places]
            self.writer.writerow([*map(_shown, cells), row.line, problem.field or "", problem.rule])


def _shown(cell: Cell) -> str:
    return guarded(_plain(cell))


def _plain(cell: Cell) -> str:
    """Return any cell as text that a database and a file can hold."""
    if cell is None:
        return ""
    text = cell.text if isinstance(cell, Formula) else str(cell)
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


@dataclass
class _Taking:
    """One table on its way in."""

    engine: Engine | None
    ctx: Ctx
    kind: Kind
    table: Table
    home: Home
    held: Session | None
    errors: _Errors
    progress: Progress

    def take(self) -> Outcome:
        self.outcome = Outcome(self.kind.name, self.home.name, self.home.currency, notes=list(self.table.notes))
        self.places = self.kind.columns.place(self.table.header)
        self.seen: dict[int, tuple[int, int]] = {}
        with _transaction(self.engine, self.held) as session:
            catalog.seed_units(session)
            self.run_id = self._open_run(session)
        chunk: list[Piece] = []
        size = 0
        for piece in self._pieces():
            chunk.append(piece)
            size += len(piece.rows)
            if size >= CHUNK:
                self._bring(chunk)
                chunk, size = [], 0
        self._bring(chunk)
        with _transaction(self.engine, self.held) as session:
            if self.kind.finish:
                self.outcome.facts = self.kind.finish(session, self.ctx, self.home, self.outcome.counts)
            if self.kind.measure:
                self._total()
            run(
                session,
                "UPDATE import_runs SET phase = 'done', finished_at = coalesce(finished_at, :now) "
                "WHERE id = :id AND phase <> 'done'",
                {"now": self.ctx.now, "id": self.run_id},
            )
        return self.outcome

    def _open_run(self, session: Session) -> UUID:
        """Find the run of this very file into this business, or open one."""
        digest = hashlib.sha256(f"{self.table.digest} {self.home.business_id}".encode()).hexdigest()
        run_id = ids.new_id()
        bound = {
            "id": run_id,
            "source": f"table {self.kind.name}",
            "folder": self.table.path.name,
            "digest": digest,
            "now": self.ctx.now,
        }
        found: UUID | None = value(
            session, "SELECT id FROM import_runs WHERE source = :source AND digest = :digest ORDER BY id LIMIT 1", bound
        )
        if found is not None:
            return found
        run(
            session,
            "INSERT INTO import_runs (id, source, folder, digest, phase, started_at) "
            "VALUES (:id, :source, :folder, :digest, 'reading', :now)",
            bound,
        )
        audit.record(
            session, self.ctx, "imports.run", "import", run_id, after={"kind": self.kind.name, "digest": digest}
        )
        return run_id

    def _pieces(self) -> Iterator[Piece]:
        """Yield rows that stand together, in the order in which the last of each stands in the file."""
        together = self.kind.together
        if together is None:
            for line, cells in self.table.rows():
                yield Piece([Row(line, cells)])
            return
        names = {name for name, column in self.kind.columns.known.items() if column.name == together}
        place = next(i for i, name in enumerate(self.table.header) if name in names)
        awaited = Counter(_key(cells, place) for _, cells in self.table.rows())
        waiting: dict[str, list[Row]] = {}
        for line, cells in self.table.rows():
            key = _key(cells, place)
            gathered = waiting.setdefault(key, [])
            gathered.append(Row(line, cells))
            if not key or len(gathered) == awaited[key]:
                yield Piece(waiting.pop(key))

    def _bring(self, chunk: Sequence[Piece]) -> None:
        if not chunk:
            return
        verdict = Written()
        good = [piece for piece in chunk if self._is_fit(piece, verdict)]
        with _transaction(self.engine, self.held) as session:
            if self.held is None:
                db.settled_later(session)
            verdict.add(self._write(session, good))
            self._keep(session, chunk, verdict)
        self._count(chunk, verdict)

    def _is_fit(self, piece: Piece, verdict: Written) -> bool:
        """Judge the rows of a piece on their own; one refused row refuses the piece."""
        broken: Problem | None = None
        for row in piece.rows:
            problems = self._judged(row)
            if problems:
                rule = "; ".join(
                    [problems[0].rule, *(f"{p.field}: {p.rule}" if p.field else p.rule for p in problems[1:])]
                )
                verdict.refused[row.line] = broken = Problem(problems[0].field, rule)
        if broken:
            for row in piece.rows:
                verdict.refused.setdefault(
                    row.line, Problem(self.kind.together, "Another row of the same was refused.")
                )
            return False
        return self._is_new(piece, verdict)

    def _judged(self, row: Row) -> list[Problem]:
        wanted = len(self.table.header)
        is_text = all(cell is None or isinstance(cell, str) for cell in row.cells)
        if len(row.cells) > wanted and any(cell not in {None, ""} for cell in row.cells[wanted:]):
            return [Problem(None, f"The row has {len(row.cells)} cells, the header {wanted}.")]
        if is_text and len(row.cells) < wanted and not any(cell is None for cell in row.cells) and self._is_delimited:
            return [Problem(None, f"The row has {len(row.cells)} cells, the header {wanted}.")]
        long = next((i for i, c in enumerate(row.cells) if isinstance(c, str) and len(c) > LONGEST_CELL), None)
        if long is not None:
            return [Problem(self.table.header[long], f"More than {LONGEST_CELL:,} characters.")]
        problems = self.kind.columns.read(row, self.places, self.home)
        if not problems:
            try:
                last = self.kind.judge(row, self.home)
            except Unfit as failure:
                last = Problem(None, str(failure))
            problems = [last] if last else []
        return problems

    @property
    def _is_delimited(self) -> bool:
        return hasattr(self.table.reader, "delimiter")

    def _is_new(self, piece: Piece, verdict: Written) -> bool:
        """Whether the file speaks of this for the first time; the same again counts, other words are refused."""
        identity = self.kind.identity(piece)
        if identity is None:
            return True
        said = hash(repr([sorted(row.facts.items(), key=lambda item: item[0]) for row in piece.rows]))
        line, before = self.seen.setdefault(hash(identity), (piece.line, said))
        if line == piece.line:
            return True
        if before == said:
            verdict.counts["same"] += 1
        else:
            verdict.refuse(piece, self.kind.together or "key", f"Line {line} speaks of the same otherwise.")
        return False

    def _write(self, session: Session, pieces: Sequence[Piece]) -> Written:
        """Write pieces; where the database refuses, halve them until the one stands alone."""
        if not pieces:
            return Written()
        told = [[dict(row.facts) for row in piece.rows] for piece in pieces]
        try:
            with session.begin_nested():
                return self.kind.write(session, self.ctx, self.home, pieces)
        except (IntegrityError, DataError, Invalid, Conflict, NotFound) as failure:
            for piece, facts in zip(pieces, told, strict=True):
                for row, said in zip(piece.rows, facts, strict=True):
                    row.facts = said
            if len(pieces) == 1:
                done = Written()
                done.refuse(pieces[0], *_reason(failure))
                return done
        middle = len(pieces) // 2
        done = self._write(session, pieces[:middle])
        done.add(self._write(session, pieces[middle:]))
        return done

    def _keep(self, session: Session, chunk: Sequence[Piece], verdict: Written) -> None:
        """Keep the rows that did not come in; mark those that did so this time."""
        kept = []
        for piece in chunk:
            for row in piece.rows:
                if row.line in verdict.refused:
                    problem = verdict.refused[row.line]
                    facts: dict[str, Any] = {
                        "verdict": "refused",
                        "field": problem.field,
                        "rule": problem.rule,
                        "amount_minor": None,
                    }
                elif row.line in verdict.kept:
                    rule, minor = verdict.kept[row.line]
                    facts = {"verdict": "kept", "field": None, "rule": rule, "amount_minor": minor}
                else:
                    continue
                kept.append({"line": row.line, "cells": [_plain(cell) for cell in row.cells], **facts})
        bound = {"run_id": self.run_id, "now": self.ctx.now, "rows": as_json(kept)}
        if kept:
            run(session, KEEP, bound)
        lines = [row.line for piece in chunk for row in piece.rows]
        run(session, RESOLVE, bound | {"lines": lines, "out": [row["line"] for row in kept]})

    def _count(self, chunk: Sequence[Piece], verdict: Written) -> None:
        outcome = self.outcome
        outcome.counts.update(verdict.counts)
        for piece in chunk:
            for row in piece.rows:
                outcome.rows += 1
                minor = self.kind.measure(row, self.home) if self.kind.measure else 0
                outcome.file_minor += minor
                problem = verdict.refused.get(row.line)
                if problem:
                    outcome.refused += 1
                    outcome.refused_minor += minor
                    self.errors.write(row, problem)
                    if len(outcome.rejections) < SHOWN:
                        outcome.rejections.append({"line": row.line, "field": problem.field, "rule": problem.rule})
                elif row.line in verdict.kept:
                    rule, kept_minor = verdict.kept[row.line]
                    outcome.kept[rule] += 1
                    outcome.kept_minor[rule] += kept_minor
        self.progress(self.kind.name, outcome.rows, self.table.count)

    def _total(self) -> None:
        """Put what the file sums to beside what came of it."""
        totals = self.outcome.facts.setdefault("totals", {})
        totals["kept_minor"] = sum(self.outcome.kept_minor.values())
        totals["refused_minor"] = self.outcome.refused_minor
        brought = sum(amount for name, amount in totals.items() if name.endswith("_minor"))
        totals["file_minor"] = self.outcome.file_minor
        totals["difference_minor"] = self.outcome.file_minor - brought
        totals["currency"] = self.home.currency


def _reason(failure: Exception) -> tuple[str | None, str]:
    """Return the field and the rule of what a service or the database refused."""
    if isinstance(failure, IntegrityError):
        failure = fields.refused(failure) or failure  # a rule we have a sentence for
    if isinstance(failure, Failure):
        return failure.field, failure.message
    said = getattr(getattr(getattr(failure, "orig", None), "diag", None), "message_primary", None)
    return None, f"The database refuses the row: {said or 'it does not fit'}."


KEEP = """
INSERT INTO import_rejections (run_id, line, verdict, field, rule, cells, amount_minor, rejected_at)
SELECT :run_id, r.line, r.verdict, r.field, r.rule, r.cells, r.amount_minor, :now
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (line integer, verdict text, field text, rule text, cells jsonb,
    amount_minor bigint)
ON CONFLICT (run_id, line) DO UPDATE
SET verdict = excluded.verdict, field = excluded.field, rule = excluded.rule, resolved_at = NULL
WHERE (import_rejections.verdict, import_rejections.field, import_rejections.rule, import_rejections.resolved_at)
      IS DISTINCT FROM (excluded.verdict, excluded.field, excluded.rule, NULL)
"""

RESOLVE = """
UPDATE import_rejections SET resolved_at = :now
WHERE run_id = :run_id AND resolved_at IS NULL AND line = ANY(CAST(:lines AS integer[]))
  AND NOT line = ANY(CAST(:out AS integer[]))
"""


def _key(cells: Sequence[Cell], place: int) -> str:
    return _plain(cells[place]).strip() if place < len(cells) else ""
