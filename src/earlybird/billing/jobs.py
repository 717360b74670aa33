"""The queue's way to the money side: what the minute and the night call."""

from __future__ import annotations

from earlybird.billing.service import cash, charges
from earlybird.infra.db import Engine, transaction
from earlybird.infra.schedule import Periodic
from earlybird.kernel.ctx import Ctx

CHUNK = 200_000
CASH_CHUNK = 2_000


def charge_delivered(engine: Engine, ctx: Ctx) -> int:
    """Charge everything that waits, one transaction per chunk; return how many lines. Runs every minute."""
    done = 0
    while True:
        with transaction(engine) as session:
            count = charges.charge_delivered(session, ctx, limit=CHUNK)
        done += count
        if count < CHUNK:
            return done


def book_cash(engine: Engine, ctx: Ctx) -> int:
    """Bring the cash taken at doors into the books, one transaction per chunk; return how many stops. Every minute."""
    done = 0
    while True:
        with transaction(engine) as session:
            count = cash.book(session, ctx, limit=CASH_CHUNK)
        done += count
        if count == 0:
            return done


def sweep(engine: Engine, ctx: Ctx) -> int:
    """Compare all facts with all charges, then charge what was missed; return how many lines. Runs every night."""
    with transaction(engine) as session:
        charges.sweep(session)
    return charge_delivered(engine, ctx)


EVERY_MINUTE = Periodic(name="billing.charge", cron="* * * * *", run=charge_delivered)
CASH = Periodic(name="billing.cash", cron="* * * * *", run=book_cash)
NIGHTLY = Periodic(name="billing.sweep", cron="0 21 * * *", run=sweep)
"""Half an hour before the questions are asked, so that they find what the sweep could not mend."""
