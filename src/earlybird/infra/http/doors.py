"""Doors: a function becomes a route behind a lock, one thread hop and one transaction per request."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from http import HTTPStatus
from types import UnionType
from typing import Annotated, Any, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

from fastapi import Depends, Request, Response
from fastapi.dependencies.models import Dependant
from pydantic import TypeAdapter
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from earlybird.infra import gate, idempotency
from earlybird.infra.db import run, transaction
from earlybird.infra.http.problems import as_json, problem, speaks_json
from earlybird.kernel.ctx import Actor, Ctx
from earlybird.kernel.errors import Failure, Invalid, Stale, TooMany

T = TypeVar("T")

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class GivenTwice(Invalid):
    """A parameter is given once."""


Admit = Callable[[Session, Ctx], Ctx]


@dataclass(frozen=True, slots=True)
class Caller:
    """A request, how it is to be admitted inside the door's own transaction, and the credential it came with."""

    request: Request
    admit: Admit
    credential: str | None = None


async def anybody(request: Request) -> Caller:
    """Admit everybody: the lock of the few public routes."""
    return Caller(request, lambda _session, ctx: ctx)


PUBLIC = Depends(anybody)


class Asked(NamedTuple):
    """One request among those that go through a door together: the admitted circumstances and its parameters."""

    ctx: Ctx
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Refused:
    """The place of an answer that the function alone would have refused by raising: it had no effect."""

    failure: Failure


Together = Callable[[Session, Sequence[Asked]], Sequence[Any]]
"""The twin of a door's function for many requests at once: an answer, a `Failure` to commit, or `Refused`, for each."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How one route runs: its function, the shape of its answer, whose version If-Match speaks of."""

    function: Callable[..., Any]
    shape: TypeAdapter[Any] | None
    table: str | None
    key: str | None
    show: Plan | None
    is_secret: bool
    together: Together | None = None
    lock: Any = None


PLANS: dict[Callable[..., Any], Plan] = {}
"""The plan of every endpoint made by `door`: what `unchanged` and the API's description read."""


def circumstances(request: Request, now: datetime | None = None) -> Ctx:
    """Return who asks (nobody yet), when, from where, under which trace."""
    return Ctx(
        actor=Actor(kind="anonymous", name="anonymous", role="anonymous"),
        now=now or request.app.state.clock(),
        via="api" if speaks_json(request.url.path) else "console",
        address=request.client.host if request.client else None,
        device=request.headers.get("user-agent", "")[:200] or None,
        trace_id=request.state.trace_id,
    )


def door(
    lock: Any,
    *,
    unchanged: tuple[str, str, Callable[..., Any]] | None = None,
    secret: bool = False,
    together: Together | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Awaitable[Response]]]:
    """Turn `f(session, ctx, …)` into a route behind `lock`: admitted, run and committed in one thread hop.

    The commit, and the answer's JSON, come before the response leaves. What the function returns is held to its
    return annotation. A request that only looks (GET, HEAD) gets a read-only transaction: viewing never writes,
    and the database holds us to it; its answer carries an ETag. A write under an `Idempotency-Key` happens once.
    `unchanged=(table, parameter, show)` honours If-Match: the row is locked and what `show` answers compared.
    A `Failure` that is returned, not raised, is committed first. `secret` answers are never kept.
    With `together`, requests that wait at the same moment are carried out as one (see `gathering`).
    A parameter named `request` receives the request; all others are FastAPI's.
    """
    assert not (together and (secret or unchanged))  # noqa: S101  # what goes through together has neither

    def around(function: Callable[..., Any]) -> Callable[..., Awaitable[Response]]:
        hints = get_type_hints(function, include_extras=True)
        plain = inspect.signature(function)
        wanted = [
            parameter.replace(annotation=hints.get(name, parameter.annotation), kind=parameter.KEYWORD_ONLY)
            for name, parameter in plain.parameters.items()
            if name not in {"session", "_session", "ctx", "_ctx", "request"}
        ]
        caller = inspect.Parameter("caller", inspect.Parameter.KEYWORD_ONLY, annotation=Annotated[Caller, lock])
        kind = _answer_kind(hints.get("return"))
        table, key, show = unchanged or (None, None, None)
        plan = Plan(
            function,
            TypeAdapter(kind) if kind is not None else None,
            table,
            key,
            PLANS[show] if show else None,
            secret,
            together,
            lock.dependency,
        )

        @wraps(function)
        async def endpoint(*, caller: Caller, **facts: Any) -> Response:
            request = caller.request
            wait = request.app.state.limiter.wait(caller.credential, request)
            if wait:
                return problem(request, TooMany(retry_after=wait))
            if "request" in plain.parameters:
                facts["request"] = request
            print_ = None
            if request.method not in SAFE_METHODS and "idempotency-key" in request.headers:
                url = request.url
                body = request.state.taken if hasattr(request.state, "taken") else await request.body()
                print_ = idempotency.fingerprint(request.method, url.path, url.query, body)
            if plan.together is not None:
                found: Response | None = await request.app.state.gatherer.answer(plan, caller, facts, print_)
                if found is not None:
                    return found
            return await run_in_threadpool(_hop, plan, caller, facts, print_)

        endpoint.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [caller, *wanted], return_annotation=inspect.Signature.empty if kind is None else kind
        )
        endpoint.__annotations__ = {"caller": Annotated[Caller, lock]} | {p.name: p.annotation for p in wanted}
        if kind is not None:
            endpoint.__annotations__["return"] = kind
        PLANS[endpoint] = plan
        return endpoint

    return around


def _answer_kind(hint: Any) -> Any:
    """Return the shape a function answers in: None for a Response, for free JSON and for no content."""
    parts = get_args(hint) if get_origin(hint) in {Union, UnionType} else (hint,)
    kinds = [kind for kind in parts if not (isinstance(kind, type) and issubclass(kind, Failure))]
    if len(kinds) > 1:
        return Union[tuple(kinds)]  # noqa: UP007  # made at run time
    kind = kinds[0]
    is_free = kind in {None, type(None), Any} or get_origin(kind) is dict
    return None if is_free or (isinstance(kind, type) and issubclass(kind, Response)) else kind


def _hop(plan: Plan, caller: Caller, facts: dict[str, Any], print_: str | None) -> Response:
    request = caller.request
    is_look = request.method in SAFE_METHODS
    try:
        with transaction(request.app.state.engine) as session:
            if is_look:
                run(session, "SET TRANSACTION READ ONLY")
            else:
                gate.enter(session)
            ctx = caller.admit(session, circumstances(request))
            check_once(request)
            who = f"{ctx.actor.kind}:{ctx.actor.id}"
            key = request.headers.get("idempotency-key", "") if print_ and ctx.actor.id else None
            if key is not None:
                wait = request.app.state.settings.write_wait_ms
                kept = idempotency.claim(session, ctx, who, key, print_ or "", wait_ms=wait)
                if kept is not None:
                    return replayed(kept)
            if plan.table and "if-match" in request.headers:
                _check_unchanged(session, ctx, plan, request, facts)
            found = plan.function(session, ctx, **facts)
            answer = shaped(request, plan, found)
            if key is not None:
                idempotency.keep(session, who, key, as_kept(answer), is_secret=plan.is_secret)
    except Failure as failure:
        if wait := too_many_tries(request, failure):
            return wait
        raise
    if is_look and answer.headers.get("etag") and _matches(request.headers.get("if-none-match"), answer):
        return Response(status_code=304, headers={"ETag": answer.headers["etag"]})
    return answer


def too_many_tries(request: Request, failure: Failure) -> Response | None:
    """Return the refusal of a stranger who tries too often from one address, None for everybody else."""
    if failure.kind == "nobody" and (wait := request.app.state.limiter.wait(None, request)):
        return problem(request, TooMany(retry_after=wait))
    return None


def as_kept(answer: Response) -> idempotency.Answer:
    """Return what is kept of an answer for whoever sends the request again."""
    names = ("content-type", "etag", "location")
    headers = {name: answer.headers[name] for name in names if name in answer.headers}
    return idempotency.Answer(answer.status_code, headers, bytes(answer.body))


def replayed(kept: idempotency.Answer) -> Response:
    """Return an answer that was kept."""
    return Response(kept.body, kept.status, kept.headers | {"Idempotent-Replayed": "true"})


def check_once(request: Request) -> None:
    """Refuse a parameter that is given twice: no two readers would agree which one counts."""
    names = [name for name, _ in request.query_params.multi_items()]
    for place, name in enumerate(names):
        if name in names[:place]:
            raise GivenTwice(field=f"query.{name}")


def shaped(request: Request, plan: Plan, found: Any) -> Response:
    """Return what a door's function returned as its answer."""
    if isinstance(found, Failure):
        return problem(request, found)
    if isinstance(found, Response):
        return found
    status = getattr(request.scope.get("route"), "status_code", None) or HTTPStatus.OK
    if status == HTTPStatus.NO_CONTENT:
        return Response(status_code=status)
    answer = Response(_body(plan, found), status, media_type="application/json")
    answer.headers["ETag"] = etag(bytes(answer.body))
    return answer


def _body(plan: Plan, found: Any) -> bytes:
    if plan.shape is None:
        return bytes(as_json(found).body)
    return plan.shape.dump_json(plan.shape.validate_python(found, from_attributes=True), by_alias=True)


def etag(body: bytes) -> str:
    """Return the strong ETag of a representation."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def _matches(wanted: str | None, answer: Response) -> bool:
    return bool(wanted) and (wanted == "*" or answer.headers["etag"] in [tag.strip() for tag in str(wanted).split(",")])


def _check_unchanged(session: Session, ctx: Ctx, plan: Plan, request: Request, facts: dict[str, Any]) -> None:
    """Lock the row that If-Match speaks of and compare what it looks like now."""
    assert plan.show  # noqa: S101  # it came with the table
    run(session, f"SELECT 1 FROM {plan.table} WHERE id = :id FOR UPDATE", {"id": facts[str(plan.key)]})
    now = plan.show.function(session, ctx, **{str(plan.key): facts[str(plan.key)]})
    wanted = [tag.strip() for tag in request.headers["if-match"].split(",")]
    if "*" not in wanted and etag(_body(plan.show, now)) not in wanted:
        raise Stale(field="If-Match")


async def beforehand(caller: Caller, look: Callable[[Session, Ctx], T]) -> T:
    """Admit the caller and look, in a read-only transaction of its own, before a door's own work begins.

    For dependencies that do something long between being asked and being able to write: it fails as the door would.
    """
    request = caller.request
    wait = request.app.state.limiter.wait(caller.credential, request)
    if wait:
        raise TooMany(retry_after=wait)

    def ask() -> T:
        with transaction(request.app.state.engine) as session:
            run(session, "SET TRANSACTION READ ONLY")
            ctx = caller.admit(session, circumstances(request))
            check_once(request)
            return look(session, ctx)

    return await run_in_threadpool(ask)


async def stranger(request: Request) -> Failure | None:
    """Return why the caller may not use the route at all: that is said before what is wrong with the input."""
    route = request.scope.get("route")
    asked = getattr(route, "dependant", Dependant()).dependencies
    callers = [await lock.call(request) for lock in asked if lock.call and lock.name == "caller"]

    def ask(caller: Caller) -> Failure | None:
        try:
            with transaction(request.app.state.engine) as session:
                run(session, "SET TRANSACTION READ ONLY")
                caller.admit(session, circumstances(request))
        except Failure as failure:
            return failure
        return None

    return await run_in_threadpool(ask, callers[0]) if callers else None
