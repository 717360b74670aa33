"""The description of the API is complete, and what the API does is what it says: for every role."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import hypothesis
import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import positive_data_acceptance
from sqlalchemy import Engine

from access.world import ROLES, World, build
from conftest import SOAK, scratch
from earlybird.infra import db
from earlybird.infra.embedded import Embedded
from earlybird.infra.security import Keys
from earlybird.infra.settings import Settings
from earlybird.main import create_app
from make.month import NOW

EXAMPLES = 50 if SOAK else 1
PARTS = 6
SELF = ("/api/auth/", "/auth/")


@pytest.fixture(scope="module")
def world(server: Embedded) -> Iterator[World]:
    with scratch(server) as url:
        engine = db.connect(url)
        yield build(engine, Keys.random(), NOW)
        engine.dispose()


@pytest.fixture(scope="module")
def document(worker_engine: Engine) -> dict[str, Any]:
    found: dict[str, Any] = create_app(worker_engine).openapi()
    return found


def is_named_rule(answer: Any) -> bool:
    """Whether a rule refused that no schema can say: a password everybody knows, a reference to nothing, a stale ETag."""
    kind = str(answer.json().get("type", "")) if answer.status_code in {412, 422} else ""
    return kind.startswith(("urn:earlybird:invalid:", "urn:earlybird:stale:"))


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, by_method in document["paths"].items():
        for method, operation in by_method.items():
            yield path, method, operation


def test_every_operation_is_told_in_full(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names))
    for path, method, operation in operations(document):
        assert operation["summary"], path
        assert operation["security"] or "x-action" not in operation, path
        has_key = any(p["name"] == "Idempotency-Key" for p in operation["parameters"])
        assert has_key == (method != "get" and bool(operation["security"])), (method, path)
        assert any(status.startswith(("2", "3")) for status in operation["responses"]), path


def test_every_example_fits_its_shape(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        for part in [operation.get("requestBody", {}), *operation["responses"].values()]:
            for content in part.get("content", {}).values():
                shape = {"$ref": "#/x", "x": content["schema"], "components": document["components"]}
                try:
                    jsonschema_rs.validate(shape, content["example"])
                except jsonschema_rs.ValidationError as failure:
                    raise AssertionError(f"{method} {path}: {failure.message}") from failure


def theirs(world: World, facts: Any) -> Any:
    """The same facts about things that exist."""
    if isinstance(facts, list):
        return [theirs(world, part) for part in facts]
    if not isinstance(facts, dict):
        return facts
    found = {name: theirs(world, part) for name, part in facts.items()}
    return found | {name: world.things[name, world.mine] for name in facts if (name, world.mine) in world.things}


def callers(operation: dict[str, Any], place: int, *, is_fit: bool) -> list[str]:
    """Who is to try an operation: strangers and roles by turns, one who may, an admin last; in soak everybody."""
    others = [role for role in ROLES if role != "admin"]
    if SOAK:
        return ["nobody", *others, "admin"]
    may = [role for role in others if role in operation.get("x-roles", ())]
    by_turn = ["nobody", *others][place % (1 + len(others))]
    return list(
        dict.fromkeys([by_turn, *(may[place % len(may)] for _ in may[:1]), "admin"] if is_fit else [by_turn, "admin"])
    )


def disagreement(world: World, operation: Any, told: dict[str, Any], place: int, mode: GenerationMode) -> str | None:
    """How an operation differs from its description, for some request and caller; None where it does not."""
    is_fit = mode is GenerationMode.POSITIVE
    who_asks = callers(told, place, is_fit=is_fit)

    @hypothesis.settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=not SOAK,
        suppress_health_check=list(HealthCheck), phases=[hypothesis.Phase.generate],
    )  # fmt: skip
    @hypothesis.given(
        case=operation.as_strategy(generation_mode=mode), is_real=st.booleans() if is_fit else st.just(value=False)
    )
    def agrees(case: schemathesis.Case, *, is_real: bool) -> None:
        if is_real:
            case.path_parameters = theirs(world, case.path_parameters)
            case.body = theirs(world, case.body)
        for who in who_asks:
            answer = case.call(headers=world.credentials[who])
            excluded = [positive_data_acceptance] if is_named_rule(answer) else []
            try:
                case.validate_response(answer, excluded_checks=excluded)
            except (FailureGroup, AssertionError) as failure:
                raise AssertionError(f"as {who}: {failure}") from failure

    try:
        agrees()
    except hypothesis.errors.Unsatisfiable:
        return None
    except AssertionError as failure:
        return f"{operation.method.upper()} {operation.path} ({mode.value}) {failure}"
    return None


@pytest.mark.parametrize("part", range(PARTS))
def test_it_does_what_it_says(world: World, document: dict[str, Any], part: int) -> None:
    app = create_app(world.engine, lambda: NOW, keys=world.keys, settings=Settings(requests_per_minute=10**9))
    schema = schemathesis.openapi.from_asgi("/api/openapi.json", app)
    told = [found.ok() for found in schema.get_all_operations()]
    assert len(told) == len(list(operations(document)))
    last = [operation for operation in told if operation.path.startswith(SELF)]  # they end the session
    others = [operation for operation in told if operation not in last]
    failures = []
    for place, operation in enumerate(last if part == PARTS - 1 else others[part :: PARTS - 1]):
        described = document["paths"][operation.path][operation.method.lower()]
        modes = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
        failures.extend(disagreement(world, operation, described, place, mode) for mode in modes)
    found = [failure for failure in failures if failure]
    assert not found, "\n\n".join(found)
