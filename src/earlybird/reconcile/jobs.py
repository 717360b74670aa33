"""The nightly run of all questions."""

from __future__ import annotations

from earlybird.infra.db import Engine, transaction
from earlybird.infra.schedule import Periodic
from earlybird.kernel.ctx import Ctx
from earlybird.reconcile import service


def reconcile(engine: Engine, ctx: Ctx) -> None:
    """Ask every question and keep the findings."""
    with transaction(engine) as session:
        service.snapshot(session)
        answers = service.ask(session, ctx)
    with transaction(engine) as session:
        service.keep(session, ctx, answers)


NIGHTLY = Periodic(name="reconcile.run", cron="30 21 * * *", run=reconcile)
"""At 03:00 in India, when nobody is on a round."""
