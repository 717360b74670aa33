"""The queue's way to the plan, made after the cut-off and again when asked, and to what customers are told of it."""

from __future__ import annotations

from collections.abc import Callable

from earlybird.deliveries.service import messages, nightly, replanning
from earlybird.infra.ports.messages import Messages
from earlybird.infra.schedule import Periodic
from earlybird.infra.security import Keys

PLAN = Periodic(name="deliveries.plan", cron="*/5 * * * *", run=nightly.plan_due)
REPLAN = Periodic(name="deliveries.replan", cron="* * * * *", run=replanning.replan_due)


def tell(keys: Callable[[], Keys], gateways: Callable[[], Messages]) -> Periodic:
    """Return the job that each minute tells customers of orders, rounds, outcomes at the door and pauses."""
    return Periodic(
        "deliveries.tell", "* * * * *", lambda engine, ctx: messages.tell(engine, ctx, keys(), gateways().channels)
    )
