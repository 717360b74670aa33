"""What identity does on a schedule: tell of refused sign-ins, forget old counters."""

from __future__ import annotations

from earlybird.identity.service import throttle
from earlybird.infra.db import Engine, transaction
from earlybird.infra.schedule import Periodic
from earlybird.kernel.ctx import Ctx


def watch(engine: Engine, ctx: Ctx) -> bool:
    """Keep a finding when many sign-ins were refused within the hour; return whether it is so."""
    with transaction(engine) as session:
        return throttle.report_storm(session, ctx)


def forget(engine: Engine, ctx: Ctx) -> int:
    """Drop counters and codes that nobody needs any more; return how many."""
    with transaction(engine) as session:
        return throttle.forget(session, ctx)


EVERY_MINUTE = Periodic("identity.watch_sign_ins", "* * * * *", watch)
NIGHTLY = Periodic("identity.forget_tries", "41 21 * * *", forget)
