"""From the files of a dump to `legacy_documents`: streamed, one transaction per file, resumable."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.importers.earlybird import folder as dump
from earlybird.importers.earlybird import merge
from earlybird.importers.earlybird.folder import DumpFile
from earlybird.importers.earlybird.lines import COLUMNS, copy_line
from earlybird.importers.earlybird.reading import read_dump
from earlybird.importers.errors import DumpUnreadable, NoRoom
from earlybird.infra import db
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.errors import Unavailable

Progress = Callable[[str, int], None]
"""Called with a collection and how many of its documents were read so far, the first time with 0."""

SOURCE: Final = "earlybird"
READING, READ, DONE = "documents", "read", "done"
"""Phases of a run: its files are being read, all are read, all is taken over."""

READERS: Final = 2
"""Files read at once: while one is unpacked here, the server settles the other."""

_BATCH: Final = 1 << 18
_PACE: Final = 2000


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the documents of one file; `added` and `changed` were written by this run."""

    read: int
    imported: int
    quarantined: int
    duplicates: int
    added: int
    changed: int
    missing: int

    def as_report(self) -> dict[str, int]:
        """Return the entry of the migration report."""
        return {
            "in": self.read,
            "imported": self.imported,
            "quarantined": self.quarantined,
            "duplicates": self.duplicates,
        }


@dataclass(frozen=True, slots=True)
class Intake:
    """A run, its counts by collection, and the collections that were read this time (others were known)."""

    run_id: UUID
    phase: str
    collections: dict[str, Counts] = field(default_factory=dict)
    taken: list[str] = field(default_factory=list)


def alone(engine: Engine, waiting: Callable[[], None] = lambda: None) -> AbstractContextManager[None]:
    """Hold off every other take-over of this source until the block ends; call `waiting` before waiting for one."""
    return db.alone(engine, f"import {SOURCE}", waiting)


def take_in(engine: Engine, ctx: Ctx, folder: Path, progress: Progress = lambda _collection, _read: None) -> Intake:
    """Bring every document of a dump into `legacy_documents`, verbatim and read; call it inside `alone`.

    One transaction per file, so that an interrupted run goes on where it stopped; a file whose bytes were the last
    ones read of its collection is skipped with its recorded counts. Raises `DumpUnreadable` (nothing of that file is
    kept, other files stay) and `NoRoom`.
    """
    files = dump.find_files(folder)
    with _failures_named(), db.transaction(engine) as session:
        run_id, recorded = _open_run(session, ctx, folder, files)
    wanted = [file for file in files if recorded.get(file.collection, {}).get("sha256") != file.sha256]

    def take(file: DumpFile) -> None:
        with _failures_named(), db.transaction(engine) as session:
            db.settled_later(session)
            recorded[file.collection] = _take_file(session, ctx, run_id, file, progress)

    with ThreadPoolExecutor(READERS) as readers:
        reading = [readers.submit(take, file) for file in sorted(wanted, key=lambda file: -file.path.stat().st_size)]
        try:
            for one in reading:
                one.result()
        except BaseException:
            readers.shutdown(cancel_futures=True)
            raise
    with db.transaction(engine) as session:
        phase = _close_reading(session, run_id)
    counts = {file.collection: _counts(recorded[file.collection]) for file in files}
    return Intake(run_id, phase, counts, [file.collection for file in wanted])


def finish(engine: Engine, ctx: Ctx, run_id: UUID) -> None:
    """Mark the run as done: its documents are taken over."""
    with db.transaction(engine) as session:
        db.run(
            session,
            "UPDATE import_runs SET phase = :done, finished_at = :now WHERE id = :id AND finished_at IS NULL",
            {"done": DONE, "now": ctx.now, "id": run_id},
        )


def counts_of_run(session: Session, run_id: UUID) -> dict[str, Counts]:
    """Return the recorded counts of a run by collection."""
    found = db.value(session, "SELECT facts->'files' FROM import_runs WHERE id = :id", {"id": run_id})
    return {name: _counts(record) for name, record in sorted((found or {}).items())}


def _counts(record: dict[str, Any]) -> Counts:
    names = ("read", "imported", "quarantined", "duplicates", "added", "changed")
    return Counts(**{name: record[name] for name in names}, missing=len(record["missing"]))


LATEST_RUN = "SELECT id, digest FROM import_runs WHERE source = :source ORDER BY id DESC LIMIT 1"

LAST_READ = """
SELECT DISTINCT ON (f.key) f.key AS collection, f.value AS record
FROM import_runs r CROSS JOIN jsonb_each(r.facts->'files') AS f
WHERE r.source = :source ORDER BY f.key, r.id DESC
"""

NEW_RUN = """
INSERT INTO import_runs (source, folder, digest, phase, started_at, facts)
VALUES (:source, :folder, :digest, :phase, :now, :facts) RETURNING id
"""


def _open_run(
    session: Session, ctx: Ctx, folder: Path, files: list[DumpFile]
) -> tuple[UUID, dict[str, dict[str, Any]]]:
    """Go on with the latest run when it read this very dump, else begin one; return it and what was last read."""
    digest = dump.digest(files)
    recorded = {row["collection"]: row["record"] for row in db.rows(session, LAST_READ, {"source": SOURCE})}
    latest = db.rows(session, LATEST_RUN, {"source": SOURCE})
    if latest and latest[0]["digest"] == digest:
        return latest[0]["id"], recorded
    here = {file.collection: file.sha256 for file in files}
    known = {
        name: record | {"added": 0, "changed": 0}
        for name, record in recorded.items()
        if here.get(name) == record["sha256"]
    }
    facts = {"files": known, "missing_collections": sorted(recorded.keys() - here.keys())}
    made = {
        "source": SOURCE,
        "folder": str(folder.resolve()),
        "digest": digest,
        "phase": READING,
        "now": ctx.now,
        "facts": Jsonb(facts),
    }
    return db.value(session, NEW_RUN, made), recorded | known


def _take_file(session: Session, ctx: Ctx, run_id: UUID, file: DumpFile, progress: Progress) -> dict[str, Any]:
    progress(file.collection, 0)
    session.execute(text("SET LOCAL work_mem = '64MB'"))
    session.execute(text(merge.INCOMING))
    _copy(session, file, progress)
    if not file.still_same():
        raise DumpUnreadable(f"{file.path}: was written to while it was read")
    record = merge.settle(session, SOURCE, file.collection, run_id) | {"sha256": file.sha256}
    db.run(
        session,
        "UPDATE import_runs SET facts = jsonb_set(facts, ARRAY['files', :collection], :record) WHERE id = :id",
        {"id": run_id, "collection": file.collection, "record": Jsonb(record)},
    )
    counts = {name: count for name, count in record.items() if isinstance(count, int)}
    if written := counts["added"] + counts["changed"]:
        audit.record(
            session,
            ctx,
            "import.documents",
            "import_run",
            run_id,
            after={"collection": file.collection, "missing": len(record["missing"])} | counts,
            row_count=written,
            digest=file.sha256,
        )
    return record


def _copy(session: Session, file: DumpFile, progress: Progress) -> None:
    read, size = 0, 0
    batch: list[bytes] = []
    with db.driver(session).cursor() as cursor, cursor.copy(f"COPY incoming ({COLUMNS}) FROM STDIN") as copy:
        for record in read_dump(file.path):
            line = copy_line(file.collection, record)
            batch.append(line)
            read += 1
            size += len(line)
            if size > _BATCH:
                copy.write(b"\n".join(batch) + b"\n")
                batch, size = [], 0
            if read % _PACE == 0:
                progress(file.collection, read)
        if batch:
            copy.write(b"\n".join(batch) + b"\n")
    progress(file.collection, read)


def _close_reading(session: Session, run_id: UUID) -> str:
    db.run(
        session,
        "UPDATE import_runs SET phase = :read WHERE id = :id AND phase = :reading",
        {"id": run_id, "read": READ, "reading": READING},
    )
    return str(db.value(session, "SELECT phase FROM import_runs WHERE id = :id", {"id": run_id}))


@contextmanager
def _failures_named() -> Iterator[None]:
    """Name what the driver raises beneath SQLAlchemy: a full disk, a server that went away."""
    try:
        yield
    except (psycopg.OperationalError, DBAPIError) as failure:
        cause = failure.orig if isinstance(failure, DBAPIError) else failure
        if isinstance(cause, psycopg.errors.DiskFull):
            raise NoRoom from failure
        if isinstance(failure, psycopg.OperationalError):
            raise Unavailable(f"The database does not answer: {failure}") from failure
        raise
