"""Roles from the table: what the old system let them do, what the rules say, and back, seen at once at the door."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from earlybird.identity import rules
from earlybird.identity.service import grants
from earlybird.importers.earlybird import rights
from earlybird.infra import db
from earlybird.infra.embedded import Embedded
from earlybird.kernel.errors import Failure
from earlybird.migrations import service as steps
from make.house import House, house
from migrations.content import IMPORTER

ROLES = steps.find("24")

MATRIX = {
    "customer": {
        "orders.read", "orders.place", "orders.change", "subscriptions.read", "subscriptions.change", "deliveries.read",
        "billing.read", "customers.read", "customers.change",
    },
    "driver": {"deliveries.list", "rounds.read", "deliveries.confirm", "deliveries.read"},
    "support": {"customers.read", "orders.read"},
    "marketing": {"customers.read", "subscriptions.read", "billing.read", "requests.read", "requests.decide"},
    "supplier": set(),
    "merchant": set(),
    "warehouse": set(),
}  # fmt: skip
"""What the old system's own guide says beside signing in; its admin might do everything."""


def cells(engine: Engine) -> dict[tuple[str, str], str]:
    with db.rehearsal(engine) as session:
        return {(row["role"], row["action"]): row["scope"] for row in db.rows(session, "SELECT * FROM grants")}


def by_the_rules() -> dict[tuple[str, str], str]:
    return {(cell["role"], cell["action"]): cell["scope"] for cell in rules.cells()}


def as_before() -> dict[tuple[str, str], str]:
    return {(cell["role"], cell["action"]): cell["scope"] for cell in rights.cells()}


def open_holes(engine: Engine) -> list[str]:
    with db.rehearsal(engine) as session:
        asked = "SELECT subject FROM findings WHERE check_name = 'reverted_step' AND state = 'open'"
        return [row["subject"] for row in db.rows(session, asked)]


@pytest.fixture
def old(server: Embedded) -> Iterator[House]:
    """A dairy whose roles may do what the old system let them."""
    with house(server) as dairy:
        with db.transaction(dairy.engine) as session:
            db.run(session, "DELETE FROM grants")
            assert grants.fill(session, IMPORTER, rights.cells()) == len(rights.cells())
        yield dairy


def test_a_business_taken_over_begins_with_what_its_old_system_documented(taken: Engine) -> None:
    found = cells(taken)
    assert found == as_before()
    for role, actions in MATRIX.items():
        assert {action for whose, action in found if whose == role and not action.startswith("me.")} == actions, role
    assert found["customer", "orders.read"] == "own"
    assert ("customer", "orders.cancel") not in found
    assert {scope for (role, _), scope in found.items() if role == "customer"} == {"own"}
    assert {action for action, by_role in rules.GRANTS if "admin" in by_role} == {
        action for role, action in found if role == "admin"
    }


def test_a_request_sees_the_table_change_at_once_and_back(old: House) -> None:
    def answers() -> list[int]:
        asked = [("/api/sites", "supplier"), ("/api/requests", "marketing"), ("/api/orders", "driver"), ("/api/users", "admin")]  # fmt: skip
        return [old.ask("GET", path, by=role).status_code for path, role in asked]

    before = cells(old.engine)
    assert answers() == [403, 200, 403, 200]
    planned = steps.plan(old.engine, IMPORTER, ROLES)
    assert steps.apply(old.engine, IMPORTER, ROLES) == planned.rows
    assert cells(old.engine) == by_the_rules()
    assert answers() == [200, 403, 403, 200]
    assert steps.verify(old.engine, ROLES) == []
    with pytest.raises(Failure):
        steps.revert(old.engine, IMPORTER, ROLES)
    steps.revert(old.engine, IMPORTER, ROLES, confirmed=ROLES.name, reason="the office is locked out")
    assert cells(old.engine) == before
    assert answers() == [403, 200, 403, 200]
    assert open_holes(old.engine) == [ROLES.name]
    with db.rehearsal(old.engine) as session:
        told = db.rows(session, "SELECT before, after FROM audit_entries WHERE action = 'identity.seed_grants' "
                                "ORDER BY id DESC LIMIT 1")[0]  # fmt: skip
    assert told["before"]["driver deliveries.read"] == "all"
    assert told["after"]["driver deliveries.read"] == "round"
    assert "driver deliveries.list" not in told["before"]
    steps.apply(old.engine, IMPORTER, ROLES)
    assert (cells(old.engine), open_holes(old.engine)) == (by_the_rules(), [])
    key = {"name": "till", "role": "supplier", "actions": ["sites.read"]}
    assert old.ask("POST", "/api/keys", key).status_code == 201
    steps.revert(old.engine, IMPORTER, ROLES, confirmed=ROLES.name, reason="again")
    assert old.ask("POST", "/api/keys", key).status_code == 422


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("DELETE FROM grants WHERE role = 'driver' AND action = 'rounds.drive'", "driver rounds.drive"),
        ("UPDATE grants SET scope = 'all' WHERE role = 'customer' AND action = 'orders.read'", "customer orders.read"),
        ("INSERT INTO grants VALUES ('supplier', 'payments.reverse', 'all')", "supplier payments.reverse"),
    ],
)
def test_a_cell_changed_behind_it_is_found_and_put_right(old: House, wrong: str, told: str) -> None:
    steps.apply(old.engine, IMPORTER, ROLES)
    with db.transaction(old.engine) as session:
        db.run(session, wrong)
    assert told in {row["id"] for row in steps.verify(old.engine, ROLES)}
    steps.apply(old.engine, IMPORTER, ROLES)
    assert cells(old.engine) == by_the_rules()


def test_a_business_of_its_own_has_the_rules_already_and_a_revert_takes_no_right_away(server: Embedded) -> None:
    with house(server) as dairy:
        assert steps.apply(dairy.engine, IMPORTER, ROLES) == {}
        steps.revert(dairy.engine, IMPORTER, ROLES, confirmed=ROLES.name, reason="a trial")
        assert cells(dairy.engine) == by_the_rules()
        with db.transaction(dairy.engine) as session:
            db.run(session, "DELETE FROM grants")
        steps.apply(dairy.engine, IMPORTER, ROLES)
        steps.revert(dairy.engine, IMPORTER, ROLES, confirmed=ROLES.name, reason="an empty table is no version")
        assert cells(dairy.engine) == by_the_rules()
