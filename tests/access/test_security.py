"""The eight attacks of the access guide by name, and thousands of made-up requests: nobody gets what is not theirs."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi.testclient import TestClient

from access.test_matrix import EXPECTED, SELF, needed
from access.world import NOBODY, ROLES, STRANGERS, World, build
from conftest import SOAK, scratch
from earlybird.infra import db
from earlybird.infra.embedded import Embedded
from earlybird.infra.security import Keys
from earlybird.infra.settings import Settings
from earlybird.main import create_app
from make.month import NOW

PROBES = 50_000 if SOAK else 600
OFFICE = ("admin", "support")


@dataclass
class Gate:
    """The API of a living business, and everybody who may knock."""

    world: World
    app: Any
    api: TestClient

    def ask(self, who: str, method: str, path: str, body: Any = None, **over: Any) -> Any:
        facts = {"json": body} if body is not None else {}
        return self.api.request(method, path, headers=self.world.credentials[who], **(facts | over))

    def mine(self, path: str) -> str:
        return self.world.fill(path, self.world.mine)

    def theirs(self, path: str) -> str:
        return self.world.fill(path, self.world.theirs)

    def value(self, sql: str, **facts: Any) -> Any:
        with db.rehearsal(self.world.engine) as session:
            return db.value(session, sql, facts)


@pytest.fixture(scope="module")
def gate(server: Embedded) -> Iterator[Gate]:
    with scratch(server) as url:
        engine = db.connect(url)
        world = build(engine, Keys.random(), NOW)
        app = create_app(engine, lambda: NOW, keys=world.keys, settings=Settings(requests_per_minute=10**9))
        yield Gate(world, app, TestClient(app, follow_redirects=False))
        engine.dispose()


def order(gate: Gate, **over: Any) -> dict[str, Any]:
    product = gate.world.things["product_id", gate.world.mine]
    return {"service_on": "2026-01-20", "shift": "morning", "lines": [{"product_id": product, "quantity": "1"}]} | over


def test_1_privilege_escalation(gate: Gate) -> None:
    """Nobody but an admin makes users, roles, keys or prices, and no customer becomes more than a customer."""
    before = gate.world.count()
    spare = gate.mine("/api/users/{user_id}")
    wishes = [
        ("POST", "/api/users", {"name": "Me", "email": "me@example.com", "roles": [{"role": "admin"}]}),
        ("POST", f"{spare}/memberships", {"role": "admin"}),
        ("POST", f"{spare}/disable", None),
        ("POST", "/api/keys", {"name": "me", "role": "admin", "actions": ["users.change"]}),
        ("POST", gate.mine("/api/products/{product_id}/prices"), {"unit_price": "0.01", "valid_from": "2026-02-01"}),
        ("PUT", "/api/policies/check_dates", {"value": False}),
        ("POST", "/api/webhooks", {"url": "https://evil.example/", "events": ["order.placed"]}),
        ("POST", gate.mine("/api/charges/{charge_id}/waive"), {"reason": "because"}),
    ]
    for method, path, body in wishes:
        for who in ROLES:
            if who != "admin":
                answer = gate.ask(who, method, path, body)
                assert answer.status_code in {403, 404}, (who, method, path, answer.text)
    assert gate.world.count() == before


def test_2_cross_customer_access(gate: Gate) -> None:
    """What another customer has looks like what is not there, to read and to change, by path and by filter."""
    before = gate.world.count()
    for row in EXPECTED:
        if row["customer"] == "own" and "{" in row["path"] and not row["path"].startswith(SELF):
            path = gate.theirs(row["path"])
            if NOBODY in path or path == gate.mine(row["path"]):
                continue
            answer = gate.ask("customer", row["method"], path, {} if row["method"] not in {"GET", "DELETE"} else None)
            assert answer.status_code in {404, 422}, (row, answer.text)
            assert str(gate.world.theirs) in path or str(gate.world.theirs) not in answer.text
    for path in ("/api/orders", "/api/subscriptions", "/api/customers"):
        mine = str(gate.world.mine)
        found = gate.ask("customer", "GET", f"{path}?limit=200").json()["items"]
        assert {item.get("customer_id", item["id"]) for item in found} == {mine}, path
        theirs = gate.ask("customer", "GET", f"{path}?customer_id={gate.world.theirs}")
        if path != "/api/customers":
            assert theirs.status_code in {200, 404}
            assert not theirs.json().get("items")
    assert gate.world.count() == before


def test_3_invalid_token(gate: Gate) -> None:
    good = gate.world.credentials["admin"]["Authorization"].removeprefix("Bearer ")
    head, body, sign = good.split(".")
    for token in (
        "x", "a.b.c", f"{head}.{body}.", f"{head}.{body}", f"{head}.{body}.{sign[:-4]}AAAA", f"{head}.{body[:-2]}.{sign}",
        f"eyJhbGciOiJub25lIn0.{body}.", good.swapcase(), good * 2, "ebk_" + "0" * 40, "é",
    ):  # fmt: skip
        for scheme in ("Bearer", "bearer", "Basic", ""):
            headers = {"Authorization": f"{scheme} {token}".encode()}
            answer = gate.api.get("/api/users", headers=headers)
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer"), (scheme, token)
    for who in ("garbage", "other_key", "revoked", "disabled", "ended", "dead_key"):
        assert gate.ask(who, "GET", "/api/orders").status_code == 401, who


def test_4_missing_token(gate: Gate) -> None:
    for row in EXPECTED:
        if row["anonymous"] == "no":
            answer = gate.api.request(row["method"], gate.mine(row["path"]))
            assert answer.status_code == 401, row
            assert answer.headers["www-authenticate"] == "Bearer"


def test_5_expired_token(gate: Gate) -> None:
    for row in EXPECTED:
        if row["anonymous"] == "no":
            assert gate.ask("expired", row["method"], gate.mine(row["path"])).status_code == 401, row


def test_6_delivery_boy_scope(gate: Gate) -> None:
    """A driver sees and confirms the own round, and nothing of the office."""
    mine, theirs = gate.mine("/api/deliveries/{delivery_id}"), gate.theirs("/api/deliveries/{delivery_id}")
    assert gate.ask("driver", "GET", mine).status_code == 200
    assert gate.ask("driver", "GET", theirs).status_code == 404
    told = {"client_id": "probe", "outcome": "delivered", "device_at": "2026-01-15T12:00:00Z"}
    assert gate.ask("driver", "POST", f"{theirs}/confirm", told).status_code == 404
    many = gate.ask("driver", "POST", "/api/deliveries/confirmations",
                    {"confirmations": [told | {"kind": "confirm", "order_id": gate.theirs("{order_id}")}]})  # fmt: skip
    assert [verdict["answer"] for verdict in many.json()["verdicts"]] == ["rejected"]
    seen = gate.ask("driver", "GET", "/api/deliveries?limit=200").json()["items"]
    assert seen
    assert str(gate.world.theirs) not in str(seen)
    for path in ("/api/orders", "/api/customers", "/api/subscriptions", "/api/invoices", "/api/payments", "/api/users",
                 "/api/audit", gate.mine("/api/orders/{order_id}"), gate.mine("/api/customers/{customer_id}")):  # fmt: skip
        assert gate.ask("driver", "GET", path).status_code == 403, path


INJECTED: dict[str, Any] = {
    "role": "admin", "roles": ["admin"], "is_admin": True, "user_id": NOBODY, "id": NOBODY, "state": "delivered",
    "price_id": NOBODY, "amount_minor": 1, "code": "EB-00000000", "source": "subscription", "made_by": "Asha",
    "via": "console", "actor": {"kind": "user", "name": "Asha"}, "site_id": NOBODY, "business_id": NOBODY,
    "must_change_password": False, "customer_v2_id": NOBODY, "__proto__": {"role": "admin"},
}  # fmt: skip
"""What no customer may say about an order."""


def test_7_role_injection_in_the_payload(gate: Gate) -> None:
    """A field that is not asked for is refused by name; who orders for another or sets a price is refused."""
    before = gate.world.count()
    for name, fact in INJECTED.items():
        answer = gate.ask("customer", "POST", "/api/orders", order(gate, **{name: fact}))
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, f"/body/{name}")
        login = {"email": "a@example.com", "password": "x" * 12, name: fact}
        assert gate.ask("nobody", "POST", "/api/auth/login", login).status_code == 422, name
    mine = gate.mine("/api/customers/{customer_id}")
    for name in ("role", "state", "merged_into_id", "login_id", "code"):
        assert gate.ask("customer", "PATCH", mine, {name: None}).status_code == 422, name
    for name in ("marketer_id", "bill_to_id", "driver_id", "area_id", "notes"):
        answer = gate.ask("customer", "PATCH", mine, {name: None if name == "notes" else NOBODY})
        assert answer.status_code in {403, 422}, (name, answer.text)
    other = gate.ask("customer", "POST", "/api/orders", order(gate, customer_id=str(gate.world.theirs)))
    assert other.status_code == 404
    cheap = order(gate)
    cheap["lines"][0]["unit_price"] = "0.01"
    refused = gate.ask("customer", "POST", "/api/orders", cheap)
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:earlybird:forbidden:PriceNotYours")
    for path in ("/api/orders?role=admin", f"/api/orders?customer_id={gate.world.theirs}", "/api/orders?scope=all"):
        found = gate.ask("customer", "GET", path)
        assert str(gate.world.theirs) not in found.text.replace(path, ""), path
    for header in ("X-Role", "X-User-Id", "X-Forwarded-User", "X-HTTP-Method-Override", "X-Original-URL"):
        spoofed = gate.api.get("/api/users", headers=gate.world.credentials["customer"] | {header: "admin"})
        assert spoofed.status_code == 403, header
    assert gate.world.count() == before


def test_8_rate_limit(gate: Gate) -> None:
    settings = Settings(requests_per_minute=20)
    app = create_app(gate.world.engine, lambda: NOW, keys=gate.world.keys, settings=settings)
    api = TestClient(app)
    told = [api.get("/api/orders", headers=gate.world.credentials["customer"]) for _ in range(25)]
    statuses = Counter(answer.status_code for answer in told)
    assert statuses == {200: 20, 429: 5}
    assert all(1 <= int(answer.headers["retry-after"]) <= 60 for answer in told[20:])
    guesses = [api.post("/api/auth/login", json={"email": "asha@example.com", "password": f"guess-{n}"}).status_code
               for n in range(30)]  # fmt: skip
    assert 429 in guesses
    assert set(guesses) <= {401, 429}


VALUES: list[Any] = [
    None, True, 0, -1, 1.5, 10**18, "", "admin", "0", "-1", "2026-02-30", "2026-01-20", NOBODY, "x" * 3000, "\u202e", "'; --",
    [], [None], {}, {"role": "admin"},
]  # fmt: skip


def mutated(dice: random.Random, fact: Any, depth: int = 0) -> Any:
    """The same fact with something wrong about it, or something more in it."""
    if depth > 3 or dice.random() < 0.25:
        return deepcopy(dice.choice(VALUES))
    if isinstance(fact, dict) and fact:
        found = dict(fact)
        name = dice.choice(list(found))
        throw = dice.random()
        if throw < 0.2:
            del found[name]
        elif throw < 0.4:
            found[dice.choice(list(INJECTED))] = dice.choice(list(INJECTED.values()))
        else:
            found[name] = mutated(dice, found[name], depth + 1)
        return found
    if isinstance(fact, list) and fact:
        return [mutated(dice, part, depth + 1) for part in fact] * dice.choice([1, 1, 2])
    return deepcopy(dice.choice(VALUES))


def verdict(row: dict[str, str], who: str, status: int, *, is_theirs: bool) -> str | None:
    """What is wrong with an answer, by the table: None where it is as it should be."""
    if status >= 500:
        return "broke"
    if row["anonymous"] == "public" or status in {400, 401, 403, 404, 405, 409, 412, 413, 415, 422, 429}:
        if row["anonymous"] == "no" and who not in ROLES and status != 401:
            return "a stranger was told more than 401"
        if who in ROLES and row[who] == "no" and status != 403:
            return "a role without a grant was told more than 403"
        return None
    if who not in ROLES or row[who] == "no":
        return "let in"
    return "let in to what is not theirs" if is_theirs and row[who] not in {"all", "no"} else None


def test_random_probes_find_no_way_in(gate: Gate) -> None:
    """Random route × caller × things × body: nobody succeeds where the table says no, and nothing breaks."""
    dice = random.Random(random.SystemRandom().getrandbits(32) if SOAK else 3)
    document = gate.app.openapi()
    schemas = document["components"]["schemas"]
    doors = [row for row in EXPECTED if not (row["path"].startswith(SELF) and row["method"] != "GET")]
    callers = [*ROLES * 3, *STRANGERS]
    wrong: list[str] = []
    seen: Counter[str] = Counter()
    for _ in range(PROBES):
        row, who = dice.choice(doors), dice.choice(callers)
        if who == "admin" and row["method"] != "GET" and dice.random() < 0.9:
            continue  # an admin may do nearly everything, and would end the others
        customer = dice.choice([gate.world.mine, gate.world.theirs])
        path = gate.world.fill(row["path"], customer)
        filled = "{" in row["path"] and NOBODY not in path and path != gate.world.fill(row["path"], gate.world.mine)
        is_theirs = customer == gate.world.theirs and filled
        if dice.random() < 0.1:
            path = re.sub(r"[0-9a-f-]{36}", dice.choice(["x", "0", NOBODY, "%00", "%ff", str(customer)]), path)
            is_theirs = False
        operation = document["paths"][row["path"]][row["method"].lower()]
        facts: dict[str, Any] = {}
        for kind, part in operation.get("requestBody", {}).get("content", {}).items():
            if kind == "application/json":
                body = needed(part["schema"], part.get("example", {}), schemas)
                facts = {"json": mutated(dice, body) if dice.random() < 0.6 else body}
            else:
                facts = {"content": b"a,b\n1,2\n", "headers": {"Content-Type": kind}}
        headers = facts.pop("headers", {}) | gate.world.credentials[who]
        if dice.random() < 0.2:
            headers |= dice.choice(
                [
                    {"Idempotency-Key": "k"},
                    {"If-Match": '"x"'},
                    {"X-Role": "admin"},
                    {"Cookie": "a=b", "Sec-Fetch-Site": "same-origin"},
                ]
            )
        query = {p["name"]: dice.choice(VALUES[5:14]) for p in operation["parameters"]
                 if p["in"] == "query" and dice.random() < 0.3}  # fmt: skip
        answer = gate.api.request(row["method"], path, params=query, headers=headers, **facts)
        seen[f"{answer.status_code // 100}xx"] += 1
        fault = verdict(row, who, answer.status_code, is_theirs=is_theirs)
        if fault:
            wrong.append(
                f"{fault}: {who} {row['method']} {path} {query} {facts} {headers.keys()} → {answer.status_code}"
            )
    assert not wrong, "\n".join(wrong[:20])
    assert seen["2xx"] > PROBES / 50
    assert seen["4xx"] > PROBES / 3
