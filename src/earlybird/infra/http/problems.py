"""Answers: JSON, and failures as RFC 9457 problem details."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import Request, Response

from earlybird.infra.shapes import Problem
from earlybird.kernel.errors import Failure

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

SECRET = re.compile(r"(?<=/)[A-Za-z0-9_-]{40,}(?=/|$)")
"""A token that stands in a path: a refusal does not say it back."""

PROBLEM_SCHEMA = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
"""The shape of a refusal, its parts under `$defs`."""


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
        "instance": SECRET.sub("…", request.url.path),
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
