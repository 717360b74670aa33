"""The queue's way to the money side: what the minute and the night call."""

from __future__ import annotations

from collections.abc import Callable

from earlybird.billing.service import cash, charges, messages, monthly
from earlybird.infra.db import Engine, transaction
from earlybird.infra.ports.messages import Messages
from earlybird.infra.schedule import Periodic
from earlybird.infra.security import Keys
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

MONTHLY = Periodic(
    name="billing.bill_month",
    cron="15 21 2 * *",
    run=lambda engine, ctx: monthly.bill_finished_month(engine, ctx, ctx.now),
    each=monthly.bill_finished_month,
)
"""A day after every zone's month is over, so that what may be confirmed a day late is on the bill."""


def tell(keys: Callable[[], Keys], gateways: Callable[[], Messages]) -> Periodic:
    """Return the job that each minute tells customers of their bills and payments."""
    return Periodic(
        "billing.tell", "* * * * *", lambda engine, ctx: messages.tell(engine, ctx, keys(), gateways().channels)
    )


def remind(keys: Callable[[], Keys], gateways: Callable[[], Messages]) -> Periodic:
    """Return the job that each day reminds customers of what is overdue."""
    return Periodic(
        "billing.remind", "30 4 * * *", lambda engine, ctx: messages.remind(engine, ctx, keys(), gateways().channels)
    )
