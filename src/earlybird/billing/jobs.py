"""The queue's way to the money side: what the minute and the night call."""

from __future__ import annotations

from typing import Any

from earlybird.billing.service import charges
from earlybird.infra.db import transaction
from earlybird.kernel.ctx import Ctx

CHUNK = 50_000


def charge_delivered(engine: Any, ctx: Ctx) -> int:
    """Charge everything that waits, one transaction per chunk; return how many lines. Runs every minute."""
    done = 0
    while True:
        with transaction(engine) as session:
            count = charges.charge_delivered(session, ctx, limit=CHUNK)
        done += count
        if count < CHUNK:
            return done


def sweep(engine: Any, ctx: Ctx) -> int:
    """Compare all facts with all charges, then charge what was missed; return how many lines. Runs every night."""
    with transaction(engine) as session:
        charges.sweep(session)
    return charge_delivered(engine, ctx)
