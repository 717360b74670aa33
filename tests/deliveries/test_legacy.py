"""The old apps' path: their words, their ids, the same door."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from earlybird.infra import db
from make.doors import place, town
from make.town import Town

__all__ = ["place", "town"]

BREAKFAST = datetime(2026, 1, 16, 1, 30, tzinfo=UTC)
EVENTS = "SELECT client_id, authority, via, actor_name, told FROM delivery_events WHERE delivery_id = :id ORDER BY id"


@pytest.fixture
def stop(town: Town) -> tuple[dict[str, Any], str]:
    """Meena's planned order and its delivery, on the morning itself."""
    found = town.planned("meena", "2", "1")
    town.now = BREAKFAST
    return found


def mark(town: Town, role: str = "driver", **body: Any) -> Any:
    return town.ask(role, "POST", "/api/delivery-boy/mark-delivered", body)


def refused(answer: Any) -> tuple[int, str, str]:
    body = answer.json()
    return answer.status_code, body["type"].rpartition(":")[2], body["errors"][0]["pointer"]


def test_the_old_app_marks_a_delivery_by_our_id_or_the_old_one(town: Town, stop: Any) -> None:
    order, delivery_id = stop
    old = f"ord_{uuid4()}"
    with db.transaction(town.engine) as session:
        db.run(session, "INSERT INTO order_keys (source, kind, key, order_id) VALUES ('earlybird', 'id', :key, :id)",
               {"key": old, "id": order["id"]})  # fmt: skip
    body = {"status": "PARTIALLY_DELIVERED", "customer_id": "cst_1", "notes": "one leaked", "cash_collected": 50.5,
            "products": [{"product_name": "milk", "quantity_packets": 4, "delivered_quantity": 1.5},
                         {"product_id": str(town.curd), "delivered_qty": 1}]}  # fmt: skip
    first = mark(town, order_id=old, **body)
    assert first.status_code == 200, first.text
    assert (first.json()["order_id"], first.json()["status"], first.json()["answer"]) == (
        order["id"], "partially_delivered", "accepted",
    )  # fmt: skip
    assert mark(town, order_id=old, **body).json()["answer"] == "repeated"
    kept = town.rows(EVENTS, id=delivery_id)
    assert [(e["authority"], e["via"], e["actor_name"]) for e in kept] == [(3, "driver_app", "Prakash")]
    assert (kept[0]["told"]["cash"], kept[0]["told"]["note"]) == (
        {"amount_minor": 5050, "currency": "INR"}, "one leaked",
    )  # fmt: skip
    town.now = BREAKFAST.replace(minute=40)
    assert mark(town, order_id=order["id"]).json()["status"] == "delivered"
    town.now = BREAKFAST.replace(minute=50)
    assert [mark(town, order_id=old, **body).json()["answer"] for _ in range(2)] == ["accepted", "repeated"]
    assert len(town.rows(EVENTS, id=delivery_id)) == 3


@pytest.mark.parametrize(
    ("wanted", "over"),
    [
        ((422, "OrderMissing", "/order_id"), {"order_id": None}),
        ((422, "OrderMissing", "/order_id"), {"order_id": ...}),
        ((422, "OrderUnknown", "/order_id"), {"order_id": str(uuid4())}),
        ((422, "OrderUnknown", "/order_id"), {"order_id": "ord_unknown"}),
        ((422, "InTheFuture", "/delivery_date"), {"delivery_date": "2026-01-17"}),
        ((422, "OutsideWindow", "/delivery_date"), {"delivery_date": "2026-01-14"}),
        ((422, "ContentNotNamed", "/items"), {"status": "partial"}),
        ((422, "LineUnknown", "/items/0/product_name"), {"items": [{"product_name": "Ghee", "delivered_qty": 1}]}),
        ((422, "MoreThanOrdered", "/items/0/delivered_qty"), {"items": [{"product_name": "Milk", "delivered_qty": 9}]}),
        ((422, "CashCurrency", "/cash_collected"), {"cash_collected": 1.005}),
    ],
)
def test_what_the_old_app_gets_wrong_is_refused_by_its_field_and_kept(
    town: Town, stop: Any, wanted: Any, over: Any
) -> None:
    order, delivery_id = stop
    body = {name: word for name, word in ({"order_id": order["id"]} | over).items() if word is not ...}
    count = "SELECT count(*) AS n FROM delivery_rejections"
    before = town.rows(count)[0]["n"]
    marker = uuid4().hex
    assert refused(mark(town, notes=marker, **body)) == wanted
    assert town.rows(EVENTS, id=delivery_id) == []
    assert town.rows(count)[0]["n"] == before + 1


def test_others_orders_are_not_there_and_only_who_confirms_may_mark(town: Town, stop: Any) -> None:
    order, _ = stop
    body = {"order_id": order["id"], "items": [{"product_name": "Ghee", "delivered_qty": 1}]}
    assert refused(mark(town, "substitute", **body)) == (422, "OrderUnknown", "/order_id")
    for role in ("meena", "support", "warehouse"):
        assert mark(town, role, **body).status_code == 403
    assert mark(town, "admin", order_id=order["id"], status="not_delivered").json()["status"] == "not_delivered"
