"""Every route, tried by every role and by nobody, on what is theirs and on what is not: as expected.csv says."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient

from access.world import NOBODY, ROLES, STRANGERS, World, build
from conftest import SOAK, scratch
from earlybird import wiring
from earlybird.infra import db
from earlybird.infra.embedded import Embedded
from earlybird.infra.security import Keys
from earlybird.infra.settings import Settings
from earlybird.main import create_app
from earlybird.web.reference import description
from make.month import NOW

EXPECTED = list(csv.DictReader((Path(__file__).parent / "expected.csv").read_text(encoding="utf-8").splitlines()))
CELLS = {"all", "own", "round", "area", "shop", "warehouse", "no"}
LOOKS = {"GET", "HEAD"}
SCOPED = CELLS - {"all", "no"}
NARROW = {"/api/proof", "/api/reconcile/findings", "/api/reconcile/findings/{finding_id}"}
"""What the key that may only read the proof opens."""

FOR_LINKS = {
    ("GET", "/api/link/round"): "see",
    ("POST", "/api/deliveries/{delivery_id}/confirm"): "confirm",
    ("POST", "/api/deliveries/{delivery_id}/photos"): "confirm",
    ("POST", "/api/deliveries/{delivery_id}/signature"): "confirm",
    ("GET", "/api/requests"): "ask",
    ("POST", "/api/requests"): "ask",
    ("GET", "/api/requests/{request_id}"): "ask",
    ("POST", "/api/requests/{request_id}/withdraw"): "ask",
}
"""All that an opened link may do, and which it must be made for."""

SELF = ("/api/auth/", "/auth/")
"""Paths about oneself: there is nobody else's to name."""


@pytest.fixture(scope="module")
def world(server: Embedded) -> Iterator[World]:
    with scratch(server) as url:
        engine = db.connect(url)
        yield build(engine, Keys.random(), NOW)
        engine.dispose()


@pytest.fixture(scope="module")
def app(world: World) -> Any:
    return create_app(world.engine, lambda: NOW, keys=world.keys, settings=Settings(requests_per_minute=10**9))


@pytest.fixture
def door(app: Any) -> TestClient:
    return TestClient(app, follow_redirects=False)


def routes(engine: Engine) -> set[tuple[str, str]]:
    app = create_app(engine)
    found = description.routes(app, wiring.routers())
    return {(method, route.path) for route in found for method in (route.methods or set()) - {"HEAD", "OPTIONS"}}


def needed(schema: dict[str, Any], example: Any, schemas: dict[str, Any]) -> Any:
    """Return an example without what is optional: what anybody may leave out, not everybody may say."""
    schema = schemas[schema["$ref"].rsplit("/", 1)[1]] if "$ref" in schema else schema
    if isinstance(example, list):
        return [needed(schema.get("items", {}), item, schemas) for item in example]
    if not isinstance(example, dict) or "properties" not in schema:
        return example
    return {name: needed(schema["properties"][name], example[name], schemas) for name in schema.get("required", ())}


def knock(door: TestClient, app: Any, row: dict[str, str], path: str, headers: dict[str, str]) -> int:
    """Knock with the body the description gives as an example; return the status."""
    method = row["method"]
    operation = app.openapi()["paths"][row["path"]][method.lower()]
    content = operation.get("requestBody", {}).get("content", {})
    facts: dict[str, Any] = {}
    for kind, part in content.items():
        if kind == "application/json":
            facts = {"json": needed(part["schema"], part.get("example", {}), app.openapi()["components"]["schemas"])}
        else:
            facts = {"content": b"a,b\n", "headers": {"Content-Type": kind}}
        break
    wanted = [p for p in operation["parameters"] if p["in"] == "query" and p.get("required")]
    schemas = app.openapi()["components"]["schemas"]
    query = {p["name"]: p.get("example", description.example(p["schema"], schemas)) for p in wanted}
    answer = door.request(method, path, params=query, **(facts | {"headers": facts.get("headers", {}) | headers}))
    assert answer.status_code < 500, (method, path, answer.text[:300])
    return answer.status_code


def test_the_table_speaks_of_every_route_and_of_no_other(worker_engine: Engine) -> None:
    spoken = [(row["method"], row["path"]) for row in EXPECTED]
    assert len(spoken) == len(set(spoken))
    assert set(spoken) == routes(worker_engine)
    for row in EXPECTED:
        assert row["anonymous"] in {"no", "public"}, row
        assert all(row[role] in CELLS for role in ROLES), row


def test_nobody_gets_in_anywhere_it_is_not_public(world: World, door: TestClient, app: Any) -> None:
    before = world.count()
    for place, row in enumerate(EXPECTED):
        if row["anonymous"] == "public":
            continue
        for stranger in STRANGERS if SOAK else {"nobody", *(STRANGERS[(place + n) % len(STRANGERS)] for n in (0, 4))}:
            path = world.fill(row["path"], world.mine)
            assert knock(door, app, row, path, world.credentials[stranger]) == 401, (stranger, row)
    assert world.count() == before


def test_a_role_is_refused_what_is_not_its_business(world: World, door: TestClient, app: Any) -> None:
    before = world.count()
    for row in EXPECTED:
        for role in ROLES:
            if row[role] == "no":
                path = world.fill(row["path"], world.mine)
                assert knock(door, app, row, path, world.credentials[role]) == 403, (role, row)
        if row["anonymous"] == "no" and not row["path"].startswith(SELF):
            path = world.fill(row["path"], world.mine)
            assert knock(door, app, row, path, world.credentials["must_change"]) == 403, row
            if app.openapi()["paths"][row["path"]][row["method"].lower()]["x-action"] != "reconcile.read":
                assert knock(door, app, row, path, world.credentials["narrow_key"]) == 403, row
    assert world.count() == before


def test_what_is_not_theirs_looks_like_what_is_not_there(world: World, door: TestClient, app: Any) -> None:
    before = world.count()
    for row in EXPECTED:
        for role in ROLES:
            if row[role] in SCOPED and "{" in row["path"] and not row["path"].startswith(SELF):
                for customer in (world.theirs, None):
                    first = re.sub(r"{\w+}", NOBODY, row["path"], count=1)
                    path = world.fill(row["path"], customer) if customer else world.fill(first, world.mine)
                    status = knock(door, app, row, path, world.credentials[role])
                    assert status in {404, 422}, (role, row, customer, status)
    assert {k: v for k, v in world.count().items() if "rejection" not in k} == {
        k: v for k, v in before.items() if "rejection" not in k
    }


def test_what_is_theirs_opens(world: World, door: TestClient, app: Any) -> None:
    for row in sorted(EXPECTED, key=lambda row: row["method"] not in LOOKS):
        if row["path"].startswith(SELF) and row["method"] not in LOOKS:
            continue  # they want a right password or code, or end the session: tests/identity tries them
        for role in ROLES:
            if row[role] == "no":
                continue
            path = world.fill(row["path"], world.mine)
            status = knock(door, app, row, path, world.credentials[role])
            assert status not in {401, 403}, (role, row, status)
            if row["method"] in LOOKS and NOBODY not in path:
                assert status in {200, 303}, (role, row, status)


def test_an_opened_link_is_nobody_but_where_links_are_let_in(world: World, door: TestClient, app: Any) -> None:
    before = world.count()
    for row in EXPECTED:
        if row["anonymous"] == "public":
            continue
        path = world.fill(row["path"], world.mine)
        wanted = FOR_LINKS.get((row["method"], row["path"]))
        status = knock(door, app, row, path, world.credentials["link_that_sees"])
        if wanted is None:
            assert status == 401, row
            assert knock(door, app, row, path, world.credentials["link"]) == 401, row
        else:
            assert status == (200 if wanted == "see" else 403), row
            assert knock(door, app, row, path, world.credentials["link_that_is_over"]) == 401, row
    assert world.count() == before


def test_what_an_opened_link_is_for_opens_and_what_is_not_is_not_there(
    world: World, door: TestClient, app: Any
) -> None:
    for row in EXPECTED:
        if (row["method"], row["path"]) in FOR_LINKS:
            headers = world.credentials["link"]
            if "{" in row["path"]:
                for customer in (world.theirs, None):
                    first = re.sub(r"{\w+}", NOBODY, row["path"], count=1)
                    path = world.fill(row["path"], customer) if customer else first
                    assert knock(door, app, row, path, headers) == 404, (row, customer)
            status = knock(door, app, row, world.fill(row["path"], world.mine), headers)
            assert status not in {401, 403}, row
            if row["method"] == "GET" and "{" not in row["path"]:
                assert status == 200, row
