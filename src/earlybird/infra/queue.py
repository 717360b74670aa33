"""Jobs on demand: put in the queue by the transaction that needs them, run by the worker after its commit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from earlybird.infra.db import Engine, Session, run
from earlybird.kernel.ctx import Ctx


@dataclass(frozen=True, slots=True)
class OnDemand:
    """One job without a schedule: its name (`slice.verb`) and what it does. It opens its own transactions."""

    name: str
    run: Callable[[Engine, Ctx], object]


def enqueue(session: Session, name: str) -> None:
    """Let the worker run job `name` once this transaction has committed; a rollback takes it back.

    A transaction that asks for the same job again gets one. Two transactions get two, on purpose: a lock on the
    name would let the second wait for the first's commit, and share a job that may run before its own.
    """
    run(
        session,
        "SELECT procrastinate_defer_jobs_v1(ARRAY[CAST(ROW('default', CAST(:name AS text), 0, NULL, NULL, "
        "CAST('{}' AS jsonb), NULL) AS procrastinate_job_to_defer_v1)]), set_config(:mark, 'yes', true) "
        "WHERE coalesce(current_setting(:mark, true), '') = ''",
        {"name": name, "mark": f"earlybird.enqueued_{name.replace('.', '_')}"},
    )
