"""The emergency path: stop writers, take steps back, verify, let writers go on, verify; each phase timed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from earlybird.audit.queries import verification
from earlybird.deploy import facts, writing
from earlybird.deploy.errors import NotRecovered
from earlybird.deploy.place import Place
from earlybird.infra import db, gate
from earlybird.infra.checkpoints import Checkpoints, Trust
from earlybird.infra.db import Engine
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.errors import Failure
from earlybird.migrations import service as steps
from earlybird.reconcile import service as reconcile

BATCH_SECONDS = 5.0
"""How long a batch may take while nobody writes."""

Told = Callable[[str], None]
"""Called with the phase that begins."""


@dataclass
class Phase:
    """One phase: what it was, how long it took in seconds, what came of it."""

    name: str
    seconds: float = 0.0
    result: dict[str, Any] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def as_facts(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {"phase": self.name, "seconds": round(self.seconds, 3), "wrong": self.wrong, **self.result}


@dataclass
class Report:
    """The phases so far."""

    told: Told
    phases: list[Phase] = field(default_factory=list)

    @contextmanager
    def phase(self, name: str) -> Iterator[Phase]:
        """Time one phase; a failure of it is kept with it, and goes on."""
        self.told(name)
        found, begun = Phase(name), time.monotonic()
        self.phases.append(found)
        try:
            yield found
        except Failure as failure:
            found.wrong.append(str(failure))
            raise
        finally:
            found.seconds = time.monotonic() - begun

    @property
    def wrong(self) -> list[str]:
        """What does not hold."""
        return [sentence for phase in self.phases for sentence in phase.wrong]

    def as_facts(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "ok": not self.wrong,
            "seconds": round(sum(phase.seconds for phase in self.phases), 3),
            "phases": [phase.as_facts() for phase in self.phases],
        }


def run(
    engine: Engine, ctx: Ctx, place: Place, down: Sequence[steps.Step], *, reason: str, patience: float, report: Report
) -> None:
    """Take the steps of `down` back, in their order, while nobody writes; raise `NotRecovered` if it does not verify.

    Then, and where the process dies, writing stays stopped, so that nobody builds on what is half taken back; the
    same command goes on from there. Whoever calls this has had the names of the steps typed that open a hole.
    """
    with ExitStack() as stack:
        with report.phase("stop writers"):
            stack.enter_context(writing.stopped(engine, ctx, reason=reason, patience=patience))
        for step in down:
            with report.phase(f"revert {step.number} {step.name}") as phase:
                back = steps.revert(engine, ctx, step, reason=reason, confirmed=step.name, batch_seconds=BATCH_SECONDS)
                phase.result = {"rows": back.rows}
        with report.phase("verify") as phase:
            _verify(engine, ctx, place, phase)
        if report.wrong:
            raise NotRecovered(first=report.wrong[0])
        with report.phase("start writers"):
            writing.allow(engine, ctx, reason=reason)
    with report.phase("verify writers"), db.rehearsal(engine) as session:
        gate.enter(session)


def wanted(engine: Engine, to: str) -> list[steps.Step]:
    """Return the steps that stand, or half stand, down to and with the one named, the highest first."""
    last = steps.find(to)
    standing = {row["number"] for row in steps.listing(engine) if row["state"] not in {"pending", "reverted"}}
    return [step for step in steps.between(steps.STEPS[-1], last) if step.number in standing and not step.is_structural]


KNOWN = "SELECT check_name, subject FROM findings WHERE state IN ('open', 'accepted')"


def _news(engine: Engine, ctx: Ctx) -> int:
    """Return how many answers of error level no run of the checks has found yet."""
    with db.rehearsal(engine) as session:
        reconcile.snapshot(session)
        found = {
            (answer.check.name, row["subject"])
            for answer in reconcile.ask(session, ctx)
            if answer.is_error
            for row in answer.found
        }
        return len(found - {(row["check_name"], row["subject"]) for row in db.rows(session, KNOWN)})


def _verify(engine: Engine, ctx: Ctx, place: Place, phase: Phase) -> None:
    """Ask the ledger, the audit and the steps that still stand; what reconcile newly finds is told, not wrong.

    A step taken back opens what it had closed: that is what it was for, and its findings say so.
    """
    with db.rehearsal(engine) as session:
        phase.wrong += facts.unbalanced(facts.measured(session))
    own = Checkpoints(place.checkpoint_file, place.keys)
    with db.rehearsal(engine) as session:
        verdict = verification.verify(session, own.path, Trust((own.public,)), own.mark_key)
    phase.wrong += [f"Audit: {one.sentence}" for one in verdict.ordered()[:5]]
    standing = {row["number"] for row in steps.listing(engine) if row["state"] == "applied"}
    for step in steps.STEPS:
        if step.number in standing and (wrong := steps.verify(engine, step)):
            phase.wrong.append(f"Step {step.number} {step.name}: {len(wrong)} rows do not verify.")
    phase.result = {"newly_found": _news(engine, ctx), "steps_verified": sorted(standing)}
