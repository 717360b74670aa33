"""Rehearse a step: bring the last backup back beside the live database, and plan, apply, verify and revert it there."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from earlybird.deploy import folder, scratch
from earlybird.deploy.folder import Whole
from earlybird.deploy.place import Place
from earlybird.deploy.rollback import Report
from earlybird.infra import db
from earlybird.infra.db import Engine
from earlybird.kernel.ctx import Ctx
from earlybird.migrations import service as steps

CONTENTS = "SELECT md5(string_agg(h, '' ORDER BY h)) FROM (SELECT md5(t::text) AS h FROM {} t) x"


def run(engine: Engine, ctx: Ctx, place: Place, whole: Whole, step: steps.Step, report: Report) -> None:
    """Rehearse one step on a copy of a backup; the live database is not touched."""
    with folder.alone(place.home):
        with report.phase("check backup"):
            whole.check_parts()
            whole.check_ours(place.keys)
        with ExitStack() as stack:
            with report.phase("restore") as phase:
                copy = stack.enter_context(scratch.restored(engine, whole, place.key, "rehearsal"))
                phase.result = {"backup": whole.path.name}
            _play(copy, ctx, step, report)


def _play(copy: Engine, ctx: Ctx, step: steps.Step, report: Report) -> None:
    """Go there and back: from where the step stands in the backup, and to there again."""
    before = _contents(copy, step)
    was_applied = any(row["number"] == step.number and row["state"] == "applied" for row in steps.listing(copy))
    if was_applied and not step.is_structural:
        _revert(copy, ctx, step, report)
    with report.phase("plan") as phase:
        planned = steps.plan(copy, ctx, step)
        phase.result = {"rows": planned.rows}
    with report.phase("apply") as phase:
        applied = steps.apply(copy, ctx, step)
        phase.result = {"rows": applied}
        if applied != planned.rows and not was_applied:
            phase.wrong.append(f"The plan said {planned.rows}.")
    with report.phase("verify") as phase:
        phase.wrong += [f"{row['id']}: {row['what']}" for row in steps.verify(copy, step)[:5]]
    if not was_applied and not step.is_structural:
        _revert(copy, ctx, step, report)
    with report.phase("compare") as phase:
        now = _contents(copy, step)
        phase.wrong += [f"The rows of {name} are not as before." for name in before if before[name] != now[name]]


def _revert(copy: Engine, ctx: Ctx, step: steps.Step, report: Report) -> None:
    with report.phase("revert") as phase:
        phase.result = {"rows": steps.revert(copy, ctx, step, reason="rehearsal", confirmed=step.name).rows}


def _contents(copy: Engine, step: steps.Step) -> dict[str, Any]:
    """Return a digest of the rows of each table the step touches, whatever their order."""
    with db.rehearsal(copy) as session:
        return {name: db.value(session, CONTENTS.format(name)) for name in step.touches}
