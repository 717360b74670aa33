"""Run reversible steps: plan (really run, rolled back), apply in resumable batches, verify independently."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.infra import db
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.errors import Conflict, NotFound
from earlybird.migrations.models import Step as StepRow
from earlybird.migrations.models import StepRun
from earlybird.migrations.residue import Batch
from earlybird.migrations.states import MACHINE
from earlybird.migrations.steps import (
    delivery_to_order,
    login_to_customer,
    one_kind_of_id,
    one_time_orders_charged,
    order_state,
    order_to_standing_order,
    quantities_on_lines,
)

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many batches are done, and of how many."""

WORKERS = 2
"""Batches of a step that run at once; they touch different customers."""


class Step(Protocol):
    """One file of migrations/steps."""

    NUMBER: int
    NAME: str
    TITLE: str
    WARNING: str

    @property
    def TOUCHES(self) -> tuple[str, ...]:  # noqa: N802
        """The tables it changes."""

    def phases(self, session: Session) -> list[list[Any]]:
        """Cut the work into batches; the batches of a phase may run at once, phases come one by one."""

    def apply(self, session: Session, ctx: Ctx, batch: Batch, chunk: Any) -> dict[str, int]:
        """Do one batch; return rows per table."""

    def verify(self, session: Session) -> list[dict[str, Any]]:
        """List what is wrong, by another way of asking."""


STEPS: tuple[Step, ...] = (
    order_to_standing_order,
    delivery_to_order,
    login_to_customer,
    order_state,
    one_time_orders_charged,
    quantities_on_lines,
    one_kind_of_id,
)


class NoSuchStep(NotFound):
    """There is no such step; `earlybird steps list` shows them."""


class StepNotVerified(Conflict):
    """The step was applied, but its check finds something wrong."""


def find(name: str) -> Step:
    """Return a step by number or name."""
    for step in STEPS:
        if name in (str(step.NUMBER), step.NAME):
            return step
    raise NoSuchStep(field="step", value=name)


def _row(session: Session, step: Step) -> StepRow:
    db.run(
        session,
        "INSERT INTO steps (number, name) VALUES (:number, :name) ON CONFLICT (number) DO NOTHING",
        {"number": step.NUMBER, "name": step.NAME},
    )
    return session.query(StepRow).filter(StepRow.number == step.NUMBER).with_for_update().one()


LOCK = "earlybird.steps"
"""One step runs at a time, in whatever process."""


def _tell(session: Session, step: Step) -> None:
    """Say which step this transaction is of, so that the guards let it take back what it wrote."""
    session.execute(text("SELECT set_config('earlybird.step', :number, true)"), {"number": str(step.NUMBER)})


def _add(total: dict[str, int], part: dict[str, int]) -> None:
    for table, count in part.items():
        total[table] = total.get(table, 0) + count


def plan(engine: Engine, ctx: Ctx, step: Step, progress: Progress | None = None) -> dict[str, int]:
    """Run every batch for real and roll each back; return the rows per table that `apply` would change.

    A step that builds on an unapplied one plans only what it could do today.
    """
    total: dict[str, int] = {}
    with db.alone(engine, LOCK), db.rehearsal(engine) as session:
        chunks = [chunk for phase in step.phases(session) for chunk in phase]
    for number, chunk in enumerate(chunks):
        with db.rehearsal(engine) as session:
            row = _row(session, step)
            run = StepRun(step_id=row.id, verb="plan", actor_name=ctx.actor.name, started_at=ctx.now)
            session.add(run)
            session.flush()
            _tell(session, step)
            _add(total, step.apply(session, ctx, Batch(row.id, run.id, -1 - number), chunk))
        if progress:
            progress(step.TITLE, number + 1, len(chunks))
    return total


def apply(engine: Engine, ctx: Ctx, step: Step, progress: Progress | None = None) -> dict[str, int]:
    """Apply the step: one transaction a batch, safe to interrupt and to repeat; then verify it.

    Returns rows per table. Raises StepNotVerified when the independent check finds something.
    """
    with db.alone(engine, LOCK):
        with db.transaction(engine) as session:
            row = _row(session, step)
            audit.move(session, ctx, row, MACHINE, "begin")
            run = StepRun(step_id=row.id, verb="apply", actor_name=ctx.actor.name, started_at=ctx.now)
            session.add(run)
            session.flush()
            first = db.value(
                session, "SELECT coalesce(max(batch), 0) FROM step_residue WHERE step_id = :id", {"id": row.id}
            )
            phases = step.phases(session)
            step_id, run_id = row.id, run.id
        total = _run_batches(engine, ctx, step, Batch(step_id, run_id, int(first)), phases, progress)
        with db.transaction(engine) as session:
            db.analyze(session, *step.TOUCHES)
            db.whole_sets(session)
            wrong = step.verify(session)
            db.run(
                session,
                "UPDATE step_runs SET finished_at = :now, row_counts = :counts, result = :result WHERE id = :id",
                {"now": ctx.now, "counts": _json(total), "result": _json({"wrong": len(wrong)}), "id": run_id},
            )
            if not wrong:
                audit.move(session, ctx, _row(session, step), MACHINE, "finish")
                audit.record(session, ctx, "step.apply", "step", step_id, after=total, row_count=sum(total.values()))
        if wrong:
            raise StepNotVerified(step=step.NAME, found=len(wrong), first=wrong[0])
    return total


def _json(value: Any) -> Any:
    from psycopg.types.json import Jsonb

    return Jsonb(value)


def _run_batches(
    engine: Engine, ctx: Ctx, step: Step, before: Batch, phases: list[list[Any]], progress: Progress | None
) -> dict[str, int]:
    numbers = itertools.count(before.number + 1)

    def work(numbered: tuple[int, Any]) -> dict[str, int]:
        number, chunk = numbered
        with db.transaction(engine) as session:
            db.settled_later(session)
            _tell(session, step)
            return step.apply(session, ctx, Batch(before.step_id, before.run_id, number), chunk)

    total: dict[str, int] = {}
    done, count = 0, sum(len(phase) for phase in phases)
    with ThreadPoolExecutor(WORKERS) as pool:
        for phase in phases:
            for part in pool.map(work, [(next(numbers), chunk) for chunk in phase]):
                _add(total, part)
                done += 1
                if progress:
                    progress(step.TITLE, done, count)
    return total


def verify(engine: Engine, step: Step) -> list[dict[str, Any]]:
    """Return what the step's independent check finds wrong."""
    with db.rehearsal(engine) as session:
        return step.verify(session)


def listing(engine: Engine) -> list[dict[str, Any]]:
    """Return every step with its state and its last run."""
    with db.rehearsal(engine) as session:
        found = {
            row["number"]: row
            for row in db.rows(
                session,
                "SELECT s.number, s.state, s.state_at, r.row_counts, r.result FROM steps s LEFT JOIN LATERAL ("
                "SELECT row_counts, result FROM step_runs r WHERE r.step_id = s.id AND r.finished_at IS NOT NULL "
                "ORDER BY r.started_at DESC, r.id DESC LIMIT 1) r ON true",
            )
        }
    return [
        {
            "number": step.NUMBER,
            "name": step.NAME,
            "title": step.TITLE,
            "touches": list(step.TOUCHES),
            "warning": step.WARNING,
            "state": found.get(step.NUMBER, {}).get("state", "pending"),
            "since": found.get(step.NUMBER, {}).get("state_at"),
            "rows": found.get(step.NUMBER, {}).get("row_counts"),
        }
        for step in STEPS
    ]
