"""Take over an EarlyBird business from its mongoexport."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from earlybird.importers.earlybird import intake, takeover
from earlybird.importers.earlybird import report as reporting
from earlybird.infra import db
from earlybird.kernel.ctx import Ctx

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and of how much."""


def take_over(
    engine: Engine,
    ctx: Ctx,
    folder: Path,
    *,
    name: str | None = None,
    cutover_on: date | None = None,
    link: Callable[[], None] | None = None,
    progress: Progress = lambda _what, _done, _count: None,
) -> dict[str, dict[str, int]]:
    """Take a dump in, convert it, and let `link` tie it together; return the counts per collection.

    One at a time: a second take-over waits and then finds nothing to do. Every part is its own transaction and
    makes only what is not there, so it may be killed at any instant and repeated. Raises DumpUnreadable.
    """
    with intake.alone(engine):
        taken = intake.take_in(engine, ctx, folder, lambda what, read: progress(f"Read {what}", read, max(read, 1)))
        takeover.convert(engine, ctx, name=name, cutover_on=cutover_on, progress=progress)
        if link:
            link()
        intake.finish(engine, ctx, taken.run_id)
    return {what: counts.as_report() for what, counts in taken.collections.items()}


def report(engine: Engine, taken: dict[str, dict[str, int]]) -> dict[str, Any]:
    """Return the migration report (docs/contract.md) of a dump that was taken over."""
    with db.rehearsal(engine) as session:
        return reporting.report(session, taken)


def bills(engine: Engine, month: str | None = None) -> dict[str, Any]:
    """Return the old bill beside what was delivered, per customer and month, with totals."""
    with db.rehearsal(engine) as session:
        return reporting.bills(session, month)
