"""Rehearse a step: bring the last backup back beside the live database, and plan, apply, verify and revert it there."""

from __future__ import annotations

from contextlib import ExitStack

from earlybird.deploy import facts, folder, scratch
from earlybird.deploy.folder import Whole
from earlybird.deploy.place import Place
from earlybird.deploy.rollback import Report
from earlybird.infra import db
from earlybird.infra.db import Engine
from earlybird.kernel.ctx import Ctx
from earlybird.migrations import service as steps

OWN = frozenset({"steps", "step_runs", "step_residue", "audit_entries", "unsealed_entries", "findings"})
"""The tables that tell of a step: they grow by a rehearsal."""


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
    before = _counts(copy)
    with report.phase("plan") as phase:
        planned = steps.plan(copy, ctx, step)
        phase.result = {"rows": planned}
    with report.phase("apply") as phase:
        applied = steps.apply(copy, ctx, step)
        phase.result = {"rows": applied}
        if applied != planned:
            phase.wrong.append(f"The plan said {planned}.")
    with report.phase("verify") as phase:
        phase.wrong += [f"{row['id']}: {row['what']}" for row in steps.verify(copy, step)[:5]]
    with report.phase("revert") as phase:
        phase.result = {"rows": steps.revert(copy, ctx, step, reason="rehearsal")}
    with report.phase("compare") as phase:
        now = _counts(copy)
        changed = [name for name in before if before[name] != now[name]]
        phase.wrong += [f"{name} had {before[name]} rows and has {now[name]}." for name in changed]


def _counts(copy: Engine) -> dict[str, int]:
    with db.rehearsal(copy) as session:
        found: dict[str, int] = facts.measured(session)["tables"]
    return {name: count for name, count in found.items() if name not in OWN}
