"""Around everything: traces, safe headers, no writes from other sites; whatever fails is told as a problem."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import urlsplit

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DataError, IntegrityError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from earlybird.infra import fields
from earlybird.infra.db import DatabaseDown
from earlybird.infra.http.doors import SAFE_METHODS, stranger
from earlybird.infra.http.problems import STATUS, problem, refusal, speaks_json
from earlybird.kernel.errors import Conflict, Failure, Invalid, TooLarge, Unavailable
from earlybird.kernel.ids import new_id

log = structlog.get_logger("http")

LARGEST_BODY = 32 * 2**20
"""The most bytes a request may carry."""

TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

CLASH = "Somebody changed that at the same moment, or it is there already; look again."
UNFIT = "A value is out of the range that can be kept."

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}

Page = Callable[[Request, int, str], Response]


Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


def install(app: FastAPI, page: Page) -> None:
    """Give the app its failure handlers; people outside the API get `page(request, status, sentence)`."""

    def show(request: Request, failure: Failure) -> Response:
        return _show(request, failure, page)

    async def refused(request: Request, failure: Exception) -> Response:
        return show(request, cast("Failure", failure))

    def told(failure: Failure) -> Callable[[Request, Exception], Awaitable[Response]]:
        async def tell(request: Request, _failure: Exception) -> Response:
            return show(request, failure)

        return tell

    async def down(request: Request, failure: Exception) -> Response:
        log.error("database_down", error=type(failure).__name__, trace_id=request.state.trace_id)
        return show(request, Unavailable("The database does not answer; try again in a moment."))

    async def clash(request: Request, failure: Exception) -> Response:
        return show(request, fields.refused(cast("IntegrityError", failure)) or Conflict(CLASH))

    async def malformed(request: Request, failure: Exception) -> Response:
        refused_first = await stranger(request)
        if refused_first is not None:
            return show(request, refused_first)
        return _malformed(request, failure, page)

    async def unknown(request: Request, failure: Exception) -> Response:
        return _unknown(request, failure, page)

    app.add_exception_handler(Failure, refused)
    app.add_exception_handler(IntegrityError, clash)
    app.add_exception_handler(DataError, told(Invalid(UNFIT)))
    app.add_exception_handler(DatabaseDown, down)
    app.add_exception_handler(RequestValidationError, malformed)
    app.add_exception_handler(HTTPException, unknown)


def _show(request: Request, failure: Failure, page: Page) -> Response:
    if speaks_json(request.url.path):
        return problem(request, failure)
    return page(request, STATUS.get(failure.kind, 500), failure.message)


def _unknown(request: Request, failure: Exception, page: Page) -> Response:
    if isinstance(failure.__cause__, Failure):  # raised while the body was read
        return _show(request, failure.__cause__, page)
    status = failure.status_code if isinstance(failure, HTTPException) else 500
    sentence = {404: "There is no such page."}.get(status, HTTPStatus(status).phrase)
    tell = refusal if speaks_json(request.url.path) else page
    answer = tell(request, status, sentence)
    answer.headers.update(getattr(failure, "headers", None) or {})
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        answer.headers["Allow"] = ", ".join(_allowed(request))
    return answer


def _allowed(request: Request) -> list[str]:
    """Return what may be done with the path that was asked for."""

    def fits(method: str) -> bool:
        asked = {**request.scope, "method": method}
        return any(route.matches(asked)[0] == Match.FULL for route in request.app.router.routes)

    found = [method for method in METHODS if fits(method)]
    return ["GET", "HEAD", *found[1:]] if found[:1] == ["GET"] else found


def _malformed(request: Request, failure: Exception, page: Page) -> Response:
    found = failure.errors() if isinstance(failure, RequestValidationError) else []
    if speaks_json(request.url.path):
        errors = [{"pointer": "/" + "/".join(map(str, e["loc"])), "detail": e["msg"]} for e in found]
        return refusal(request, 422, "The input breaks a rule.", kind="urn:earlybird:invalid", errors=errors)
    sentence = "; ".join(f"{e['loc'][-1]}: {e['msg']}" for e in found)
    return page(request, 422, sentence or "The input breaks a rule.")


class Out:
    """The way out of one request: every answer gets its trace, and the safe headers it does not set itself."""

    def __init__(self, send: Send, trace_id: str, request_id: str, *, is_static: bool) -> None:
        self.send = send
        self.started = False
        self.has_body = True
        span = new_id().hex[-16:]
        extra = HEADERS | {"X-Request-Id": request_id, "Traceresponse": f"00-{trace_id}-{span}-01"}
        if not is_static:
            extra["Cache-Control"] = "no-store"
        self.headers = [(name.lower().encode(), text.encode()) for name, text in extra.items()]

    async def __call__(self, message: MutableMapping[str, Any]) -> None:
        """Send a part of the answer."""
        if message["type"] == "http.response.start":
            self.started = True
            own = list(message.get("headers", []))
            given = {name.lower() for name, _ in own}
            message["headers"] = own + [(name, text) for name, text in self.headers if name not in given]
        elif not self.has_body:
            message = {**message, "body": b""}
        await self.send(message)


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
        out = Out(send, trace_id, request_id, is_static=scope["path"].startswith("/static/"))
        if scope["method"] == "HEAD":
            scope["method"] = "GET"  # what GET would answer, without its body
            out.has_body = False
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
                if isinstance(failure, TooLarge) and not out.started:
                    await problem(request, failure)(scope, receive, out)
                    return
                route = getattr(scope.get("route"), "path", None)
                log.exception("bug", route=route, method=scope["method"])
                if out.started:
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
