"""The HTTP edge: one thread hop and one transaction per request, failures as problem+json, safe headers."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from http import HTTPStatus
from typing import Annotated, Any, get_type_hints

import orjson
import structlog
from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from earlybird.infra.db import DatabaseDown, run, transaction
from earlybird.kernel.ctx import Actor, Ctx
from earlybird.kernel.errors import Conflict, Failure, Unavailable
from earlybird.kernel.ids import new_id

log = structlog.get_logger("http")

STATUS = {"invalid": 422, "nobody": 401, "forbidden": 403, "not_found": 404, "conflict": 409, "unavailable": 503}
"""What each kind of failure costs on the wire."""

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
    """A request and how it is to be admitted, inside the door's own transaction."""

    request: Request
    admit: Admit


async def anybody(request: Request) -> Caller:
    """Admit everybody: the lock of the few public routes."""
    return Caller(request, lambda _session, ctx: ctx)


PUBLIC = Depends(anybody)


def circumstances(request: Request) -> Ctx:
    """Return who asks (nobody yet), when, from where, under which trace."""
    return Ctx(
        actor=Actor(kind="anonymous", name="anonymous", role="anonymous"),
        now=request.app.state.clock(),
        via="console",
        address=request.client.host if request.client else None,
        device=request.headers.get("user-agent", "")[:200] or None,
        trace_id=request.state.trace_id,
    )


def door(lock: Any) -> Callable[[Callable[..., Any]], Callable[..., Awaitable[Response]]]:
    """Turn `f(session, ctx, …)` into a route behind `lock`: admitted, run and committed in one thread hop.

    The commit, and for a plain value its JSON, come before the response leaves. A request that only looks
    (GET, HEAD) gets a read-only transaction: viewing never writes, and the database holds us to it.
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

        @wraps(function)
        async def endpoint(*, caller: Caller, **facts: Any) -> Response:
            if "request" in plain.parameters:
                facts["request"] = caller.request
            return await run_in_threadpool(_hop, function, caller, facts)

        endpoint.__signature__ = inspect.Signature([caller, *wanted])  # type: ignore[attr-defined]
        endpoint.__annotations__ = {"caller": Annotated[Caller, lock]} | {p.name: p.annotation for p in wanted}
        return endpoint

    return around


def _hop(function: Callable[..., Any], caller: Caller, facts: dict[str, Any]) -> Response:
    request = caller.request
    with transaction(request.app.state.engine) as session:
        if request.method in SAFE_METHODS:
            run(session, "SET TRANSACTION READ ONLY")
        ctx = caller.admit(session, circumstances(request))
        found = function(session, ctx, **facts)
        return found if isinstance(found, Response) else as_json(found)


def as_json(facts: Any, status: int = 200, media_type: str = "application/json") -> Response:
    """Return a JSON response; dates and ids as text, money as whole minor units."""
    return Response(orjson.dumps(facts, default=str, option=orjson.OPT_NON_STR_KEYS), status, media_type=media_type)


def problem(request: Request, failure: Failure) -> Response:
    """Return a failure as RFC 9457 problem details: what was refused, which field, under which trace."""
    status = STATUS.get(failure.kind, 500)
    body: dict[str, Any] = {
        "type": f"urn:earlybird:{failure.kind}:{type(failure).__name__}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": failure.message,
        "instance": request.url.path,
        "trace_id": request.state.trace_id,
    }
    if failure.field:
        body["errors"] = [{"pointer": "/" + failure.field.replace(".", "/"), "detail": failure.message}]
    if failure.facts:
        body["facts"] = failure.facts
    answer = as_json(body, status, "application/problem+json")
    if failure.kind == "nobody":
        answer.headers["WWW-Authenticate"] = "Cookie"
    return answer


def install(app: FastAPI, page: Page) -> None:
    """Give the app its failure handlers; people outside /api get `page(request, status, sentence)`."""

    def show(request: Request, failure: Failure) -> Response:
        if request.url.path.startswith("/api/"):
            return problem(request, failure)
        return page(request, STATUS.get(failure.kind, 500), failure.message)

    async def refused(request: Request, failure: Exception) -> Response:
        return show(request, failure if isinstance(failure, Failure) else Failure())

    async def clash(request: Request, _failure: Exception) -> Response:
        return show(request, Conflict("Somebody changed that at the same moment; look again."))

    async def down(request: Request, failure: Exception) -> Response:
        log.error("database_down", error=str(failure), trace_id=request.state.trace_id)
        return show(request, Unavailable("The database does not answer; try again in a moment."))

    async def malformed(request: Request, failure: Exception) -> Response:
        found = failure.errors() if isinstance(failure, RequestValidationError) else []
        body = {
            "type": "urn:earlybird:invalid",
            "title": HTTPStatus(422).phrase,
            "status": 422,
            "detail": "The input breaks a rule.",
            "instance": request.url.path,
            "trace_id": request.state.trace_id,
            "errors": [{"pointer": "/" + "/".join(map(str, e["loc"])), "detail": e["msg"]} for e in found],
        }
        if request.url.path.startswith("/api/"):
            return as_json(body, 422, "application/problem+json")
        sentence = "; ".join(f"{e['loc'][-1]}: {e['msg']}" for e in found)
        return page(request, 422, sentence or "The input breaks a rule.")

    async def unknown(request: Request, failure: Exception) -> Response:
        status = failure.status_code if isinstance(failure, HTTPException) else 500
        sentence = {404: "There is no such page."}.get(status, HTTPStatus(status).phrase)
        if not request.url.path.startswith("/api/"):
            return page(request, status, sentence)
        facts = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": sentence}
        return as_json(facts | {"instance": request.url.path}, status, "application/problem+json")

    app.add_exception_handler(Failure, refused)
    app.add_exception_handler(IntegrityError, clash)
    app.add_exception_handler(DatabaseDown, down)
    app.add_exception_handler(RequestValidationError, malformed)
    app.add_exception_handler(HTTPException, unknown)


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
        trace_id = new_id().hex
        scope.setdefault("state", {})["trace_id"] = trace_id
        started = False

        async def out(message: MutableMapping[str, Any]) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                extra = HEADERS | {"X-Request-Id": trace_id}
                if not scope["path"].startswith("/static/"):
                    extra["Cache-Control"] = "no-store"
                message["headers"] = [
                    *message.get("headers", []),
                    *((name.lower().encode(), text.encode()) for name, text in extra.items()),
                ]
            await send(message)

        headers = dict(scope["headers"])
        if scope["method"] not in SAFE_METHODS and headers.get(b"sec-fetch-site") in {b"cross-site", b"same-site"}:
            await Response("Another site may not act for you.", 403)(scope, receive, out)
            return
        try:
            await self.app(scope, receive, out)
        except Exception:
            log.exception("bug", trace_id=trace_id, path=scope["path"])
            if started:
                raise
            await Response(f"Something broke; it is logged as {trace_id}.", 500)(scope, receive, out)


def clock() -> datetime:
    """Return the present instant: the one place where the web asks for it."""
    return datetime.now(UTC)
