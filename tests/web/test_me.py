"""/auth/me: who asks, and for a customer what comes next, what came last and what is owed."""

from __future__ import annotations

from sqlalchemy import Engine
from starlette.testclient import TestClient

from earlybird.identity.service import grants
from earlybird.infra import db
from earlybird.infra.security import Keys
from earlybird.main import create_app
from make.entrance import CTX, person, token_of
from make.month import NOW, month

KEYS = Keys.random()


def test_a_customer_sees_their_own_and_everybody_sees_themselves(fresh: Engine) -> None:
    with db.transaction(fresh) as session:
        month(session)
    with db.transaction(fresh) as session:
        grants.seed(session, CTX)
        customer = db.rows(session, "SELECT id, name, code FROM customers WHERE code = 'C-0001'")[0]
        user = db.value(session, "SELECT id FROM users WHERE customer_id = :id", {"id": customer["id"]})
        theirs = token_of(session, KEYS, NOW, user)
        office = token_of(session, KEYS, NOW, person(session, "support", name="Sita"))
    door = TestClient(create_app(fresh, lambda: NOW, keys=KEYS))
    seen = door.get("/auth/me", headers={"Authorization": f"Bearer {theirs}"})
    assert seen.status_code == 200
    body = seen.json()
    assert body == door.get("/api/auth/me", headers={"Authorization": f"Bearer {theirs}"}).json()
    assert (body["role"], body["customer_v2_id"], body["customer"]["code"]) == (
        "customer",
        str(customer["id"]),
        "C-0001",
    )
    assert "password" not in seen.text
    with db.transaction(fresh) as session:
        booked = db.value(
            session,
            "SELECT coalesce(sum(amount_minor), 0)::int FROM postings WHERE customer_id = :id "
            "AND account IN ('receivable', 'customer_advance')",
            {"id": customer["id"]},
        )
        last = db.rows(
            session,
            "SELECT id, planned_on FROM deliveries WHERE customer_id = :id AND state LIKE '%delivered' "
            "ORDER BY planned_on DESC, shift, id DESC LIMIT 5",
            {"id": customer["id"]},
        )
    assert body["balance"]["to_pay_minor"] == booked
    assert [(stop["delivery_id"], stop["planned_on"]) for stop in body["last_deliveries"]] == [
        (str(row["id"]), row["planned_on"].isoformat()) for row in last
    ]
    assert last
    assert body["last_deliveries"][0]["lines"]
    assert all(stop["planned_on"] >= "2026-01-15" for stop in body["next_deliveries"])
    support = door.get("/auth/me", headers={"Authorization": f"Bearer {office}"}).json()
    assert (support["name"], support["role"], support["customer"], support["balance"]) == (
        "Sita",
        "support",
        None,
        None,
    )
