"""The queue's way to webhooks: make events of what changed, send what is due, forget what is old."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait

from earlybird.infra.db import Engine, transaction
from earlybird.infra.outward import NotReached, Outward
from earlybird.infra.queue import OnDemand, enqueue
from earlybird.infra.schedule import Periodic
from earlybird.infra.security import Keys
from earlybird.kernel.ctx import Ctx
from earlybird.webhooks import rules, service
from earlybird.webhooks.service import Outcome, Taken

SENDERS = 8
DEADLINE_SECONDS = 60
"""How long a batch may take in all, well within its lease; who has not answered by then counts as not reached."""


TOO_SLOW = "The host did not answer in time."


def send(engine: Engine, ctx: Ctx, keys: Keys, outward: Outward) -> int:
    """Make events of all that changed and send one batch, outside of any transaction; return how many were tried.

    A crash between sending and noting sends the batch again, under the same ids.
    """
    changes = service.CHUNK
    while changes == service.CHUNK:
        with transaction(engine) as session:
            changes = service.pull(session, ctx)
    with transaction(engine) as session:
        taken = service.take(session, ctx, keys)
    if taken:
        outcomes = _post_all(ctx, outward, taken)
        with transaction(engine) as session:
            service.note(session, ctx, outcomes)
    return len(taken)


def _post_all(ctx: Ctx, outward: Outward, taken: list[Taken]) -> list[Outcome]:
    pool = ThreadPoolExecutor(SENDERS)
    try:
        sending = {pool.submit(_post, ctx, outward, each): each for each in taken}
        done, late = wait(sending, DEADLINE_SECONDS)
        gone = [
            Outcome(sending[each], None, "The host did not answer in time.", DEADLINE_SECONDS * 1000) for each in late
        ]
        return [each.result() for each in done] + gone
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _post(ctx: Ctx, outward: Outward, taken: Taken) -> Outcome:
    headers = rules.headers(str(taken.event_id), ctx.now, taken.body, taken.signing)
    started = time.monotonic()
    status, error = None, None
    try:
        status = outward.post(taken.url, taken.body.encode(), headers)
    except NotReached as failure:
        error = failure.message
    return Outcome(taken, status, error, round((time.monotonic() - started) * 1000))


def on_demand(keys: Keys, outward: Outward) -> OnDemand:
    """Return the job that sends; as long as it finds something it asks for itself again, with a fresh clock."""

    def call(engine: Engine, ctx: Ctx) -> int:
        count = send(engine, ctx, keys, outward)
        if count:
            with transaction(engine) as session:
                enqueue(session, service.SEND)
        return count

    return OnDemand(service.SEND, call)


def sweep(keys: Callable[[], Keys], outward: Outward) -> Periodic:
    """Return the job that looks every ten seconds for what changed and what is due again."""
    return Periodic("webhooks.sweep", "* * * * * */10", lambda engine, ctx: on_demand(keys(), outward).run(engine, ctx))


def forget(engine: Engine, ctx: Ctx) -> int:
    """Drop what is older than 30 days; return how many events."""
    with transaction(engine) as session:
        return service.forget(session, ctx)


NIGHTLY = Periodic("webhooks.forget", "40 20 * * *", forget)
