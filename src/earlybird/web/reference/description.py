"""Describe the API from its routes: who may, under which conventions, with which refusals, with an example each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from earlybird import __version__
from earlybird.deliveries.access import link_action_of
from earlybird.identity.access import action_of
from earlybird.identity.rules import COOKIE, GRANTS, KEY_MARK
from earlybird.infra.http import PLANS, PROBLEM_SCHEMA, PROBLEMS, SAFE_METHODS, speaks_json

ABOUT = """Everything Earlybird does, for other software.

**Who asks.** `Authorization: Bearer TOKEN`, where the token is an access token (`POST /api/auth/login`) or a machine's
key (`ebk_…`); a browser's session cookie does too. What is not yours looks exactly like what is not there: 404.

**Writing once.** Every write takes an `Idempotency-Key`. The same request under the same key happens once; whoever
sends it again gets the first answer with `Idempotent-Replayed: true`. Another request under that key is refused
(422), one while the first still runs may be told so (409). A refused write had no effect and frees its key.

**Not overwriting.** What you read carries an `ETag`; send it back as `If-Match` and the write is refused (412) if
somebody changed it meanwhile. `If-None-Match` on a read answers 304 while nothing changed.

**Lists** come newest first: `limit` up to 200, `cursor` is the `next` of the answer before; null is the end.

**Refusals** are problem details (RFC 9457): `detail` is a sentence, `errors` point at fields, `trace_id` names the
log entry. `traceparent` (W3C) and `X-Request-Id` are taken up. 429 and 503 carry `Retry-After`.

**Values.** Money is whole minor units (`*_minor`: paise, cents) with a `currency` (ISO 4217). Quantities and unit
prices are exact decimals, as text. Instants (`*_at`) are UTC, dates (`*_on`) those of the site's zone.
Ids are UUIDv7; people see short codes (`EB-7Q4K2M9P`).
"""

SCHEMES = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "An access token, good for ten minutes; refresh it with its refresh token.",
    },
    "key": {"type": "http", "scheme": "bearer", "description": f"A machine's key, which begins with {KEY_MARK}."},
    "session": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "A signed-in browser."},
    "link": {"type": "http", "scheme": "bearer", "description": "A shared link, opened: good for half an hour."},
}
ROLES = {action: {str(role): str(scope) for role, scope in by_role.items()} for action, by_role in GRANTS}
KEY_PARAMETER = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Any text of your own, new for each new request: sent again, the write happens once.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    "example": "order-2026-01-16-4711",
}
ETAG = {"description": "The version of what was answered.", "schema": {"type": "string"}}
REPLAYED = {
    "description": "Present where this answer was given before, to the same Idempotency-Key.",
    "schema": {"type": "string", "enum": ["true"]},
}
WAIT = {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}
INSTEAD = {"uuid": "0190a6d2-7c2b-7c55-9d3e-3f1f5f9d2a10", "date": "2026-01-16", "date-time": "2026-01-15T12:00:00Z",
           "email": "asha@example.com", "time": "05:00:00", "uri": "https://example.com/"}  # fmt: skip


def describe(app: FastAPI, routers: Sequence[APIRouter]) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the API (pages for people are left out)."""
    found = get_openapi(
        title="Earlybird",
        version=__version__,
        summary="Runs a delivery business from the standing order to the money in the bank.",
        description=ABOUT,
        routes=app.routes,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        servers=[{"url": "/"}],
    )
    schemas = found.setdefault("components", {}).setdefault("schemas", {})
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    schemas["Problem"] = {key: value for key, value in PROBLEM_SCHEMA.items() if key != "$defs"}
    schemas["Mistake"] = PROBLEM_SCHEMA["$defs"]["Mistake"]
    found["components"]["securitySchemes"] = SCHEMES
    found["components"]["responses"] = {str(status): _problem(int(status)) for status in PROBLEMS}
    names: set[str] = set()
    for route in routes(app, routers):
        for method in (route.methods or set()) - {"HEAD", "OPTIONS"}:
            operation = found["paths"][route.path_format][method.lower()]
            _describe(operation, route, method)
            names.add(operation["tags"][0])
    for content in _contents(found):
        if "example" not in content and "examples" not in content and content.get("schema"):
            content["example"] = example(content["schema"], schemas)
    found["tags"] = [{"name": name} for name in sorted(names)]
    return found


def routes(app: FastAPI, routers: Sequence[APIRouter]) -> Iterator[APIRoute]:
    """Yield the routes the document speaks of."""
    for route in [*app.routes, *(route for router in routers for route in router.routes)]:
        if isinstance(route, APIRoute) and route.include_in_schema and speaks_json(route.path):
            yield route


def action(route: APIRoute) -> str | None:
    """Return what a route asks for, None where it is public."""
    found = [action_of(dependency.call) for dependency in route.dependant.dependencies]
    return next((name for name in found if name), None)


def link_action(route: APIRoute) -> str | None:
    """Return what a shared link must be made for to use a route, None where none may."""
    found = [link_action_of(dependency.call) for dependency in route.dependant.dependencies]
    return next((name for name in found if name), None)


def slice_of(route: APIRoute) -> str:
    """Return the slice whose door a route is."""
    parts = [part for part in route.endpoint.__module__.split(".")[1:] if part not in {"web", "api", "pages"}]
    return parts[0]


def _describe(operation: dict[str, Any], route: APIRoute, method: str) -> None:
    summary, _, rest = (route.endpoint.__doc__ or "").strip().partition("\n")
    operation["summary"] = summary.split(". ")[0].split("; ")[0].rstrip(".")[:120]
    operation["description"] = "\n".join(line.strip() for line in [summary, *rest.splitlines()]).strip()
    operation.setdefault("tags", [slice_of(route)])
    legacy = "legacy_" if route.deprecated else ""
    operation["operationId"] = f"{legacy}{operation['tags'][0]}_{route.endpoint.__name__}".replace("-", "_")
    wanted = action(route)
    for_links = link_action(route)
    schemes = [name for name in SCHEMES if (ROLES[wanted] if name != "link" else for_links)] if wanted else []
    operation["security"] = [{name: []} for name in schemes]
    if wanted:
        who = ", ".join(f"{role} ({scope})" for role, scope in ROLES[wanted].items())
        who = ", ".join(filter(None, (who, f"who opened a link that may {for_links}" if for_links else "")))
        operation["description"] += f"\n\nFor: {who}."
        operation |= {"x-action": wanted, "x-roles": ROLES[wanted]}
    operation.setdefault("parameters", []).extend(_headers_in(route, method))
    answers = {
        status: answer
        for status, answer in operation["responses"].items()
        if status != "422" and int(status) not in PROBLEMS
    }
    _headers_out(answers, route, method)
    answers |= {str(status): {"$ref": f"#/components/responses/{status}"} for status in refusals(route, method)}
    operation["responses"] = dict(sorted(answers.items()))


def refusals(route: APIRoute, method: str) -> set[int]:
    """Return the statuses a route may refuse with."""
    found = {422, 429, 503} | ({401, 403} if action(route) else set())
    if "{" in route.path or method not in SAFE_METHODS:
        found.add(404)
    if method not in SAFE_METHODS:
        found |= {409, 413}
    if route.body_field is not None:
        found.add(400)
    if PLANS[route.endpoint].table:
        found.add(412)
    return found | {int(status) for status in route.responses if int(status) in {401, 403, 404}}


def _headers_in(route: APIRoute, method: str) -> Iterator[dict[str, Any]]:
    plan = PLANS[route.endpoint]
    if method not in SAFE_METHODS and action(route):
        yield KEY_PARAMETER
    if plan.table:
        yield _etag_parameter("If-Match", "The ETag of what you read: refuse if it was changed since.")
    if method in SAFE_METHODS and plan.shape is not None:
        yield _etag_parameter("If-None-Match", "The ETag you have: 304 while it is still that.")


def _headers_out(answers: dict[str, Any], route: APIRoute, method: str) -> None:
    has_shape = PLANS[route.endpoint].shape is not None
    for status, answer in answers.items():
        if status.startswith("2") and "content" in answer and has_shape:
            answer.setdefault("headers", {})["ETag"] = ETAG
        if status.startswith("2") and method not in SAFE_METHODS and action(route):
            answer.setdefault("headers", {})["Idempotent-Replayed"] = REPLAYED
    if method in SAFE_METHODS and has_shape:
        answers["304"] = {"description": "It is still what you have.", "headers": {"ETag": ETAG}}


def _etag_parameter(name: str, sentence: str) -> dict[str, Any]:
    schema = {"type": "string"}
    return {"name": name, "in": "header", "required": False, "description": sentence, "schema": schema}


def _problem(status: int) -> dict[str, Any]:
    sentence = PROBLEMS[status]["description"]
    facts = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": sentence,
        "instance": "/api/orders",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    }
    content = {"schema": {"$ref": "#/components/schemas/Problem"}, "example": facts}
    found: dict[str, Any] = {"description": sentence, "content": {"application/problem+json": content}}
    if status in {429, 503}:
        found["headers"] = {"Retry-After": WAIT}
    return found


def _contents(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in found["paths"].values():
        for operation in path.values():
            parts = [operation.get("requestBody", {}), *operation["responses"].values()]
            for part in parts:
                yield from part.get("content", {}).values()


def example(schema: dict[str, Any], schemas: dict[str, Any]) -> Any:  # noqa: C901, PLR0911  # one line per JSON type
    """Return a value that fits a schema: its own example, else one made of its parts."""
    if "$ref" in schema:
        return example(schemas[schema["$ref"].rsplit("/", 1)[1]], schemas)
    for key in ("example", "const", "default"):
        if schema.get(key) is not None:
            return schema[key]
    if schema.get("examples") or schema.get("enum"):
        return (schema.get("examples") or schema["enum"])[0]
    for key in ("anyOf", "oneOf", "allOf"):
        if schema.get(key):
            return example(schema[key][0], schemas)
    kind = schema.get("type")
    if kind == "object":
        if "properties" in schema:
            return {name: example(part, schemas) for name, part in schema["properties"].items()}
        return {}
    if kind == "array":
        return [example(schema["items"], schemas)] if schema.get("items") else []
    if kind in {"integer", "number"}:
        return schema.get("minimum", 1)
    if kind == "boolean":
        return True
    if kind == "string":
        return INSTEAD.get(schema.get("format", ""), "text")
    return None
