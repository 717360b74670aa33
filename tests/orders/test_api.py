"""Orders over HTTP: who may, whose, what is refused, what moves with them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from conftest import SOAK
from earlybird.infra import db
from make.town import TOMORROW, Town

AFTER_CUTOFF = datetime(2026, 1, 15, 14, 31, tzinfo=UTC)
BREAKFAST = datetime(2026, 1, 16, 1, 30, tzinfo=UTC)
NOBODY = str(uuid4())


def refused(answer: Any) -> tuple[int, str, str | None]:
    """Status, failure, and the first pointer."""
    body = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, body["type"].rpartition(":")[2], (body.get("errors") or [{}])[0].get("pointer")


def test_a_customer_places_an_order_at_the_price_in_force_and_sees_it(town: Town) -> None:
    placed = town.place("meena", "2.5", "1", note="ring twice")
    assert (placed["state"], placed["customer_id"], placed["customer_name"]) == ("placed", str(town.meena), "Meena")
    assert [(line["quantity"], line["unit_price"], line["amount_minor"]) for line in placed["lines"]] == [
        ("2.500", "60.0000", 15000), ("1.000", "40.5000", 4050),
    ]  # fmt: skip
    assert (placed["amount_minor"], placed["currency"], placed["line_count"]) == (19050, "INR", 2)
    assert placed["cutoff_at"] == "2026-01-15T14:30:00Z"
    shown = town.ask("meena", "GET", f"/api/orders/{placed['id']}")
    assert shown.json() == placed
    assert (
        town.ask("meena", "GET", f"/api/orders/{placed['id']}", If_None_Match=shown.headers["etag"]).status_code == 304
    )
    told = town.rows("SELECT actor_kind, role, via, after FROM audit_entries WHERE entity_id = :id", id=placed["id"])
    assert [(r["actor_kind"], r["role"], r["via"]) for r in told] == [("user", "customer", "api")]
    assert told[0]["after"]["lines"][0]["quantity"] == "2.5"


def test_staff_order_for_anybody_at_a_price_they_may_set(town: Town) -> None:
    wish = town.wish("1", customer_id=str(town.ravi))
    wish["lines"][0]["unit_price"] = "55"
    answer = town.ask("support", "POST", "/api/orders", wish)
    assert (answer.status_code, answer.json()["amount_minor"]) == (201, 5500)
    assert town.rows("SELECT price_id FROM order_lines WHERE order_id = :id", id=answer.json()["id"]) == [
        {"price_id": None}
    ]
    mine = town.wish("1")
    mine["lines"][0]["unit_price"] = "55"
    assert refused(town.ask("meena", "POST", "/api/orders", mine)) == (403, "PriceNotYours", "/lines/0/unit_price")


def _foreign_address(town: Town) -> dict[str, Any]:
    found = town.rows("SELECT id FROM addresses WHERE customer_id = :id", id=town.ravi)
    return {"address_id": str(found[0]["id"])}


def _foreign_product(town: Town) -> dict[str, Any]:
    other = Town(town.engine)
    return {"lines": [{"product_id": str(other.milk), "quantity": "1"}]}


def _archived(town: Town) -> dict[str, Any]:
    with db.transaction(town.engine) as session:
        db.run(session, "UPDATE products SET archived_at = now() WHERE id = :id", {"id": town.curd})
    return {}


def _priceless(town: Town) -> dict[str, Any]:
    with db.transaction(town.engine) as session:
        db.run(session, "DELETE FROM prices WHERE product_id = :id", {"id": town.milk})
    return {}


def _dollars(town: Town) -> dict[str, Any]:
    with db.transaction(town.engine) as session:
        db.run(session, "UPDATE prices SET currency = 'USD' WHERE product_id = :id", {"id": town.milk})
    return {}


def _closed(town: Town) -> dict[str, Any]:
    with db.transaction(town.engine) as session:
        facts = {"site": town.firm.site_id, "on": TOMORROW}
        db.run(session, "INSERT INTO closures (site_id, closed_on, reason) VALUES (:site, :on, 'Pongal')", facts)
    return {}


def _stopped(town: Town) -> dict[str, Any]:
    with db.transaction(town.engine) as session:
        session.execute(text("UPDATE customers SET state = 'stopped' WHERE id = :id"), {"id": town.meena})
    return {}


def one(**line: Any) -> dict[str, Any]:
    return {"lines": [line]}


REFUSED = [
    (404, "NoSuchCustomer", "/customer_id", lambda t: {"customer_id": str(t.ravi)}),
    (404, "NoSuchCustomer", "/customer_id", lambda _: {"customer_id": NOBODY}),
    (422, "NoSuchAddress", "/address_id", _foreign_address),
    (422, "NoSuchProduct", "/lines/0/product_id", lambda _: one(product_id=NOBODY, quantity="1")),
    (422, "NoSuchProduct", "/lines/0/product_id", _foreign_product),
    (422, "NotSoldAnyMore", "/lines/1/product_id", _archived),
    (422, "NoPriceInForce", "/lines/0/product_id", _priceless),
    (422, "ForeignCurrency", "/lines/0/product_id", _dollars),
    (422, "invalid", "/body/lines/0/quantity", lambda t: one(product_id=str(t.milk), quantity="0")),
    (422, "invalid", "/body/lines/0/quantity", lambda t: one(product_id=str(t.milk), quantity=1.5)),
    (422, "invalid", "/body/lines/0/quantity", lambda t: one(product_id=str(t.milk), quantity="100000")),
    (422, "invalid", "/body/lines", lambda _: {"lines": []}),
    (422, "ProductTwice", "/lines/1/product_id", lambda t: {"lines": [{"product_id": str(t.milk), "quantity": "1"}] * 2}),
    (422, "invalid", "/body/state", lambda _: {"state": "delivered"}),
    (422, "invalid", "/body/note", lambda _: {"note": "a\0b"}),
    (422, "DayNotNamed", "/service_on", lambda _: {"service_on": None, "shift": None}),
    (422, "ShiftNotRun", "/shift", lambda _: {"shift": None}),
    (422, "TooFarAhead", "/service_on", lambda _: {"service_on": "2027-03-01"}),
    (409, "CutoffPassed", "/service_on", lambda _: {"service_on": "2026-01-15"}),
    (409, "CutoffPassed", "/service_on", lambda _: {"service_on": "2020-01-15"}),
    (409, "SiteClosed", "/service_on", _closed),
    (409, "CustomerGone", "/customer_id", _stopped),
]  # fmt: skip


@pytest.mark.parametrize(
    ("status", "failure", "pointer", "over"), REFUSED, ids=lambda case: getattr(case, "__name__", None)
)
def test_what_cannot_be_ordered_is_refused_by_its_field_and_nothing_is_written(
    town: Town, status: int, failure: str, pointer: str, over: Any
) -> None:
    changed = over(town)
    assert refused(town.ask("meena", "POST", "/api/orders", town.wish() | changed)) == (status, failure, pointer)
    assert town.rows("SELECT id FROM orders WHERE customer_id = :id", id=town.meena) == []


def test_a_business_customer_may_leave_the_day_open(town: Town) -> None:
    with db.transaction(town.engine) as session:
        session.execute(text("UPDATE customers SET kind = 'business' WHERE id = :id"), {"id": town.meena})
    placed = town.place("meena", "3", service_on=None, shift=None)
    assert (placed["service_on"], placed["shift"], placed["cutoff_at"], placed["amount_minor"]) == (
        None,
        None,
        None,
        18000,
    )
    town.now = AFTER_CUTOFF
    changed = town.ask("meena", "PUT", f"/api/orders/{placed['id']}", {"lines": town.wish("4")["lines"]})
    assert (changed.status_code, changed.json()["amount_minor"]) == (200, 24000)


def test_each_sees_their_own_orders_newest_first_by_code_day_and_state(town: Town) -> None:
    mine = [town.place("meena", "1")["id"] for _ in range(3)]
    theirs = town.place("ravi", "1", service_on="2026-01-17")
    first = town.ask("meena", "GET", "/api/orders?limit=2").json()
    rest = town.ask("meena", "GET", f"/api/orders?limit=2&cursor={first['next']}").json()
    assert [row["id"] for row in first["items"] + rest["items"]] == mine[::-1]
    assert rest["next"] is None
    both = f"/api/orders?site_id={town.firm.site_id}"
    assert len(town.ask("support", "GET", both).json()["items"]) == 4
    assert len(town.ask("merchant", "GET", "/api/orders").json()["items"]) == 4
    code = theirs["code"].removeprefix("EB-").lower()
    for asked in (f"&q={code}", "&first_on=2026-01-17", f"&customer_id={town.ravi}"):
        assert [row["id"] for row in town.ask("support", "GET", both + asked).json()["items"]] == [theirs["id"]], asked
    for asked in ("&state=cancelled", "&source=subscription", "&last_on=2026-01-15"):
        assert town.ask("support", "GET", both + asked).json() == {"items": [], "next": None}
    assert town.ask("meena", "GET", f"/api/orders?customer_id={town.ravi}").json()["items"] == []
    assert town.ask("meena", "GET", "/api/orders?cursor=nonsense").status_code == 422


ROUTES = [
    ("GET", "/api/orders/{id}", None),
    ("PUT", "/api/orders/{id}", "lines"),
    ("POST", "/api/orders/{id}/cancel", {"reason": "guests do not come"}),
    ("DELETE", "/api/orders/{id}?reason=twice", None),
]


@pytest.mark.parametrize(("method", "path", "body"), ROUTES)
def test_an_outsider_finds_no_order_and_a_wrong_role_is_turned_away(
    town: Town, method: str, path: str, body: Any
) -> None:
    order = town.place("meena")
    body = {"lines": town.wish()["lines"]} if body == "lines" else body
    outsider = "ravi" if method != "DELETE" else "admin"
    there = path.replace("{id}", NOBODY if method == "DELETE" else order["id"])
    gone = town.ask(outsider, method, path.replace("{id}", NOBODY), body).json()
    found = town.ask(outsider, method, there, body)
    assert (found.status_code, found.json()["detail"]) == (404, gone["detail"])
    for role in ("driver", "warehouse", "marketing", "supplier", *(("support", "meena") if method == "DELETE" else ())):
        assert town.ask(role, method, path.replace("{id}", order["id"]), body).status_code == 403, role
    assert town.ask(None, method, path.replace("{id}", order["id"]), body).status_code == 401
    assert town.ask("meena", "GET", f"/api/orders/{order['id']}").json() == order


def test_a_changed_order_keeps_the_price_of_what_stays_and_says_before_and_after(town: Town) -> None:
    order = town.place("meena", "2", "1", note="ring twice")
    with db.transaction(town.engine) as session:
        db.run(
            session, "UPDATE prices SET unit_price = 99 WHERE product_id IN (:a, :b)", {"a": town.milk, "b": town.curd}
        )
    path = f"/api/orders/{order['id']}"
    changed = town.ask("meena", "PUT", path, {"lines": [{"product_id": str(town.milk), "quantity": "3"}]}).json()
    assert (changed["amount_minor"], changed["note"], changed["line_count"]) == (18000, None, 1)
    assert [(line["quantity"], line["cancelled_at"]) for line in changed["lines"]] == [
        ("3.000", None), ("1.000", "2026-01-15T12:00:00Z"),
    ]  # fmt: skip
    again = town.ask("meena", "PUT", path, {"lines": [{"product_id": str(town.curd), "quantity": "1"}]}).json()
    assert [(line["product_name"], line["amount_minor"]) for line in again["lines"] if not line["cancelled_at"]] == [
        ("Curd", 9900)
    ]
    told = town.rows("SELECT before, after FROM audit_entries WHERE entity_id = :id AND action = 'orders.change' ORDER BY id",
                     id=order["id"])  # fmt: skip
    assert [line["quantity"] for line in told[0]["before"]["lines"]] == ["2", "1"]
    assert (told[0]["before"]["note"], told[0]["after"]["note"]) == ("ring twice", None)
    assert [line["quantity"] for line in told[0]["after"]["lines"]] == ["3"]


def test_a_planned_order_changes_and_falls_together_with_its_stop(town: Town) -> None:
    order, delivery_id = town.planned("meena", "2", "1")
    assert (order["state"], order["address"]["line1"]) == ("planned", "12 Temple Road")
    path = f"/api/orders/{order['id']}"
    body = {
        "lines": [{"product_id": str(town.curd), "quantity": "4"}, {"product_id": str(town.milk), "quantity": "0.5"}]
    }
    assert town.ask("meena", "PUT", path, body).status_code == 200
    sql = "SELECT l.product_id, k.ordered_quantity::text AS q FROM delivery_lines k JOIN order_lines l ON l.id = k.order_line_id WHERE k.delivery_id = :id ORDER BY l.position"
    owed = lambda: {r["product_id"]: r["q"] for r in town.rows(sql, id=delivery_id)}  # noqa: E731
    assert owed() == {town.milk: "0.500", town.curd: "4.000"}
    assert town.findings() == []
    cancelled = town.ask("meena", "POST", f"{path}/cancel", {"reason": "away"}).json()
    assert (cancelled["state"], cancelled["deliveries"][0]["state"]) == ("cancelled", "cancelled")
    assert set(owed().values()) == {"0.000"}
    town.plan()
    assert town.ask("meena", "GET", path).json()["state"] == "cancelled"
    assert town.findings() == []
    told = town.rows("SELECT action, reason FROM audit_entries WHERE action LIKE '%.cancel' AND reason = 'away'")
    assert sorted(r["action"] for r in told) == ["delivery.cancel", "order.cancel"]


def test_after_the_cutoff_only_an_admin_withdraws_what_nobody_went_out_with(town: Town) -> None:
    order, _ = town.planned("meena")
    other, out_id = town.planned("meena")
    town.now = AFTER_CUTOFF
    path = f"/api/orders/{order['id']}"
    assert refused(town.ask("meena", "PUT", path, {"lines": town.wish()["lines"]})) == (
        409,
        "CutoffPassed",
        "/service_on",
    )
    late = town.ask("support", "POST", f"{path}/cancel", {"reason": "late"})
    assert refused(late) == (409, "CutoffPassed", "/service_on")
    assert town.ask("admin", "DELETE", path).status_code == 422
    gone = town.ask("admin", "DELETE", f"{path}?reason=twice")
    assert (gone.status_code, gone.json()["state"], gone.json()["deliveries"][0]["state"]) == (
        200,
        "cancelled",
        "cancelled",
    )
    assert town.rows(
        "SELECT reason FROM audit_entries WHERE action = 'order.withdraw' AND entity_id = :id", id=order["id"]
    ) == [{"reason": "twice"}]
    town.now = BREAKFAST
    told = {"client_id": out_id, "outcome": "not_delivered", "device_at": BREAKFAST.isoformat()}
    assert town.ask("driver", "POST", f"/api/deliveries/{out_id}/confirm", told).status_code == 200
    again = town.ask("admin", "DELETE", f"/api/orders/{other['id']}?reason=twice")
    assert again.status_code == 409
    retry = town.ask("support", "POST", f"/api/deliveries/{out_id}/next-attempt", {"planned_on": "2026-01-16"})
    assert retry.status_code == 201
    again = town.ask("admin", "DELETE", f"/api/orders/{other['id']}?reason=twice")
    assert refused(again) == (409, "SomebodyWent", "/order_id")
    assert town.findings() == []


def test_what_a_standing_order_made_is_not_changed_by_hand_but_may_be_cancelled(town: Town) -> None:
    import make
    from earlybird.catalog.models import Product
    from earlybird.customers.models import Customer

    with db.transaction(town.engine) as session:
        make.subscription(session, session.get_one(Customer, town.ravi), session.get_one(Product, town.milk))
    town.plan()
    order = town.ask("ravi", "GET", "/api/orders").json()["items"][0]
    path = f"/api/orders/{order['id']}"
    assert refused(town.ask("ravi", "PUT", path, {"lines": town.wish()["lines"]})) == (
        409,
        "MadeByStandingOrder",
        "/order_id",
    )
    assert town.ask("ravi", "POST", f"{path}/cancel", {"reason": "away"}).json()["state"] == "cancelled"
    town.plan()
    assert town.ask("ravi", "GET", path).json()["state"] == "cancelled"
    assert town.findings() == []


@pytest.mark.parametrize(("method", "tail"), [("PUT", ""), ("POST", "/cancel"), ("DELETE", "?reason=twice")])
def test_who_read_an_older_state_is_told_so(town: Town, method: str, tail: str) -> None:
    order = town.place("meena")
    path = f"/api/orders/{order['id']}"
    tag = town.ask("admin", "GET", path).headers["etag"]
    lines = {"lines": town.wish("5")["lines"]}
    changed = town.ask("admin", "PUT", path, lines, If_Match=tag)
    assert changed.status_code == 200
    body = {"PUT": lines, "POST": {"reason": "away"}, "DELETE": None}[method]
    assert town.ask("admin", method, path + tail, body, If_Match=tag).status_code == 412
    assert town.ask("admin", method, path + tail, body, If_Match=changed.headers["etag"]).status_code == 200


def test_the_same_order_sent_fifty_times_at_once_is_one_order_and_fifty_equal_answers(town: Town) -> None:
    wish, headers = town.wish(), {"Authorization": f"Bearer {town.token('meena')}", "Idempotency-Key": "breakfast"}

    def send(_: int) -> Any:
        return TestClient(town.app).post("/api/orders", json=wish, headers=headers)

    with ThreadPoolExecutor(50) as threads:
        answers = list(threads.map(send, range(50)))
    assert {(a.status_code, a.content, a.headers["etag"]) for a in answers} == {
        (201, answers[0].content, answers[0].headers["etag"])
    }
    assert sum(a.headers.get("idempotent-replayed") == "true" for a in answers) == 49
    assert len(town.rows("SELECT id FROM orders WHERE customer_id = :id", id=town.meena)) == 1
    other = town.ask("meena", "POST", "/api/orders", town.wish("9"), Idempotency_Key="breakfast")
    assert refused(other) == (422, "KeyReused", "/Idempotency-Key")


def test_cancelling_and_confirming_at_once_one_wins_and_the_books_agree(town: Town) -> None:
    for n in range(4):
        order, delivery_id = town.planned("meena")
        told = {"client_id": f"{delivery_id}-{n}", "outcome": "delivered", "device_at": town.now.isoformat()}

        def tell(delivery_id: str = delivery_id, told: Any = told) -> int:
            return int(town.ask("driver", "POST", f"/api/deliveries/{delivery_id}/confirm", told).status_code)

        def drop(order_id: str = order["id"]) -> int:
            return int(town.ask("meena", "POST", f"/api/orders/{order_id}/cancel", {"reason": "away"}).status_code)

        town.token("driver"), town.token("meena")
        with ThreadPoolExecutor(2) as threads:
            both = [threads.submit(call) for call in ((tell, drop) if n % 2 else (drop, tell))]
            assert sorted(call.result() for call in both) == [200, 409]
    checks = {name for name, _ in town.findings()}
    assert checks <= {"fact_not_charged"}


@settings(
    max_examples=60 if SOAK else 12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    st.lists(
        st.tuples(st.sampled_from(["change", "plan", "cancel", "withdraw"]), st.integers(1, 3), st.integers(1, 9)),
        max_size=6,
    )
)
def test_whatever_is_changed_planned_and_cancelled_the_stop_owes_what_the_order_holds(
    town: Town, moves: list[tuple[str, int, int]]
) -> None:
    order = town.place("meena", "2", "1")
    path = f"/api/orders/{order['id']}"
    for verb, which, quantity in moves:
        products = [p for bit, p in ((1, town.milk), (2, town.curd)) if which & bit]
        if verb == "plan":
            town.plan()
        elif verb == "change":
            lines = [{"product_id": str(p), "quantity": quantity} for p in products]
            assert town.ask("meena", "PUT", path, {"lines": lines}).status_code in (200, 409)
        elif verb == "cancel":
            assert town.ask("meena", "POST", f"{path}/cancel", {"reason": "away"}).status_code in (200, 409)
        else:
            assert town.ask("admin", "DELETE", f"{path}?reason=twice").status_code in (200, 409)
    owed = town.rows(
        "SELECT k.ordered_quantity - CASE WHEN l.cancelled_at IS NULL THEN l.quantity ELSE 0 END AS off, o.state, d.state AS stop "
        "FROM orders o JOIN deliveries d ON d.order_id = o.id JOIN order_lines l ON l.order_id = o.id "
        "LEFT JOIN delivery_lines k ON k.order_line_id = l.id AND k.delivery_id = d.id "
        "WHERE o.id = :id AND (l.cancelled_at IS NULL OR k.id IS NOT NULL)",
        id=order["id"],
    )
    assert all(row["off"] == 0 and row["state"] == row["stop"] for row in owed)
    town.plan()
    assert town.findings() == []


def test_the_day_is_the_sites_not_utc(town: Town) -> None:
    town.now = datetime(2026, 1, 15, 20, 0, tzinfo=UTC)  # half past one on the 16th in India
    assert town.place("meena", service_on=str(date(2026, 1, 17)))["cutoff_at"] == "2026-01-16T14:30:00Z"
    assert refused(town.ask("meena", "POST", "/api/orders", town.wish()))[:2] == (409, "CutoffPassed")
