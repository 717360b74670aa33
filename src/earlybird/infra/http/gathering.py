"""The gathering door: requests of one route that wait at the same moment are carried out in one transaction.

While a batch runs, those that come wait for it to end and are the next batch: nobody waits for a clock. Each is
admitted by its own credential, acts in its own circumstances, claims its own Idempotency-Key and gets its own answer,
after the commit. What would hold up or spoil the others, a row locked elsewhere or a failure nobody foresaw, takes
the whole batch back; then each of its requests goes through the plain door alone.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import Any, NamedTuple

import structlog
from fastapi import Request, Response
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from earlybird.infra import idempotency
from earlybird.infra.db import run, transaction
from earlybird.infra.http.doors import (
    Asked,
    Caller,
    Plan,
    Refused,
    as_kept,
    check_once,
    circumstances,
    replayed,
    shaped,
    too_many_tries,
)
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.errors import Failure, Unavailable

log = structlog.get_logger("http")

MOST = 200
"""How many requests go through together."""

LONGEST = 2_000
"""How many may wait; who comes then is told to come again."""

PATIENCE_MS = 100
"""How long a batch waits for a row that is locked elsewhere, before whoever needs it waits alone."""

TURNS = 3
"""How many turns of the event loop without anybody new end the gathering: what has arrived by then has been read."""


class Crowded(Unavailable):
    """Too many of these are waiting; send it again in a moment."""


class Waiting(NamedTuple):
    """A request in the queue: how it is admitted, its parameters, its fingerprint where it has a key."""

    caller: Caller
    facts: dict[str, Any]
    print_: str | None
    answered: asyncio.Future[Response | BaseException | None]

    @property
    def request(self) -> Request:
        """The request itself."""
        return self.caller.request


class Gatherer:
    """The queues of one application: one for each gathering door and event loop."""

    def __init__(self) -> None:
        self._here = threading.local()

    async def answer(self, plan: Plan, caller: Caller, facts: dict[str, Any], print_: str | None) -> Response | None:
        """Carry a request out with those that wait beside it; return None where it is to go through alone."""
        loop = asyncio.get_running_loop()
        lines: dict[Any, Line] = self._here.__dict__
        line = lines.get(plan.function.__qualname__)
        if line is None or line.loop is not loop:
            line = lines[plan.function.__qualname__] = Line(plan, loop)
        found = await line.join(caller, facts, print_)
        if isinstance(found, Failure) and (refusal := too_many_tries(caller.request, found)):
            return refusal
        if isinstance(found, BaseException):
            raise found
        return found


class Line:
    """The queue before one door in one event loop; callers take turns where more wait than go through together."""

    def __init__(self, plan: Plan, loop: asyncio.AbstractEventLoop) -> None:
        self.plan = plan
        self.loop = loop
        self.count = 0
        self._waiting: OrderedDict[str | None, deque[Waiting]] = OrderedDict()
        self._runner: asyncio.Task[None] | None = None

    async def join(self, caller: Caller, facts: dict[str, Any], print_: str | None) -> Response | BaseException | None:
        """Wait for the next batch and return what became of the request."""
        if self.count >= LONGEST:
            raise Crowded(retry_after=1)
        one = Waiting(caller, facts, print_, self.loop.create_future())
        self._waiting.setdefault(caller.credential, deque()).append(one)
        self.count += 1
        if self._runner is None:
            self._runner = self.loop.create_task(self._run(), context=contextvars.Context())
        return await one.answered

    async def _run(self) -> None:
        """Let batch after batch through until nobody waits."""
        try:
            while self.count:
                await self._gather()
                batch = self._next()
                if batch:
                    for one, found in zip(batch, await self._carry_out(batch), strict=True):
                        if not one.answered.done():
                            one.answered.set_result(found)
        finally:
            self._runner = None

    async def _gather(self) -> None:
        """Let the loop read what has arrived: those whom the last batch answered may be back already."""
        quiet = 0
        while quiet < TURNS and self.count < MOST:
            before = self.count
            await asyncio.sleep(0)
            quiet = quiet + 1 if self.count == before else 0

    def _next(self) -> list[Waiting]:
        """Take the next batch, one of each caller in turn; who has gone away had no effect and gets none."""
        batch: list[Waiting] = []
        while self._waiting and len(batch) < MOST:
            credential, own = self._waiting.popitem(last=False)
            one = own.popleft()
            self.count -= 1
            if own:
                self._waiting[credential] = own
            if not one.answered.done():
                batch.append(one)
        return batch

    async def _carry_out(self, batch: list[Waiting]) -> Sequence[Response | BaseException | None]:
        try:
            return await run_in_threadpool(_together, self.plan, batch)
        except DBAPIError as failure:
            if failure.connection_invalidated:  # it may be committed: that is for each caller to find out
                return [failure] * len(batch)
            return [None] * len(batch)
        except Exception as failure:  # noqa: BLE001 - whatever one of them broke, each goes through alone
            log.warning("gathered_apart", error=type(failure).__name__, count=len(batch))
            return [None] * len(batch)


def _together(plan: Plan, batch: list[Waiting]) -> list[Response | Failure | None]:
    """Carry a batch out in one transaction; None for those that go through alone."""
    state = batch[0].request.app.state
    now = state.clock()
    with transaction(state.engine) as session:
        run(session, f"SET LOCAL lock_timeout = {PATIENCE_MS}")
        found: list[Any] = list(_admitted(session, plan, batch, [circumstances(one.request, now) for one in batch]))
        claimed = _claim(session, batch, found)
        going = [n for n, one in enumerate(found) if isinstance(one, Ctx)]
        if going:
            assert plan.together is not None  # noqa: S101  # its door says so
            done = plan.together(session, [Asked(found[n], batch[n].facts) for n in going])
            for n, one in zip(going, done, strict=True):
                found[n] = one.failure if isinstance(one, Refused) else shaped(batch[n].request, plan, one)
        idempotency.keep_many(
            session,
            [
                (claimed[n], as_kept(one))
                for n, one in enumerate(found)
                if n in claimed and n in going and isinstance(one, Response)
            ],
        )
        idempotency.free(session, [claimed[n] for n in going if n in claimed and isinstance(found[n], Failure)])
    return found


def _admitted(session: Session, plan: Plan, batch: list[Waiting], ctxs: list[Ctx]) -> list[Ctx | Failure]:
    """Return each one's circumstances with who acts, or why not: asked anew in this transaction."""
    found: list[Ctx | Failure] = plan.lock.admit_all(
        session, [(one.caller, ctx) for one, ctx in zip(batch, ctxs, strict=True)]
    )
    for n, one in enumerate(batch):
        if isinstance(found[n], Ctx):
            try:
                check_once(one.request)
            except Failure as failure:
                found[n] = failure
    return found


def _claim(session: Session, batch: list[Waiting], found: list[Any]) -> dict[int, idempotency.Claim]:
    """Claim the keys that requests bring; whoever is answered already by one gets that answer in their place.

    The second to come with a key goes through alone: by then the first is answered.
    """
    claims: dict[int, idempotency.Claim] = {}
    seen: set[tuple[str, str]] = set()
    for n, one in enumerate(batch):
        ctx = found[n]
        if isinstance(ctx, Ctx) and one.print_ and ctx.actor.id:
            who = f"{ctx.actor.kind}:{ctx.actor.id}"
            claim = idempotency.Claim(who, one.request.headers.get("idempotency-key", ""), one.print_)
            if (claim.caller, claim.key) in seen:
                found[n] = None
            else:
                seen.add((claim.caller, claim.key))
                claims[n] = claim
    if claims:
        ctx = next(found[n] for n in claims)
        for n, kept in zip(claims, idempotency.claim_many(session, ctx, list(claims.values())), strict=True):
            if kept is not None:
                found[n] = replayed(kept) if isinstance(kept, idempotency.Answer) else kept
    return claims
