"""Logins over HTTP: made with a role, changed, shut out at once; the last admin stays."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient

import make
from earlybird.identity.errors import LastAdmin
from earlybird.identity.service import grants, users
from earlybird.infra import db
from earlybird.infra.security import Keys
from earlybird.infra.settings import Settings
from earlybird.main import create_app
from make import entrance
from make.month import NOW

KEYS = Keys.random()


@dataclass(frozen=True)
class World:
    engine: Engine
    app: Any
    firm: Any
    admin_id: UUID

    def door(self, user_id: UUID, role: str = "admin") -> TestClient:
        with db.transaction(self.engine) as session:
            token = entrance.token_of(session, KEYS, NOW, user_id, role=role)
        return TestClient(self.app, headers={"Authorization": f"Bearer {token}"})

    @property
    def admin(self) -> TestClient:
        return self.door(self.admin_id)

    def with_key(self, key: str) -> TestClient:
        return TestClient(self.app, headers={"Authorization": f"Bearer {key}"})


@pytest.fixture
def world(fresh: Engine) -> World:
    with db.transaction(fresh) as session:
        firm = make.business(session)
        grants.seed(session, entrance.CTX)
        admin_id = entrance.person(session, "admin")
    return World(fresh, create_app(fresh, lambda: NOW, keys=KEYS, settings=Settings()), firm, admin_id)


def test_a_login_is_made_with_a_role_and_changed(world: World) -> None:
    door = world.admin
    made = door.post("/api/users", json={"name": "Prakash", "role": "delivery_boy", "email": "Prakash@Example.com"})
    assert made.status_code == 201, made.text
    found = made.json()
    assert (found["state"], found["email"]) == ("uninvited", "prakash@example.com")
    assert [(m["role"], m["site_id"]) for m in found["memberships"]] == [("driver", str(world.firm.site_id))]
    path = f"/api/users/{found['id']}"
    changed = door.patch(path, json={"phone": "98450 12345", "language": "te"})
    assert (changed.json()["phone"], changed.json()["language"]) == ("+919845012345", "te")
    assert door.patch(path, json={"state": "active"}).status_code == 422
    assert door.patch(path, json={"email": None, "phone": None}).status_code == 422
    again = door.post("/api/users", json={"name": "X", "role": "support", "email": "prakash@example.com"})
    assert again.status_code == 409
    assert door.get("/api/users?role=driver").json()["items"][0]["id"] == found["id"]
    assert door.get("/api/users?q=prak").json()["items"][0]["id"] == found["id"]


PLACES: list[tuple[str, str | None, int]] = [
    ("admin", None, 201),
    ("support", None, 201),
    ("marketing_staff", None, 201),
    ("supplier", "site", 422),
    ("admin", "customer", 422),
    ("driver", None, 201),
    ("warehouse", "site", 201),
    ("merchant", "customer", 422),
    ("customer", None, 422),
    ("customer", "site", 422),
    ("customer", "customer", 201),
    ("owner", None, 422),
]


def test_a_role_has_its_place(world: World) -> None:
    door = world.admin
    for number, (role, place, status) in enumerate(PLACES):
        body: dict[str, Any] = {"name": "Somebody", "role": role, "email": f"somebody{number}@example.com"}
        if place == "site":
            body["site_id"] = str(world.firm.site_id)
        if place == "customer":
            body["customer_id"] = door.post("/api/customers", json={"name": "Meena"}).json()["id"]
        assert door.post("/api/users", json=body).status_code == status, (role, place)


def test_the_unused_login_of_a_customer_becomes_theirs_and_a_used_one_gets_company(world: World) -> None:
    door = world.admin
    meena = door.post("/api/customers", json={"name": "Meena"}).json()
    body = {"name": "Meena", "role": "customer", "customer_id": meena["id"]}
    first = door.post("/api/users", json=body | {"email": "meena@example.com"}).json()
    assert (first["id"], first["customer_id"]) == (meena["login_id"], meena["id"])
    second = door.post("/api/users", json=body | {"email": "ravi@example.com"}).json()
    assert second["id"] != first["id"]
    assert second["customer_id"] is None
    assert second["memberships"][0]["customer_id"] == meena["id"]


def test_a_new_role_and_a_lost_one_end_the_sessions_at_once(world: World) -> None:
    door = world.admin
    made = door.post("/api/users", json={"name": "S", "role": "support", "email": "s@example.com"}).json()
    path = f"/api/users/{made['id']}"
    them = world.door(UUID(made["id"]), "support")
    assert them.get("/api/customers").status_code == 200
    joined = door.post(f"{path}/memberships", json={"role": "marketing"}).json()
    assert them.get("/api/customers").status_code == 401
    assert door.post(f"{path}/memberships", json={"role": "marketing"}).status_code == 409
    them = world.door(UUID(made["id"]), "support")
    lost = next(m["id"] for m in joined["memberships"] if m["role"] == "support")
    assert door.delete(f"{path}/memberships/{lost}").status_code == 204
    assert door.delete(f"{path}/memberships/{lost}").status_code == 404
    assert them.get("/api/customers").status_code == 401
    them = world.door(UUID(made["id"]), "marketing")
    assert (
        them.post("/api/customers/merges/019bc1f4-5e00-7a61-8c3e-2f6b1d0a4e77/undo", json={"reason": "x"}).status_code
        == 403
    )
    assert door.post(f"{path}/disable", json={"reason": "left"}).json()["state"] == "disabled"
    assert them.get("/api/customers").status_code == 401
    assert door.post(f"{path}/disable", json={}).status_code == 409
    assert door.post(f"{path}/enable", json={}).json()["state"] == "active"
    assert them.get("/api/customers").status_code == 401
    assert door.post(f"{path}/enable", json={}).status_code == 409
    assert door.delete(path).status_code == 204
    assert door.get(path).json()["state"] == "disabled"


def test_the_last_admin_stays(world: World) -> None:
    door = world.admin
    me = door.get(f"/api/users/{world.admin_id}").json()
    own = me["memberships"][0]["id"]
    assert door.delete(f"/api/users/{me['id']}").status_code == 409
    assert door.delete(f"/api/users/{me['id']}/memberships/{own}").status_code == 409
    other = door.post("/api/users", json={"name": "B", "role": "admin", "email": "b@example.com"}).json()
    assert door.delete(f"/api/users/{me['id']}/memberships/{own}").status_code == 204
    assert world.door(UUID(other["id"])).delete(f"/api/users/{other['id']}").status_code == 409


def test_two_admins_who_shut_each_other_out_leave_one(world: World) -> None:
    with db.transaction(world.engine) as session:
        other = entrance.person(session, "admin")

    def shut(user_id: UUID) -> bool:
        try:
            with db.transaction(world.engine) as session:
                users.disable(session, entrance.CTX, user_id)
        except LastAdmin:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(shut, [world.admin_id, other])) == [False, True]


def test_the_own_login_of_a_customer_stays_theirs(world: World) -> None:
    door = world.admin
    meena = door.post("/api/customers", json={"name": "Meena", "email": "meena@example.com"}).json()
    own = door.get(f"/api/users/{meena['login_id']}").json()["memberships"][0]["id"]
    assert door.delete(f"/api/users/{meena['login_id']}/memberships/{own}").status_code == 409


def test_a_key_is_shown_once_and_does_what_it_may_until_it_ends(world: World) -> None:
    door = world.admin
    body = {"name": "Books", "role": "support", "actions": ["customers.read"]}
    made = door.post("/api/keys", json=body)
    assert made.status_code == 201, made.text
    secret = made.json()["key"]
    assert secret.startswith("ebk_")
    assert secret.startswith(made.json()["prefix"])
    machine = world.with_key(secret)
    assert machine.get("/api/customers").status_code == 200
    assert machine.post("/api/customers", json={"name": "X"}).status_code == 403
    shown = door.get("/api/keys").text + door.get(f"/api/keys/{made.json()['id']}").text
    assert secret not in shown
    with db.transaction(world.engine) as session:
        kept = db.value(session, "SELECT string_agg(CAST(t AS text), ' ') FROM (SELECT k FROM api_keys k) t")
        said = db.value(session, "SELECT string_agg(CAST(e AS text), ' ') FROM audit_entries e")
    assert secret not in kept + said
    assert door.delete(f"/api/keys/{made.json()['id']}").status_code == 204
    assert machine.get("/api/customers").status_code == 401
    assert door.delete(f"/api/keys/{made.json()['id']}").status_code == 404


UNFIT: list[dict[str, Any]] = [
    {"actions": ["users.change"]},
    {"actions": ["no.such"]},
    {"actions": []},
    {"role": "driver", "actions": ["deliveries.read"]},
    {"role": "customer", "actions": ["orders.read"]},
    {"expires_at": "2026-01-15T12:00:00Z"},
    {"key_hash": "x"},
]


def test_a_key_that_does_not_fit_is_refused(world: World) -> None:
    door = world.admin
    for facts in UNFIT:
        body = {"name": "Books", "role": "support", "actions": ["customers.read"]} | facts
        assert door.post("/api/keys", json=body).status_code == 422, facts


def test_a_key_makes_no_keys_and_gives_no_roles(world: World) -> None:
    body = {"name": "All", "role": "admin", "actions": ["keys.change", "users.change", "users.read"]}
    machine = world.with_key(world.admin.post("/api/keys", json=body).json()["key"])
    assert machine.get("/api/users").status_code == 200
    assert machine.post("/api/keys", json=body).status_code == 403
    assert machine.post("/api/users", json={"name": "E", "role": "admin", "email": "e@example.com"}).status_code == 403
    assert machine.post(f"/api/users/{world.admin_id}/memberships", json={"role": "support"}).status_code == 403


def test_nobody_but_an_admin_sees_users_and_keys(world: World) -> None:
    with db.transaction(world.engine) as session:
        support = entrance.person(session, "support")
    them = world.door(support, "support")
    for method, path in (
        ("GET", "/api/users"),
        ("POST", "/api/users"),
        ("GET", f"/api/users/{support}"),
        ("POST", f"/api/users/{support}/memberships"),
        ("GET", "/api/keys"),
        ("POST", "/api/keys"),
    ):
        assert them.request(method, path, json={} if method == "POST" else None).status_code in {403, 422}
        if method == "GET":
            assert them.get(path).status_code == 403
