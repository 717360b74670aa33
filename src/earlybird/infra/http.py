"""The HTTP edge: one thread hop and one transaction per request, failures as problem+json, safe headers."""

from __future__ import annotations

import hashlib
import inspect
import math
import re
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from http import HTTPStatus
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

import limits
import limits.storage
import limits.strategies
import orjson
import structlog
from fastapi import Depends, FastAPI, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from earlybird.infra import idempotency
from earlybird.infra.db import DatabaseDown, run, transaction
from earlybird.infra.shapes import Problem
from earlybird.kernel.ctx import Actor, Ctx
from earlybird.kernel.errors import Conflict, Failure, Invalid, Stale, TooLarge, TooMany, Unavailable
from earlybird.kernel.ids import new_id

log = structlog.get_logger("http")

STATUS = {
    "invalid": 422,
    "nobody": 401,
    "forbidden": 403,
    "not_found": 404,
    "conflict": 409,
    "stale": 412,
    "too_large": 413,
    "too_many": 429,
    "unavailable": 503,
}
"""What each kind of failure costs on the wire."""

PROBLEM_SCHEMA = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
"""The shape of a refusal, its parts under `$defs`."""

LARGEST_BODY = 32 * 2**20
"""The most bytes a request may carry."""

TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")

CLASH = "Somebody changed that at the same moment, or it is there already; look again."
UNFIT = "A value is out of the range that can be kept."

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}

Admit = Callable[[Session, Ctx], Ctx]
Page = Callable[[Request, int, str], Response]


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


@dataclass(frozen=True, slots=True)
class Plan:
    """How one route runs: its function, the shape of its answer, whose version If-Match speaks of."""

    function: Callable[..., Any]
    shape: TypeAdapter[Any] | None
    table: str | None
    key: str | None
    show: Plan | None
    is_secret: bool


PLANS: dict[Callable[..., Any], Plan] = {}
"""The plan of every endpoint made by `door`: what `unchanged` and the API's description read."""


def circumstances(request: Request) -> Ctx:
    """Return who asks (nobody yet), when, from where, under which trace."""
    return Ctx(
        actor=Actor(kind="anonymous", name="anonymous", role="anonymous"),
        now=request.app.state.clock(),
        via="api" if speaks_json(request.url.path) else "console",
        address=request.client.host if request.client else None,
        device=request.headers.get("user-agent", "")[:200] or None,
        trace_id=request.state.trace_id,
    )


def door(
    lock: Any, *, unchanged: tuple[str, str, Callable[..., Any]] | None = None, secret: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Awaitable[Response]]]:
    """Turn `f(session, ctx, …)` into a route behind `lock`: admitted, run and committed in one thread hop.

    The commit, and the answer's JSON, come before the response leaves. What the function returns is held to its
    return annotation. A request that only looks (GET, HEAD) gets a read-only transaction: viewing never writes,
    and the database holds us to it; its answer carries an ETag. A write under an `Idempotency-Key` happens once.
    `unchanged=(table, parameter, show)` honours If-Match: the row is locked and what `show` answers compared.
    A `Failure` that is returned, not raised, is committed first. `secret` answers are never kept.
    A parameter named `request` receives the request; all others are FastAPI's.
    """

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
            function, TypeAdapter(kind) if kind is not None else None, table, key, PLANS[show] if show else None, secret
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
                print_ = idempotency.fingerprint(request.method, url.path, url.query, await request.body())
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
            ctx = caller.admit(session, circumstances(request))
            who = f"{ctx.actor.kind}:{ctx.actor.id}"
            key = request.headers.get("idempotency-key", "") if print_ and ctx.actor.id else None
            if key is not None:
                kept = idempotency.claim(session, ctx, who, key, print_ or "")
                if kept is not None:
                    return Response(kept.body, kept.status, kept.headers | {"Idempotent-Replayed": "true"})
            if plan.table and "if-match" in request.headers:
                _check_unchanged(session, ctx, plan, request, facts)
            found = plan.function(session, ctx, **facts)
            answer = problem(request, found) if isinstance(found, Failure) else _answer(request, plan, found)
            if key is not None:
                names = ("content-type", "etag", "location")
                headers = {name: answer.headers[name] for name in names if name in answer.headers}
                sent = idempotency.Answer(answer.status_code, headers, bytes(answer.body))
                idempotency.keep(session, who, key, sent, is_secret=plan.is_secret)
    except Failure as failure:
        if failure.kind == "nobody" and (wait := request.app.state.limiter.wait(None, request)):
            return problem(request, TooMany(retry_after=wait))
        raise
    if is_look and answer.headers.get("etag") and _matches(request.headers.get("if-none-match"), answer):
        return Response(status_code=304, headers={"ETag": answer.headers["etag"]})
    return answer


def _answer(request: Request, plan: Plan, found: Any) -> Response:
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


class Limiter:
    """How often one caller may ask one process: so many requests in any minute, by credential or address."""

    def __init__(self, per_minute: int) -> None:
        self._item = limits.RateLimitItemPerMinute(per_minute)
        self._window = limits.strategies.SlidingWindowCounterRateLimiter(limits.storage.MemoryStorage())

    def wait(self, credential: str | None, request: Request) -> int:
        """Count one request; return 0, or how many seconds its caller has to wait."""
        caller = hashlib.sha256(credential.encode()).hexdigest() if credential else ""
        name = caller or (request.client.host if request.client else "")
        if self._window.hit(self._item, name):
            return 0
        return max(1, math.ceil(self._window.get_window_stats(self._item, name).reset_time - time.time()))


def as_json(facts: Any, status: int = 200, media_type: str = "application/json") -> Response:
    """Return a JSON response; dates and ids as text, money as whole minor units."""
    return Response(orjson.dumps(facts, default=str, option=orjson.OPT_NON_STR_KEYS), status, media_type=media_type)


def speaks_json(path: str) -> bool:
    """Return whether a path belongs to the API; people outside it get pages."""
    return path.startswith(("/api/", "/auth/"))


def problem(request: Request, failure: Failure) -> Response:
    """Return a failure as RFC 9457 problem details: what was refused, which field, under which trace."""
    status = STATUS.get(failure.kind, 500)
    mistakes = None
    if failure.field:
        mistakes = [{"pointer": "/" + failure.field.replace(".", "/"), "detail": failure.message}]
    answer = refusal(
        request,
        status,
        failure.message,
        kind=f"urn:earlybird:{failure.kind}:{type(failure).__name__}",
        errors=mistakes,
        facts=failure.facts or None,
    )
    if failure.kind == "nobody":
        answer.headers["WWW-Authenticate"] = "Bearer"
    if "retry_after" in failure.facts:
        answer.headers["Retry-After"] = str(failure.facts["retry_after"])
    elif failure.kind in {"unavailable", "too_many"}:
        answer.headers["Retry-After"] = "1"
    return answer


def refusal(
    request: Request,
    status: int,
    sentence: str,
    *,
    kind: str = "about:blank",
    errors: list[dict[str, str]] | None = None,
    facts: dict[str, Any] | None = None,
) -> Response:
    """Return problem details."""
    body: dict[str, Any] = {
        "type": kind,
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": sentence,
        "instance": request.url.path,
        "trace_id": request.state.trace_id,
    }
    body |= {name: value for name, value in (("errors", errors), ("facts", facts)) if value}
    return as_json(body, status, "application/problem+json")


PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"description": sentence}
    for status, sentence in {
        400: "The request is not HTTP as it should be.",
        401: "Sign in first, or with a token that is still good.",
        403: "Your role may not do that.",
        404: "There is no such thing, or it is not yours.",
        409: "The present state does not allow that.",
        412: "It was changed since it was read.",
        413: "That is larger than what is taken.",
        422: "The input breaks a rule; `errors` names the fields.",
        429: "Too many requests; wait as long as Retry-After says.",
        503: "A part we depend on does not answer; try again.",
    }.items()
}
"""The refusals every route may answer with."""


def install(app: FastAPI, page: Page) -> None:
    """Give the app its failure handlers; people outside the API get `page(request, status, sentence)`."""

    def show(request: Request, failure: Failure) -> Response:
        if speaks_json(request.url.path):
            return problem(request, failure)
        return page(request, STATUS.get(failure.kind, 500), failure.message)

    async def refused(request: Request, failure: Exception) -> Response:
        return show(request, failure if isinstance(failure, Failure) else Failure())

    def told(failure: Failure) -> Callable[[Request, Exception], Awaitable[Response]]:
        async def tell(request: Request, _failure: Exception) -> Response:
            return show(request, failure)

        return tell

    async def down(request: Request, failure: Exception) -> Response:
        log.error("database_down", error=type(failure).__name__, trace_id=request.state.trace_id)
        return show(request, Unavailable("The database does not answer; try again in a moment."))

    async def malformed(request: Request, failure: Exception) -> Response:
        stranger = await _stranger(request)
        if stranger is not None:
            return show(request, stranger)
        return _malformed(request, failure, page)

    async def unknown(request: Request, failure: Exception) -> Response:
        status = failure.status_code if isinstance(failure, HTTPException) else 500
        sentence = {404: "There is no such page."}.get(status, HTTPStatus(status).phrase)
        answer = (
            refusal(request, status, sentence) if speaks_json(request.url.path) else page(request, status, sentence)
        )
        answer.headers.update(getattr(failure, "headers", None) or {})
        return answer

    app.add_exception_handler(Failure, refused)
    app.add_exception_handler(IntegrityError, told(Conflict(CLASH)))
    app.add_exception_handler(DataError, told(Invalid(UNFIT)))
    app.add_exception_handler(DatabaseDown, down)
    app.add_exception_handler(RequestValidationError, malformed)
    app.add_exception_handler(HTTPException, unknown)


def _malformed(request: Request, failure: Exception, page: Page) -> Response:
    found = failure.errors() if isinstance(failure, RequestValidationError) else []
    if speaks_json(request.url.path):
        errors = [{"pointer": "/" + "/".join(map(str, e["loc"])), "detail": e["msg"]} for e in found]
        return refusal(request, 422, "The input breaks a rule.", kind="urn:earlybird:invalid", errors=errors)
    sentence = "; ".join(f"{e['loc'][-1]}: {e['msg']}" for e in found)
    return page(request, 422, sentence or "The input breaks a rule.")


async def _stranger(request: Request) -> Failure | None:
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


Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Edge:
    """Around everything: a trace id in and out, safe headers, no writes from other sites, bugs logged as 500."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): text.decode("latin-1") for name, text in scope["headers"]}
        trace_id, request_id = _trace(headers)
        scope.setdefault("state", {})["trace_id"] = trace_id
        started = False

        async def out(message: MutableMapping[str, Any]) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                span = new_id().hex[-16:]
                extra = HEADERS | {"X-Request-Id": request_id, "Traceresponse": f"00-{trace_id}-{span}-01"}
                if not scope["path"].startswith("/static/"):
                    extra["Cache-Control"] = "no-store"
                message["headers"] = [
                    *message.get("headers", []),
                    *((name.lower().encode(), text.encode()) for name, text in extra.items()),
                ]
            await send(message)

        request = Request(scope)
        if scope["method"] not in SAFE_METHODS and _is_foreign(headers):
            await refusal(request, 403, "Another site may not act for you.")(scope, receive, out)
            return
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > LARGEST_BODY:
            await problem(request, TooLarge(largest=LARGEST_BODY))(scope, receive, out)
            return
        with structlog.contextvars.bound_contextvars(trace_id=trace_id):
            try:
                await self.app(scope, _measured(receive), out)
            except Exception as failure:
                if isinstance(failure, TooLarge) and not started:
                    await problem(request, failure)(scope, receive, out)
                    return
                route = getattr(scope.get("route"), "path", None)
                log.exception("bug", route=route, method=scope["method"])
                if started:
                    raise
                sentence = f"Something broke; it is logged as {trace_id}."
                await refusal(request, 500, sentence)(scope, receive, out)


def _trace(headers: Mapping[str, str]) -> tuple[str, str]:
    """Return the trace this request belongs to (W3C Trace Context) and the name its sender gave it."""
    given = TRACEPARENT.fullmatch(headers.get("traceparent", ""))
    trace_id = given[1] if given and given[1] != "0" * 32 else new_id().hex
    request_id = headers.get("x-request-id", "")
    return trace_id, request_id if REQUEST_ID.fullmatch(request_id) else trace_id


def _measured(receive: Receive) -> Receive:
    """Refuse a body that turns out larger than what is taken."""
    taken = 0

    async def measured() -> MutableMapping[str, Any]:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > LARGEST_BODY:
            raise TooLarge(largest=LARGEST_BODY)
        return message

    return measured


def _is_foreign(headers: Mapping[str, str]) -> bool:
    """Return whether a write comes from another site: by Fetch Metadata, else by Origin.

    A browser's cookie without either is not believed; what brings its own credential needs no such proof.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in {"same-origin", "none"}
    origin = headers.get("origin")
    if origin is not None:
        return urlsplit(origin).netloc != headers.get("host")
    return "cookie" in headers and "authorization" not in headers


def clock() -> datetime:
    """Return the present instant: the one place where the web asks for it."""
    return datetime.now(UTC)
