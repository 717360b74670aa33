"""Customers over HTTP: each role sees and changes what is theirs, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient

import make
from earlybird.identity.service import grants
from earlybird.infra import db
from earlybird.infra.security import Keys
from earlybird.infra.settings import Settings
from earlybird.main import create_app
from make import entrance
from make.month import NOW

KEYS = Keys.random()
WHO = {
    "name": "Meena Rao",
    "phone": "98450 12345",
    "email": "meena@example.com",
    "address": {"line1": "12 Temple Road"},
}


@dataclass(frozen=True)
class World:
    """Ways in for some roles."""

    engine: Engine
    app: Any
    firm: Any

    def door(self, role: str, *, customer_id: UUID | None = None) -> TestClient:
        with db.transaction(self.engine) as session:
            token = entrance.token(session, KEYS, NOW, role, customer_id=customer_id)
        return TestClient(self.app, headers={"Authorization": f"Bearer {token}"})


@pytest.fixture
def world(fresh: Engine) -> World:
    with db.transaction(fresh) as session:
        firm = make.business(session)
        grants.seed(session, entrance.CTX)
    return World(fresh, create_app(fresh, lambda: NOW, keys=KEYS, settings=Settings()), firm)


def test_the_office_takes_on_changes_and_moves(world: World) -> None:
    office = world.door("support")
    made = office.post("/api/customers", json=WHO)
    assert made.status_code == 201, made.text
    found = made.json()
    assert (found["phone"], found["state"], found["login_email"]) == ("+919845012345", "trial", "meena@example.com")
    path = f"/api/customers/{found['id']}"
    tag = office.get(path).headers["ETag"]
    changed = office.patch(path, json={"phone": "98450 99999", "notes": "rings twice"}, headers={"If-Match": tag})
    assert changed.status_code == 200, changed.text
    assert (changed.json()["phone"], changed.json()["email"]) == ("+919845099999", "meena@example.com")
    assert office.patch(path, json={"notes": "x"}, headers={"If-Match": tag}).status_code == 412
    assert office.post(f"{path}/activate", json={}).json()["state"] == "active"
    paused = office.post(f"{path}/pause", json={"state_from": "2026-01-20", "reason": "holiday"}).json()
    assert (paused["state"], paused["state_from"]) == ("paused", "2026-01-20")
    assert office.post(f"{path}/pause", json={}).status_code == 409
    assert office.post(f"{path}/stop", json={"state_from": "2026-01-01"}).status_code == 422
    assert office.post(f"{path}/activate", json={}).json()["state_from"] is None
    with db.transaction(world.engine) as session:
        login = db.rows(session, "SELECT phone, email FROM users WHERE customer_id = :id", {"id": found["id"]})[0]
        assert login == {"phone": "+919845099999", "email": "meena@example.com"}
        said = db.rows(
            session, "SELECT action FROM audit_entries WHERE entity_id = :id ORDER BY id", {"id": found["id"]}
        )
        assert "customers.create" in {row["action"] for row in said}
        assert "customer.pause" in {row["action"] for row in said}


def test_addresses_have_one_usual_one(world: World) -> None:
    office = world.door("support")
    path = f"/api/customers/{office.post('/api/customers', json=WHO).json()['id']}/addresses"
    first = office.get(path).json()[0]
    assert first["is_default"] is True
    second = office.post(path, json={"line1": "2 Lake View", "latitude": 12.97, "longitude": 77.59}).json()
    assert (second["is_default"], second["latitude"]) == (False, 12.97)
    assert office.delete(f"{path}/{first['id']}").status_code == 409
    assert office.patch(f"{path}/{second['id']}", json={"is_default": True}).json()["is_default"] is True
    assert [door["is_default"] for door in office.get(path).json()] == [True, False]
    assert office.delete(f"{path}/{first['id']}").status_code == 204
    assert office.delete(f"{path}/{first['id']}").status_code == 404
    assert [door["id"] for door in office.get(path).json()] == [second["id"]]


def test_customers_change_how_they_are_reached_and_nothing_else(world: World) -> None:
    office = world.door("admin")
    mine = office.post("/api/customers", json=WHO).json()
    theirs = office.post("/api/customers", json={"name": "Other"}).json()
    office.patch(f"/api/customers/{mine['id']}", json={"notes": "pays late"})
    me = world.door("customer", customer_id=UUID(mine["id"]))
    path = f"/api/customers/{mine['id']}"
    assert [row["id"] for row in me.get("/api/customers").json()["items"]] == [mine["id"]]
    assert me.get(path).json()["notes"] is None
    assert me.patch(path, json={"name": "Meena K", "language": "te"}).json()["language"] == "te"
    for facts in (
        {"driver_id": None},
        {"bill_to_id": theirs["id"]},
        {"area_id": None},
        {"notes": "x"},
        {"marketer_id": None},
    ):
        assert me.patch(path, json=facts).status_code == 403, facts
    for facts in (
        {"state": "active"},
        {"role": "admin"},
        {"code": "C-1"},
        {"merged_into_id": None},
        {"id": mine["id"]},
    ):
        assert me.patch(path, json=facts).status_code == 422, facts
    for verb in ("activate", "pause", "stop", "merge"):
        body = {"into_id": theirs["id"], "reason": "x"} if verb == "merge" else {}
        assert me.post(f"{path}/{verb}", json=body).status_code == 403
    assert me.post("/api/customers", json=WHO).status_code == 403
    foreign = f"/api/customers/{theirs['id']}"
    nowhere = "/api/customers/019bc1f4-5e00-7a61-8c3e-2f6b1d0a4e77"
    for path in (foreign, nowhere):
        assert me.get(path).status_code == 404
        assert me.patch(path, json={"name": "Mine"}).status_code == 404
        assert me.get(f"{path}/addresses").status_code == 404
        assert me.post(f"{path}/addresses", json={"line1": "x"}).status_code == 404


def test_marketing_staff_see_those_they_won(world: World) -> None:
    office = world.door("admin")
    other = office.post("/api/customers", json=WHO).json()
    staff, rival = world.door("marketing"), world.door("marketing")
    won = staff.post("/api/customers", json={"name": "Won", "marketer_id": other["id"]}).json()
    assert won["marketer_id"] != other["id"]
    assert [row["id"] for row in staff.get("/api/customers").json()["items"]] == [won["id"]]
    assert rival.get("/api/customers").json()["items"] == []
    assert rival.get(f"/api/customers/{won['id']}").status_code == 404
    assert staff.get(f"/api/customers/{other['id']}").status_code == 404


def test_duplicates_are_found_merged_and_parted(world: World) -> None:
    office = world.door("admin")
    ids = [
        office.post("/api/customers", json=facts).json()["id"]
        for facts in (
            WHO,
            WHO | {"email": None, "name": "M. Rao"},
            {"name": "meena  RAO", "address": {"line1": "12, Temple road"}},
            {"name": "Somebody", "phone": "98450 00000"},
        )
    ]
    same = office.get(f"/api/customers/{ids[0]}/duplicates").json()
    assert {row["id"]: row["same"] for row in same} == {ids[1]: ["phone"], ids[2]: ["name_and_address"]}
    merged = office.post(f"/api/customers/{ids[1]}/merge", json={"into_id": ids[0], "reason": "same phone"})
    assert merged.status_code == 201, merged.text
    assert ids[1] not in {row["id"] for row in office.get("/api/customers").json()["items"]}
    assert [row["id"] for row in office.get("/api/customers?archived=true").json()["items"]] == [ids[1]]
    assert office.patch(f"/api/customers/{ids[1]}", json={"name": "x"}).status_code == 409
    undo = f"/api/customers/merges/{merged.json()['merge_id']}/undo"
    assert office.post(undo, json={"reason": "two after all"}).json()["merged_into_id"] is None
    assert office.post(undo, json={"reason": "again"}).status_code == 404


def test_a_list_is_searched_and_paged(world: World) -> None:
    office = world.door("support")
    for n in range(3):
        office.post("/api/customers", json={"name": f"Somebody {n}"})
    mine = office.post("/api/customers", json=WHO).json()
    for q in ("meena", "MEENA@", "12345", "98450 12", "%"):
        found = office.get("/api/customers", params={"q": q}).json()["items"]
        assert [row["id"] for row in found] == ([] if q == "%" else [mine["id"]]), q
    first = office.get("/api/customers?limit=3").json()
    rest = office.get("/api/customers", params={"limit": 3, "cursor": first["next"]}).json()
    assert len({row["id"] for row in first["items"] + rest["items"]}) == 4
    assert rest["next"] is None
    assert office.get("/api/customers", params={"q": mine["code"].lower()}).json()["items"][0]["id"] == mine["id"]


def test_a_configured_first_password_is_given_to_new_logins(fresh: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EARLYBIRD_FIRST_PASSWORD", "earlybird2025")
    monkeypatch.setenv("EARLYBIRD_PASSWORD_MEMORY_KIB", "1024")
    monkeypatch.setenv("EARLYBIRD_PASSWORD_ROUNDS", "1")
    with db.transaction(fresh) as session:
        firm = make.business(session)
        grants.seed(session, entrance.CTX)
    world = World(fresh, create_app(fresh, lambda: NOW, keys=KEYS, settings=Settings()), firm)
    made = world.door("admin").post("/api/customers", json=WHO).json()
    assert made["login_state"] == "invited"
    with TestClient(world.app) as anybody:
        said = anybody.post("/api/auth/login", json={"email": WHO["email"], "password": "earlybird2025"})
        assert said.status_code == 200, said.text
        assert said.json()["must_change_password"] is True
        token = said.json()["access_token"]
        shut = anybody.get(f"/api/customers/{made['id']}", headers={"Authorization": f"Bearer {token}"})
        assert shut.status_code == 403
