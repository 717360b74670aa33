"""One path each, and versions that go both ways: what is built otherwise is found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from fastapi.routing import APIRoute
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from conftest import NOW
from earlybird import schema, wiring
from earlybird.infra import db
from earlybird.main import create_app
from earlybird.migrations import building, errors
from earlybird.migrations import service as steps
from earlybird.migrations.building import Operation, Version
from earlybird.migrations.steps import one_path_each, schema_both_ways
from migrations.content import IMPORTER

STRUCTURAL = [step for step in steps.STEPS if step.is_structural]


@pytest.fixture(scope="module")
def operations() -> tuple[Operation, ...]:
    return wiring.operations()


@pytest.fixture
def restored() -> Iterator[None]:
    yield
    building.tell(operations=wiring.operations, versions=schema.both_ways)


def test_they_verify_cannot_be_reverted_and_say_so(fresh: Engine) -> None:
    assert [step.number for step in STRUCTURAL] == [28, 34]
    for step in STRUCTURAL:
        assert next(row["state"] for row in steps.listing(fresh) if row["number"] == step.number) == "applied"
        assert steps.plan(fresh, IMPORTER, step).rows == {}
        assert steps.apply(fresh, IMPORTER, step) == {}
        with pytest.raises(errors.NothingToRevert, match="how the program is built"):
            steps.revert(fresh, IMPORTER, step, confirmed=step.name, reason="a trial")


def test_what_the_wiring_tells_is_what_is_served(operations: tuple[Operation, ...], worker_engine: Engine) -> None:
    app = create_app(worker_engine, lambda: NOW)
    served = {
        (method, route.path)
        for routes in (app.routes, *(router.routes for router in wiring.routers()))
        for route in routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }
    assert served - {(one.method, one.path) for one in operations} == {("GET", "/api/health")}
    assert len({one.operation_id for one in operations if one.operation_id}) > 100
    assert list(one_path_each.twins(operations)) == []


ORDERS = Operation("GET", "/api/orders/{order_id}", "deliveries.api:show", operation_id="orders_show")


@pytest.mark.parametrize(
    ("more", "what"),
    [
        (replace(ORDERS, path="/api/v2/orders/{order_id}", operation_id=None), "the same operation is reached by"),
        (replace(ORDERS, path="/api/orders/{id}", served_by="other:show", operation_id=None), "name of a parameter"),
        (replace(ORDERS, path="/api/orders/{order_id}/", served_by="other:show", operation_id=None), "a slash"),
        (replace(ORDERS, path="/api/older", served_by="other:show", is_deprecated=True, operation_id=None), "no list"),
        (replace(ORDERS, path="/api/else", served_by="other:show"), "calls another operation orders_show too"),
    ],
)
def test_a_second_path_is_found(operations: tuple[Operation, ...], more: Operation, what: str) -> None:
    own = [one for one in operations if (one.method, one.path) != (ORDERS.method, ORDERS.path)]
    assert any(what in told for _, told in one_path_each.twins([*own, ORDERS, more]))
    assert not any(what in told for _, told in one_path_each.twins([*own, ORDERS]))


def test_an_alias_that_is_gone_unmarked_or_leads_nowhere_is_found(
    operations: tuple[Operation, ...], session: Session, restored: None
) -> None:
    login = ("POST", "/auth/login")
    for changed, what in (
        ([one for one in operations if (one.method, one.path) != login], "nothing serves it"),
        ([replace(one, is_deprecated=False) for one in operations], "not marked"),
        ([one for one in operations if one.path != "/api/auth/me"], "is no operation"),
    ):
        building.tell(operations=lambda changed=changed: changed)
        assert any(what in row["what"] for row in one_path_each.verify(session)), what


FIRST, SECOND = Version("0001", (), True, True), Version("0002", ("0001",), True, True)  # noqa: FBT003


def test_versions_that_fork_dangle_or_go_one_way_are_found(session: Session, restored: None) -> None:
    assert schema_both_ways.verify(session) == []
    stands = schema.both_ways()
    for changed, what in (
        ([replace(one, goes_down=False) for one in stands], "nothing on the way down"),
        ([replace(one, goes_up=False) for one in stands], "nothing on the way up"),
        ([*stands, Version("9999", ("0002",), True, True)], "two versions follow it"),  # noqa: FBT003
        ([*stands, Version("9999", ("0000",), True, True)], "which is no version"),  # noqa: FBT003
        ([*stands, replace(FIRST, name="0000")], "no version is before it"),
        ([FIRST, SECOND], "does not stand on the last"),
    ):
        building.tell(versions=lambda changed=changed: changed)
        assert any(what in row["what"] for row in schema_both_ways.verify(session)), what
    building.tell(versions=schema.both_ways)
    db.run(session, "CREATE TABLE left_over (id integer)")
    db.run(session, "DROP TABLE delivery_photos")
    assert {(row["id"], row["what"]) for row in schema_both_ways.verify(session)} == {
        ("left_over", "no version made this table"),
        ("delivery_photos", "the table is not there"),
    }
