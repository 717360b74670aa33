"""The queue's way to messages: what a commit asks for, and what the minute sweeps up."""

from __future__ import annotations

from collections.abc import Callable

from earlybird.infra.db import Engine, transaction
from earlybird.infra.ports.messages import Messages, NotSent
from earlybird.infra.queue import OnDemand, enqueue
from earlybird.infra.schedule import Periodic
from earlybird.infra.security import Keys
from earlybird.kernel.ctx import Ctx
from earlybird.notifications import service


def send(engine: Engine, ctx: Ctx, keys: Keys, messages: Messages) -> int:
    """Send a few messages that are due, outside of any transaction; return how many were taken.

    Each outcome is noted in a transaction of its own. A crash between sending and noting sends it again.
    """
    with transaction(engine) as session:
        taken = service.take(session, ctx, keys, messages.channels)
    for message in taken:
        try:
            messages.send(message.channel, message.address, message.subject, message.body)
        except NotSent as failure:
            with transaction(engine) as session:
                service.note_failed(session, ctx, message, failure.message)
        else:
            with transaction(engine) as session:
                service.note_sent(session, ctx, message)
    return len(taken)


def on_demand(keys: Keys, messages: Messages) -> OnDemand:
    """Return the job that sends; as long as batches are full it asks for itself again, with a fresh clock."""

    def call(engine: Engine, ctx: Ctx) -> int:
        count = send(engine, ctx, keys, messages)
        if count == service.BATCH:
            with transaction(engine) as session:
                enqueue(session, service.SEND)
        return count

    return OnDemand(service.SEND, call)


def sweep(keys: Callable[[], Keys], messages: Callable[[], Messages]) -> Periodic:
    """Return the job that each minute takes up what was left: tried again, or its sender died."""
    return Periodic(
        "notifications.sweep", "* * * * *", lambda engine, ctx: on_demand(keys(), messages()).run(engine, ctx)
    )
