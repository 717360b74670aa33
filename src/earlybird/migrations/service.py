"""Run reversible steps: plan (really run, rolled back), apply and revert in resumable batches, verify independently."""

from __future__ import annotations

import hashlib
import itertools
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, fields
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.infra import db
from earlybird.kernel.ctx import Ctx
from earlybird.migrations import errors, images, queries, residue
from earlybird.migrations.cutting import TARGET, Cutter, OneByOne, Piece
from earlybird.migrations.models import Step as StepRow
from earlybird.migrations.models import StepRun
from earlybird.migrations.pace import Pace, Watch
from earlybird.migrations.protocol import Batch, Kind, series
from earlybird.migrations.protocol import Step as Step  # noqa: PLC0414  who runs steps names them from here
from earlybird.migrations.registry import STEPS as STEPS  # noqa: PLC0414
from earlybird.migrations.registry import between as between  # noqa: PLC0414
from earlybird.migrations.registry import find as find  # noqa: PLC0414
from earlybird.migrations.states import MACHINE, StepState, Wish
from earlybird.territory import service as territory

Progress = Callable[[str, int, int, int], None]
"""Called with what is being done, how many units of work are done, of how many, and how many rows that were."""

T = TypeVar("T")

WORKERS = 2
"""Batches of a phase that run at once; they touch different rows."""

LOCK = "earlybird.steps"
"""One step runs at a time, in whatever process."""

WAIT_FOR_ROWS, WAIT_FOR_TABLES = "2s", "80ms"
"""How long a batch waits for a row, or for a lock that would make others queue behind it."""

LONGEST_STATEMENT = "15min"

MOST_WRONG = images.MOST
"""How many rows a verification lists at most: so many mean so many or more."""

TRIES = 40
"""How often a batch is begun again that waited in vain."""

AGAIN = {"55P03", "40P01", "40001", "23505"}
"""Lock not available, deadlock, serialization failure; a key somebody else just made."""

OPEN_HOLE = "reverted_step"
"""The check name of the finding that lasts while a step is reverted whose revert opens a hole."""

LOCKS = text(
    "SELECT relation::regclass::text AS relation, mode FROM pg_locks l JOIN pg_class c ON c.oid = l.relation "
    "WHERE l.pid = pg_backend_pid() AND l.granted AND l.locktype = 'relation' AND c.relkind IN ('r', 'p') "
    "AND c.relnamespace = current_schema()::regnamespace ORDER BY 1, 2"
)


@dataclass(slots=True)
class Held:
    """The locks a run took: (table, mode) → the longest time one was held, in milliseconds."""

    longest: dict[tuple[str, str], float] = field(default_factory=dict)

    def note(self, session: Session, began: float) -> None:
        """Take down what this transaction has locked since it began."""
        found = session.execute(LOCKS).all()
        held = (time.perf_counter() - began) * 1000
        for relation, mode in found:
            self.longest[relation, mode] = max(self.longest.get((relation, mode), 0.0), held)

    def told(self) -> list[dict[str, Any]]:
        """Return them as they are shown and kept."""
        return [
            {"table": table, "mode": mode, "held_ms": round(held, 1)}
            for (table, mode), held in sorted(self.longest.items())
        ]


@dataclass(slots=True)
class Planned:
    """What applying a step would do, found out by doing it and rolling it back."""

    step: Step
    rows: dict[str, int]
    """Rows per table."""
    batches: int
    seconds: float
    longest_batch_ms: float
    estimate_seconds: float
    """What applying takes: batches of a phase run two at once."""
    locks: list[dict[str, Any]]
    unannounced: list[dict[str, Any]]
    """Locks beyond row locks that the step does not announce."""
    stakes: list[dict[str, Any]]
    """Money that hangs on the step as things stand (amount_minor, currency, sentence)."""
    unclear: list[dict[str, Any]]
    is_lossless: bool
    """Whether the tried batches could be taken back whole."""
    plan_hash: str
    notes: list[dict[str, Any]]
    """What the step tells beside rows: how big an index gets."""

    def told(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {"step": self.step.name, "number": self.step.number} | {
            one.name: getattr(self, one.name) for one in fields(self) if one.name != "step"
        }


STRENGTH = (
    "AccessShareLock",
    "RowShareLock",
    "RowExclusiveLock",
    "ShareUpdateExclusiveLock",
    "ShareLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
)
"""The locks of a table, the weakest first."""

ROW_LOCK = "RowExclusiveLock"
"""The strongest that needs no word: rows are locked one by one."""


STATISTICS = "ShareUpdateExclusiveLock"
"""What refreshing the statistics of a table takes for a moment: no reading or writing waits for it."""


def announced(step: Step, table: str, mode: str) -> bool:
    """Return whether the step says that it takes such a lock: row locks need no word, statistics are its tables'."""
    most = step.locks.get(table, STATISTICS if table in step.touches else ROW_LOCK)
    return STRENGTH.index(mode) <= STRENGTH.index(most)


def _unannounced(step: Step, locks: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [lock for lock in locks if not announced(step, lock["table"], lock["mode"])]


def _row(session: Session, step: Step) -> StepRow:
    db.run(
        session,
        "INSERT INTO steps (number, name) VALUES (:number, :name) ON CONFLICT (number) DO NOTHING",
        {"number": step.number, "name": step.name},
    )
    return session.query(StepRow).filter(StepRow.number == step.number).with_for_update().one()


def _prepare(session: Session, step: Step) -> None:
    """Say which step this transaction is of, so that the guards let it take back what it wrote, and bound its waits.

    A batch of a step that is cut to small ones finds its rows by index, whatever the statistics say of tables that
    were empty a moment ago: what it costs must not grow with the table.
    """
    by_index = "off" if step.join else "on"
    settings = {
        "enable_seqscan": by_index,
        "enable_mergejoin": by_index,
        "max_parallel_workers_per_gather": "0",
        "earlybird.step": str(step.number),
        "lock_timeout": WAIT_FOR_TABLES if step.locks else WAIT_FOR_ROWS,
        "statement_timeout": LONGEST_STATEMENT,
        "application_name": "earlybird steps",
    }
    for name, value in settings.items():
        session.execute(text("SELECT set_config(:name, :value, true)"), {"name": name, "value": value})


def _alone(engine: Engine, progress: Progress | None) -> AbstractContextManager[None]:
    """Hold what lets one step run at a time; tell whoever has to wait for another."""
    return db.alone(engine, LOCK, lambda: progress("Waiting for another step to end", 0, 1, 0) if progress else None)


def _add(total: dict[str, int], part: dict[str, int]) -> None:
    for table, count in part.items():
        total[table] = total.get(table, 0) + count


def _begin(session: Session, ctx: Ctx, row: StepRow, verb: str, **facts: Any) -> StepRun:
    run = StepRun(step_id=row.id, verb=verb, actor_name=ctx.actor.name, started_at=ctx.now, result=facts)
    session.add(run)
    session.flush()
    return run


def _drop_temporary(session: Session) -> None:
    for row in db.rows(
        session, "SELECT relname FROM pg_class WHERE relnamespace = pg_my_temp_schema() AND relkind = 'r'"
    ):
        db.run(session, f'DROP TABLE pg_temp."{row["relname"]}"')


def _hash(shape: residue.Shape) -> str:
    return hashlib.sha256(repr(sorted(shape.items())).encode()).hexdigest()


class _Rehearsal:
    """One planned step: batches really run, in transactions that are rolled back."""

    def __init__(self, ctx: Ctx, step: Step, progress: Progress | None) -> None:
        self.ctx, self.step, self.progress = ctx, step, progress
        self.rows: dict[str, int] = {}
        self.held, self.shape = Held(), residue.Shape()
        self.done, self.count, self.lost = 0, 0, 0
        self.took: list[float] = []
        self.notes: list[dict[str, Any]] = []

    def batch(self, session: Session, piece: Piece, *, is_last: bool) -> float:
        """Run one chunk; where nothing comes after it, also try to take it back; return the seconds the chunk took."""
        began = time.perf_counter()
        _prepare(session, self.step)
        row = _row(session, self.step)
        batch = Batch(row.id, _begin(session, self.ctx, row, "plan").id, -piece.number)
        self.step.apply(session, self.ctx, batch, piece.chunk)
        residue.seal(session, batch)
        shape = residue.shape(session, batch)
        self.shape = residue.added(self.shape, shape)
        _add(self.rows, residue.counted(self.step, shape))
        _add(self.rows, batch.built)
        self.notes += batch.notes
        self.held.note(session, began)
        self.took.append(took := time.perf_counter() - began)
        if is_last and self.step.build is None:
            told = images.take_back(session, self.step, row.id, [batch.number])
            self.lost += sum(counts["held"] + counts["changed"] + counts["gone"] for counts in told.values())
        self.done += piece.count
        if self.progress:
            self.progress(self.step.title, self.done, self.count, sum(self.rows.values()))
        return took

    def pieces(self, phase: Sequence[Any]) -> Iterator[tuple[Piece, Callable[[float], None]]]:
        """Cut a phase to batches, each with what is to be told how long it took."""
        cutter = Cutter(phase, self.step.join, len(self.took) + 1)
        while piece := cutter.take():
            yield piece, partial(cutter.took, piece)

    def planned(self, session: Session) -> Planned:
        """Sum up, and ask what hangs on the step."""
        locks, seconds = self.held.told(), sum(self.took)
        return Planned(
            step=self.step,
            rows=self.rows,
            batches=len(self.took),
            seconds=round(seconds, 3),
            longest_batch_ms=round(max(self.took, default=0.0) * 1000, 1),
            estimate_seconds=round(seconds / (WORKERS if len(self.took) > 1 else 1), 3),
            locks=locks,
            unannounced=_unannounced(self.step, locks),
            stakes=[asdict(stake) for stake in self.step.stakes(session)],
            unclear=self.step.unclear(session) if self.step.unclear else [],
            is_lossless=not self.lost,
            plan_hash=_hash(self.shape),
            notes=self.notes,
        )


def plan(engine: Engine, ctx: Ctx, step: Step, progress: Progress | None = None) -> Planned:
    """Run every batch for real and roll it back; nothing of the database changes.

    A batch of a step with one phase is a transaction of its own, and so is each of a step that enforces: a lock on a
    table is held for a moment only. Where later phases build on earlier ones, those stay until the end of the plan,
    and each batch of the last phase is rolled back at once. A step that builds on
    an unapplied one plans what it could do today; `plan_all` plans them one upon the other.
    """
    with _alone(engine, progress):
        with db.rehearsal(engine) as session:
            phases = step.phases(session)
        tried = _Rehearsal(ctx, step, progress)
        tried.count = sum(len(phase) for phase in phases)
        if len(phases) == 1 or step.kind is Kind.enforces:
            for piece, took in tried.pieces(list(itertools.chain.from_iterable(phases))):
                with db.rehearsal(engine) as session:
                    took(tried.batch(session, piece, is_last=True))
            with db.rehearsal(engine) as session:
                return tried.planned(session)
        with db.rehearsal(engine) as session:
            for piece, took in itertools.chain.from_iterable(map(tried.pieces, phases[:-1])):
                took(tried.batch(session, piece, is_last=False))
                _drop_temporary(session)
            for piece, took in tried.pieces(phases[-1] if phases else []):
                with db.tried(session):
                    took(tried.batch(session, piece, is_last=True))
            return tried.planned(session)


def plan_all(engine: Engine, ctx: Ctx, steps: Sequence[Step], progress: Progress | None = None) -> list[Planned]:
    """Plan steps one upon the other, in one transaction that is rolled back: each sees what those before it did.

    It holds the rows it would change until it is over; for a quiet hour, or a rehearsal beside the live database.
    """
    found = []
    with _alone(engine, progress), db.rehearsal(engine) as session:
        for step in steps:
            phases = step.phases(session)
            tried = _Rehearsal(ctx, step, progress)
            tried.count = sum(len(phase) for phase in phases)
            for piece, took in itertools.chain.from_iterable(map(tried.pieces, phases)):
                took(tried.batch(session, piece, is_last=False))
                _drop_temporary(session)
            found.append(tried.planned(session))
    return found


def _again(step: Step, work: Callable[[], T]) -> T:
    """Do the work, and begin it again while live work is in its way."""
    for attempt in range(TRIES):
        try:
            return work()
        except DBAPIError as failure:
            if getattr(failure.orig, "sqlstate", None) not in AGAIN or attempt == TRIES - 1:
                raise
            time.sleep(min(0.01 * 2**attempt, 1.0))
    raise errors.StepBusy(step=step.name)  # pragma: no cover  the last try raises


class _Run:
    """One apply or revert on its way: its batches, what they took, and how it ends."""

    def __init__(self, engine: Engine, ctx: Ctx, step: Step, progress: Progress | None) -> None:
        self.engine, self.ctx, self.step, self.progress = engine, ctx, step, progress
        self.pace, self.held = Pace(), Held()
        self.rows: dict[str, int] = {}
        self.shape: residue.Shape = {}
        self._guard = threading.Lock()
        self.batch_seconds = TARGET
        self.began = time.perf_counter()
        self.done, self.count = 0, 0
        self.step_id = self.run_id = UUID(int=0)
        self.was = StepState.pending

    @property
    def is_alone(self) -> bool:
        """Whether nobody else is at work: batches may take long."""
        return self.batch_seconds > TARGET

    def batch(self, work: Callable[[Session], T]) -> T:
        """Do one transaction of the step, with retries, at the pace live work leaves."""

        def once() -> tuple[T, float]:
            began = time.perf_counter()
            with db.transaction(self.engine) as session:
                db.settled_later(session)
                _prepare(session, self.step)
                self._heed(session)
                found = work(session)
                self.held.note(session, began)
            return found, time.perf_counter() - began

        found, took = _again(self.step, once)
        self.pace.after(took)
        return found

    def outside(self, work: Callable[[Connection], dict[str, int]]) -> dict[str, int]:
        """Do what no transaction may hold, with retries; the locks it announces it has held as long as it took."""
        began = time.perf_counter()
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            done = _again(self.step, lambda: work(connection))
        took = (time.perf_counter() - began) * 1000
        for table, mode in self.step.locks.items():
            if done.get(table):
                self.held.longest[table, mode] = max(self.held.longest.get((table, mode), 0.0), took)
        return done

    def _heed(self, session: Session) -> None:
        wish = db.value(session, "SELECT wish FROM steps WHERE id = :id", {"id": self.step_id})
        if wish == Wish.pause:
            raise errors.StepPaused(step=self.step.name)
        if wish == Wish.cancel:
            raise errors.StepCancelled(step=self.step.name)

    def told(self, rows: dict[str, int], units: int = 1) -> None:
        """Count what a batch wrote, and report it as done."""
        with self._guard:
            _add(self.rows, rows)
            self.done += units
            if self.progress:
                self.progress(self.step.title, self.done, max(self.count, self.done), sum(self.rows.values()))

    def side_by_side(self, work: Callable[[], bool]) -> None:
        """Do the work again and again, some at once, until it returns False; what stops one stops the others.

        Who interrupts the command interrupts the thread that waits here: it stops them too, after their present batch.
        """
        stopped = threading.Event()

        def on() -> None:
            try:
                while not stopped.is_set() and work():
                    pass
            except BaseException:
                stopped.set()
                raise

        with ThreadPoolExecutor(WORKERS) as pool:
            try:
                for done in [pool.submit(on) for _ in range(WORKERS)]:
                    done.result()
            finally:
                stopped.set()

    def batch_by_batch(self, numbers: Sequence[int], work: Callable[[int], dict[str, int]]) -> None:
        """Do something to batches that touch different rows, some at once."""
        left = iter(numbers)

        def one() -> bool:
            with self._guard:
                number = next(left, None)
            if number is None:
                return False
            self.told(work(number))
            return True

        self.side_by_side(one)

    def facts(self) -> dict[str, Any]:
        """Return what is kept of the run."""
        return {
            "was": str(self.was),
            "seconds": round(time.perf_counter() - self.began, 3),
            "rested_seconds": round(self.pace.rested, 3),
            "locks": self.held.told(),
            "plan_hash": _hash(self.shape),
        }

    def end(self, session: Session, verb: str, result: dict[str, Any], *, reason: str | None = None) -> None:
        """Keep how the run ended, and tell the trail."""
        own = None if verb == "revert" else self.run_id
        facts = self.facts() | result | {"hashes": residue.digests(session, self.step_id, own)}
        db.run(
            session,
            "UPDATE step_runs SET finished_at = :at, row_counts = :counts, result = :result WHERE id = :id",
            {
                "at": self.ctx.now + timedelta(seconds=facts["seconds"]),
                "counts": residue.as_json(self.rows),
                "result": residue.as_json(facts),
                "id": self.run_id,
            },
        )
        audit.record(
            session,
            self.ctx,
            f"step.{verb}",
            "step",
            self.step_id,
            after={"rows": self.rows, **facts},
            reason=reason,
            row_count=sum(self.rows.values()),
            digest=facts["plan_hash"],
        )


def apply(
    engine: Engine,
    ctx: Ctx,
    step: Step,
    progress: Progress | None = None,
    *,
    reason: str | None = None,
    batch_seconds: float = TARGET,
) -> dict[str, int]:
    """Apply the step: one transaction a batch, safe to interrupt and to repeat; then verify it.

    A batch takes about `batch_seconds`: the longest that somebody at work may wait for a row of it.

    What an earlier revert took back is put there again first, ids included. Returns rows per table. Raises
    StepNotVerified when the check finds something, StepCancelled when somebody asked so: then what this run had
    changed is taken back; StepPaused when somebody asked so: then the same command goes on.
    """
    run = _Run(engine, ctx, step, progress)
    run.batch_seconds = batch_seconds
    with _alone(engine, progress), Watch(engine, run.pace):
        with db.transaction(engine) as session:
            row = _row(session, step)
            run.was, run.step_id = StepState(row.state), row.id
            unfinished = queries.unfinished_apply(session, row.id) if run.was is StepState.applying else None
            if unfinished:
                run.was, run.run_id = StepState(unfinished["was"]), unfinished["id"]
            else:
                run.run_id = _begin(session, ctx, row, "apply", was=str(run.was)).id
            row.wish = None
            audit.move(session, ctx, row, MACHINE, "begin")
        try:
            _restore(run)
            _advance(run)
            wrong = _finish(run, reason)
        except errors.StepCancelled:
            _withdraw(run, "cancel", {"cancelled": True})
            raise
        if wrong:
            _withdraw(run, "withdraw", {"wrong": len(wrong)})
            raise errors.StepNotVerified(step=step.name, found=len(wrong), first=wrong[0])
    return run.rows


def _restore(run: _Run) -> None:
    """Put again what was taken back; a batch whose place somebody took meanwhile is left to be made anew."""
    with db.rehearsal(run.engine) as session:
        groups = queries.batches(session, run.step_id, stands=False)
    run.count += sum(map(len, groups))

    def again(number: int) -> dict[str, int]:
        def once(session: Session) -> dict[str, int]:
            db.run(
                session,
                "UPDATE step_residue SET run_id = :run_id WHERE step_id = :step_id AND batch = :number "
                "AND reverted_at IS NOT NULL",
                {"run_id": run.run_id, "step_id": run.step_id, "number": number},
            )
            return images.put_again(session, run.step, run.step_id, number)

        try:
            return run.batch(once)
        except IntegrityError:
            return {}

    counted = 0
    for group in groups:
        if run.done >= counted:  # tables that were empty a moment ago: what looks rows up by index must know of them
            counted = 2 * run.done + 1
            with db.transaction(run.engine) as session:
                db.analyze(session, *run.step.touches)
        run.batch_by_batch(group, again)


def _advance(run: _Run) -> None:
    step = run.step
    with db.transaction(run.engine) as session:
        db.analyze(session, *step.touches)
        phases = step.phases(session)
        number, place = queries.last(session, run.step_id)
    run.count += sum(len(phase) for phase in phases)
    if step.build is not None:
        for chunk in itertools.chain.from_iterable(phases):
            run.told(_built(run, chunk))
        return
    for phase in phases:
        cutter = Cutter(phase, step.join, number + 1, run.batch_seconds)
        if isinstance(phase, OneByOne):
            while _one_piece(run, cutter, place := place + 1):
                pass
        else:
            run.side_by_side(partial(_one_piece, run, cutter, place := place + 1))
        number = cutter.next_number - 1


def _one_piece(run: _Run, cutter: Cutter, place: int) -> bool:
    """Do the next batch of a phase, as one of series `place`; return False where nothing is left."""
    piece = cutter.take()
    if piece is None:
        return False

    def once(session: Session) -> residue.Shape:
        began = time.perf_counter()
        batch = Batch(run.step_id, run.run_id, piece.number, series(place))
        run.step.apply(session, run.ctx, batch, piece.chunk)
        residue.seal(session, batch)
        shape = residue.shape(session, batch)
        cutter.took(piece, time.perf_counter() - began)
        return shape

    shape = run.batch(once)
    with run._guard:  # noqa: SLF001
        run.shape = residue.added(run.shape, shape)
    run.told(residue.counted(run.step, shape), piece.count)
    return True


def _built(run: _Run, chunk: Any) -> dict[str, int]:
    build = run.step.build
    assert build is not None  # noqa: S101  # asked before
    with db.transaction(run.engine) as session:
        run._heed(session)  # noqa: SLF001
    return run.outside(lambda connection: build(connection, chunk))


def _finish(run: _Run, reason: str | None) -> list[dict[str, Any]]:
    """Verify, and where nothing is wrong keep the run as done; return what is wrong."""
    with db.transaction(run.engine) as session:
        db.analyze(session, *run.step.touches)
        db.whole_sets(session)
        wrong = run.step.verify(session)
        if not wrong:
            audit.move(session, run.ctx, _row(session, run.step), MACHINE, "finish")
            audit.resolve_many(session, run.ctx, OPEN_HOLE, [run.step.name])
            run.end(session, "apply", {"wrong": 0}, reason=reason)
    return wrong


def _withdraw(run: _Run, verb: str, result: dict[str, Any]) -> None:
    """Take back what this run changed, and let the step stand as before it; a revert that was half done is ended."""
    with db.transaction(run.engine) as session:
        db.run(session, "UPDATE steps SET wish = NULL WHERE id = :id", {"id": run.step_id})
        own = run.run_id if run.was is StepState.applied else None
        groups = queries.batches(session, run.step_id, stands=True, run_id=own)
        if run.was is not StepState.applied:
            audit.move(session, run.ctx, _row(session, run.step), MACHINE, "begin_revert")
    _take_away(run, hooks=run.was is not StepState.applied)
    _back(run, groups)
    with db.transaction(run.engine) as session:
        _prepare(session, run.step)
        if run.step.reverted:
            run.step.reverted(session, run.ctx)
        way = "finish" if run.was is StepState.applied else "finish_revert"
        audit.move(session, run.ctx, _row(session, run.step), MACHINE, way)
        run.end(session, verb, result)


def _back(run: _Run, groups: Sequence[Sequence[int]]) -> dict[str, dict[str, int]]:
    """Take batches back, the last group first; return what became of the rows, per table.

    As many batches of a group at once as take the time they may. Where nobody is at work, groups of one batch that
    follow each other come together as well.
    """
    total: dict[str, dict[str, int]] = {}
    for group in reversed(_chained(groups) if run.is_alone else groups):
        phase = [[number] for number in sorted(group, reverse=True)]
        cutter = Cutter(phase, _joined, 0, run.batch_seconds, 1)
        if isinstance(group, OneByOne):
            while _piece_back(run, cutter, total):
                pass
        else:
            run.side_by_side(partial(_piece_back, run, cutter, total))
    return total


def _joined(chunks: Sequence[list[int]]) -> list[int]:
    return list(itertools.chain.from_iterable(chunks))


def _chained(groups: Sequence[Sequence[int]]) -> list[Sequence[int]]:
    """Make one group, to be done one by one, of neighbouring ones that have one batch each."""
    found: list[Sequence[int]] = []
    for group in groups:
        if len(group) > 1 or not found or not isinstance(found[-1], OneByOne):
            found.append(group if len(group) > 1 else OneByOne(group))
        else:
            found[-1].extend(group)
    return found


def _piece_back(run: _Run, cutter: Cutter, total: dict[str, dict[str, int]]) -> bool:
    """Take the next batches of a group back; return False where nothing is left."""
    piece = cutter.take()
    if piece is None:
        return False

    def once(session: Session) -> dict[str, dict[str, int]]:
        began = time.perf_counter()
        told = images.take_back(session, run.step, run.step_id, piece.chunk, is_alone=run.is_alone)
        cutter.took(piece, time.perf_counter() - began)
        return told

    told = run.batch(once)
    with run._guard:  # noqa: SLF001
        _sum(total, told)
    run.told({table: counts["back"] for table, counts in told.items()}, piece.count)
    return True


def _take_away(run: _Run, *, hooks: bool) -> None:
    """Take away what is no row: what was built, and constraints."""
    step = run.step
    if hooks and step.tear_down:
        tear_down = step.tear_down
        _add(run.rows, run.outside(tear_down))
    if hooks and step.revert:
        take = step.revert
        _add(run.rows, run.batch(lambda session: take(session, run.ctx)))


@dataclass(slots=True)
class Reverted:
    """What a revert did, or would do."""

    step: Step
    rows: dict[str, int]
    """Rows put back, per table."""
    stands: dict[str, dict[str, int]]
    """Per table, what was not put back: `held` (something since hangs on it), `changed` since, `gone` since."""
    stakes: list[dict[str, Any]]
    """Money that hangs on the step."""
    seconds: float

    @property
    def is_whole(self) -> bool:
        """Whether everything the step wrote was put back."""
        return not self.stands

    def told(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {
            "step": self.step.name,
            "number": self.step.number,
            "rows": self.rows,
            "stands": self.stands,
            "whole": self.is_whole,
            "stakes": self.stakes,
            "warning": self.step.warning,
            "seconds": self.seconds,
        }


def check_revert(step: Step, *, confirmed: str | None, reason: str | None) -> None:
    """Refuse what may not be reverted so: a structural step, or a hole opened without typed name and reason."""
    if step.is_structural:
        raise errors.NothingToRevert(step=step.name)
    if step.opens_a_hole and confirmed != step.name:
        raise errors.NameNotTyped(field="confirm", step=step.name, opens=step.opens_a_hole)
    if step.opens_a_hole and not (reason or "").strip():
        raise errors.ReasonMissing(field="reason", step=step.name, opens=step.opens_a_hole)


def revert(
    engine: Engine,
    ctx: Ctx,
    step: Step,
    *,
    reason: str | None = None,
    confirmed: str | None = None,
    progress: Progress | None = None,
    batch_seconds: float = TARGET,
) -> Reverted:
    """Take back what the step wrote, batch by batch, the last first; everything written since is kept.

    A transaction takes about `batch_seconds`: the longest that somebody at work may wait for a row of it.

    Safe to interrupt and to repeat. `apply` puts it all there again. A step whose revert opens a hole demands its
    name as `confirmed` and a reason, and keeps a finding open until it is applied again. Raises StepNotApplied.
    """
    check_revert(step, confirmed=confirmed, reason=reason)
    run = _Run(engine, ctx, step, progress)
    run.batch_seconds = batch_seconds
    with _alone(engine, progress), Watch(engine, run.pace):
        with db.transaction(engine) as session:
            row = _row(session, step)
            run.was, run.step_id = StepState(row.state), row.id
            if run.was in (StepState.pending, StepState.reverted):
                raise errors.StepNotApplied(step=step.name, state=str(run.was))
            row.wish = None
            stakes = [asdict(stake) for stake in step.stakes(session)]
            run.run_id = _begin(session, ctx, row, "revert", was=str(run.was)).id
            audit.move(session, ctx, row, MACHINE, "begin_revert", reason=reason)
            if step.opens_a_hole:
                audit.report(session, ctx, OPEN_HOLE, step.name, step.opens_a_hole, facts={"reason": reason})
            groups = queries.batches(session, row.id, stands=True)
        run.count = sum(map(len, groups))
        _take_away(run, hooks=True)
        total = _back(run, groups)
        with db.transaction(engine) as session:
            _prepare(session, step)
            _switch_off(session, ctx, step)
            stands = _standing(total)
            audit.move(session, ctx, _row(session, step), MACHINE, "finish_revert", reason=reason)
            run.end(session, "revert", {"stands": stands, "stakes": stakes}, reason=reason)
    return Reverted(step, run.rows, stands, stakes, round(time.perf_counter() - run.began, 3))


def _sum(total: dict[str, dict[str, int]], told: dict[str, dict[str, int]]) -> None:
    for table, counts in told.items():
        _add(total.setdefault(table, {}), counts)


def _standing(total: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    return {
        table: {name: counts[name] for name in ("held", "changed", "gone") if counts[name]}
        for table, counts in sorted(total.items())
        if counts["held"] + counts["changed"] + counts["gone"]
    }


def _switch_off(session: Session, ctx: Ctx, step: Step) -> None:
    """Leave the step's policies off, whatever they were before it; then let the step tidy up."""
    for name, off in step.switches.items():
        territory.set_policy(session, ctx, name, value=off)
    if step.reverted:
        step.reverted(session, ctx)


def plan_revert(engine: Engine, ctx: Ctx, steps: Sequence[Step], progress: Progress | None = None) -> list[Reverted]:
    """Revert steps for real, one after the other in the order given, in one transaction that is rolled back.

    Steps that changed nothing are passed over. Raises NothingToRevert for none but structural or unapplied steps.
    """
    found = []
    with _alone(engine, progress), db.rehearsal(engine) as session:
        for step in steps:
            row = _row(session, step)
            if step.is_structural or row.state in (StepState.pending, StepState.reverted):
                continue
            began = time.perf_counter()
            _prepare(session, step)
            stakes = [asdict(stake) for stake in step.stakes(session)]
            numbers = list(itertools.chain.from_iterable(queries.batches(session, row.id, stands=True)))
            total: dict[str, dict[str, int]] = {}
            for done, number in enumerate(reversed(numbers)):
                _sum(total, images.take_back(session, step, row.id, [number]))
                if progress:
                    back = sum(counts["back"] for counts in total.values())
                    progress(step.title, done + 1, len(numbers), back)
            _switch_off(session, ctx, step)
            rows = {table: counts["back"] for table, counts in total.items()}
            _add(rows, step.built(session) if step.built else {})
            found.append(Reverted(step, rows, _standing(total), stakes, round(time.perf_counter() - began, 3)))
    if not found:
        raise errors.StepNotApplied(steps=", ".join(step.name for step in steps))
    return found


def ask(engine: Engine, ctx: Ctx, step: Step, wish: Wish) -> None:
    """Ask the runner of a step to pause, or to stop and take back, after its present batch; no step may run none."""
    with db.transaction(engine) as session:
        row = _row(session, step)
        if row.state != StepState.applying:
            raise errors.StepNotRunning(step=step.name, state=row.state)
        audit.change(session, ctx, row, {"wish": str(wish)}, action=f"step.{wish}", entity="step")


def verify(engine: Engine, step: Step) -> list[dict[str, Any]]:
    """Return what the step's independent check finds wrong, and every field that no longer holds what it wrote.

    A field is passed over where anything on record changed it since: a later step, or an audited change.
    """
    with db.rehearsal(engine) as session:
        wrong = step.verify(session)
        row = db.rows(session, "SELECT id FROM steps WHERE number = :number", {"number": step.number})
        return wrong + (images.unlike(session, step, row[0]["id"]) if row else [])


def _unasked(step: Step) -> str:
    """Return where a step stands that was never run: how the program is built holds without."""
    return str(StepState.applied if step.is_structural else StepState.pending)


def listing(engine: Engine) -> list[dict[str, Any]]:
    """Return every step with its state and its last run."""
    with db.rehearsal(engine) as session:
        found = queries.states(session)
    return [
        {
            "number": step.number,
            "name": step.name,
            "title": step.title,
            "kind": str(step.kind),
            "touches": list(step.touches),
            "warning": step.warning,
            "opens_a_hole": step.opens_a_hole,
            "state": found.get(step.number, {}).get("state", _unasked(step)),
            "since": found.get(step.number, {}).get("state_at"),
            "wish": found.get(step.number, {}).get("wish"),
            "rows": found.get(step.number, {}).get("row_counts"),
        }
        for step in STEPS
    ]


def history(engine: Engine, step: Step | None = None, *, limit: int = 100) -> list[dict[str, Any]]:
    """Return the last runs, of one step or of all, the newest first."""
    with db.rehearsal(engine) as session:
        return queries.history(session, step.number if step else None, limit)


def show(engine: Engine, step: Step) -> dict[str, Any]:
    """Return all there is to say about a step: what it is, how it stands, what it keeps, its last runs, its money."""
    own = next(row for row in listing(engine) if row["number"] == step.number)
    with db.rehearsal(engine) as session:
        return own | {
            "reason": step.reason,
            "locks": dict(step.locks),
            "stakes": [asdict(stake) for stake in step.stakes(session)],
            "keeps": queries.kept(session, step.number),
            "runs": queries.history(session, step.number, 10),
        }
