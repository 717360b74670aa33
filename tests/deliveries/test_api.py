"""Deliveries and plans over HTTP: whose round, who told it, what is refused and kept, what is planned anew."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from earlybird.billing.service import charges
from earlybird.deliveries.errors import NoSuchDelivery
from earlybird.deliveries.queries import shown
from earlybird.deliveries.schemas import read
from earlybird.deliveries.service import telling
from earlybird.infra import db
from earlybird.kernel.ctx import Actor, Ctx, Reach
from make.town import TOMORROW, Town

BREAKFAST = datetime(2026, 1, 16, 1, 30, tzinfo=UTC)
NOBODY = str(uuid4())


def refused(answer: Any) -> tuple[int, str, str | None]:
    body = answer.json()
    return answer.status_code, body["type"].rpartition(":")[2], (body.get("errors") or [{}])[0].get("pointer")


def told(**over: Any) -> dict[str, Any]:
    facts = {"client_id": uuid4().hex, "outcome": "delivered", "device_at": "2026-01-16T06:30:00+05:30"} | over
    return {name: fact for name, fact in facts.items() if fact is not None}


@pytest.fixture
def stop(town: Town) -> tuple[dict[str, Any], str]:
    """Meena's planned order and its delivery, on the morning itself."""
    found = town.planned("meena", "2", "1")
    town.now = BREAKFAST
    return found


def confirm(town: Town, delivery_id: str, role: str = "driver", **over: Any) -> Any:
    return town.ask(role, "POST", f"/api/deliveries/{delivery_id}/confirm", told(**over), User_Agent="Redmi 9A")


def test_a_driver_confirms_and_everybody_concerned_sees_who_when_and_how(town: Town, stop: Any) -> None:
    order, delivery_id = stop
    lines = [
        {"product_id": str(town.milk), "quantity": "1.5", "reason": "one packet leaked"},
        {"line": 2, "quantity": 1},
    ]
    answer = confirm(town, delivery_id, outcome=None, lines=lines)
    verdict = answer.json()
    assert (answer.status_code, verdict["answer"], verdict["outcome"]) == (200, "accepted", "partially_delivered")
    assert (verdict["order_id"], verdict["delivery_id"]) == (order["id"], delivery_id)
    shown = town.ask("meena", "GET", f"/api/orders/{order['id']}").json()
    assert shown["state"] == "partially_delivered"
    assert [line["delivered_quantity"] for line in shown["lines"]] == ["1.500", "1.000"]
    only = shown["deliveries"][0]
    assert (only["confirmed_by"], only["via"], only["confirmed_at"]) == (
        "Prakash",
        "driver_app",
        "2026-01-16T01:00:00Z",
    )
    for role, device in (("support", "Redmi 9A"), ("meena", None), ("driver", None), ("warehouse", None)):
        seen = town.ask(role, "GET", f"/api/deliveries/{delivery_id}")
        event = seen.json()["events"][0]
        assert (event["actor_name"], event["device"], event["via"]) == ("Prakash", device, "driver_app"), role
        assert sorted((n["delta_quantity"], n["reason"]) for n in event["lines"]) == [
            ("1.000", None), ("1.500", "one packet leaked"),
        ]  # fmt: skip
    entry = town.rows("SELECT actor_name, role, via, device FROM audit_entries WHERE action = 'deliveries.confirm' "
                      "ORDER BY id DESC LIMIT 1")[0]  # fmt: skip
    assert tuple(entry.values()) == ("Prakash", "driver", "driver_app", "Redmi 9A")
    trail = "SELECT entity, action FROM audit_entries WHERE entity_id IN (:d, :o) AND role = 'driver' ORDER BY id"
    assert [tuple(row.values()) for row in town.rows(trail, d=delivery_id, o=order["id"])] == [
        ("delivery", "delivery.deliver_partly"), ("order", "order.deliver_partly"),
    ]  # fmt: skip
    with db.transaction(town.engine) as session:
        charges.charge_delivered(session, town.ctx(), limit=100)
    assert town.findings() == []


def test_a_reason_is_one_of_the_list_and_other_words_are_kept_as_they_are(town: Town, stop: Any) -> None:
    _, delivery_id = stop
    for place, (reason, note) in enumerate(
        [("customer_absent", "the dog was in"), ("said come later", None), (None, None)]
    ):
        over = {
            "reason": reason,
            "note": note,
            "outcome": "not_delivered",
            "device_at": f"2026-01-16T06:3{place}:00+05:30",
        }
        assert confirm(town, delivery_id, **over).status_code == 200
    events = town.ask("driver", "GET", f"/api/deliveries/{delivery_id}").json()["events"]
    assert [(e["reason"], e["reason_code"], e["note"]) for e in events] == [
        ("customer_absent", "customer_absent", "the dog was in"), ("said come later", "other", None), (None, None, None),
    ]  # fmt: skip


def test_only_ones_own_round_can_be_confirmed_and_others_are_not_there(town: Town, stop: Any) -> None:
    order, delivery_id = stop
    assert refused(confirm(town, delivery_id, "substitute")) == (404, "NoSuchDelivery", "/delivery_id")
    assert refused(confirm(town, NOBODY, "driver")) == (404, "NoSuchDelivery", "/delivery_id")
    for role in ("meena", "support", "warehouse", "merchant", "marketing", "supplier"):
        assert confirm(town, delivery_id, role).status_code == 403, role
    batch = {"confirmations": [told(kind="confirm", order_id=order["id"]), told(kind="confirm", order_id=NOBODY)]}
    answer = town.ask("substitute", "POST", "/api/deliveries/confirmations", batch).json()
    assert [(v["answer"], v["field"], v["rule"]) for v in answer["verdicts"]] == [
        ("rejected", "order_id", "No order goes by that name.")
    ] * 2
    assert town.ask("substitute", "GET", f"/api/deliveries/{delivery_id}").status_code == 404
    assert town.ask("ravi", "GET", f"/api/deliveries/{delivery_id}").status_code == 404
    assert town.rows("SELECT id FROM delivery_events WHERE delivery_id = :id", id=delivery_id) == []
    assert confirm(town, delivery_id, "admin").json()["answer"] == "accepted"


def test_an_unknown_order_is_refused_with_a_pointer_and_no_fact_is_written(town: Town, stop: Any) -> None:
    _, delivery_id = stop
    for role in ("driver", "admin"):
        answer = confirm(town, delivery_id, role, order_id=NOBODY)
        assert refused(answer) == (422, "OrderUnknown", "/order_id"), role
    assert town.rows("SELECT id FROM delivery_events WHERE delivery_id = :id", id=delivery_id) == []
    kept = town.rows("SELECT field, rule FROM delivery_rejections WHERE body LIKE :like", like=f"%{NOBODY}%")
    assert {(row["field"], row["rule"]) for row in kept} == {("order_id", "No order goes by that name.")}


REFUSED = [
    ((422, "MoreThanOrdered", "/lines/0/quantity"), {"outcome": None, "lines": [{"line": 1, "quantity": "9"}]}),
    ((422, "LineUnknown", "/lines/0/line"), {"outcome": None, "lines": [{"line": 7, "quantity": "1"}]}),
    ((422, "InTheFuture", "/device_at"), {"device_at": "2026-01-16T09:00:00+05:30"}),
    ((422, "OutsideWindow", "/device_at"), {"device_at": "2026-01-13T09:00:00+05:30"}),
    ((422, "ContentNotNamed", "/outcome"), {"outcome": None}),
    ((422, "invalid", "/body/device_at"), {"device_at": "2026-01-16T09:00:00"}),
    ((422, "invalid", "/body/client_id"), {"client_id": "a\0b"}),
    ((422, "invalid", "/body/actor"), {"actor": {"kind": "user", "name": "Somebody"}}),
    ((422, "invalid", "/body/authority"), {"authority": "staff"}),
    ((422, "invalid", "/body/via"), {"via": "console"}),
    ((422, "invalid", "/body/lines/0/quantity"), {"outcome": None, "lines": [{"line": 1, "quantity": "-1"}]}),
]


@pytest.mark.parametrize(("wanted", "over"), REFUSED, ids=[f"{w[0][1]}{w[0][2]}" for w in REFUSED])
def test_what_cannot_be_so_is_refused_by_its_field(town: Town, stop: Any, wanted: Any, over: Any) -> None:
    _, delivery_id = stop
    assert refused(confirm(town, delivery_id, **over)) == wanted
    assert town.rows("SELECT id FROM delivery_events WHERE delivery_id = :id", id=delivery_id) == []


def test_saying_it_again_is_harmless_and_saying_something_else_is_refused(town: Town, stop: Any) -> None:
    _, delivery_id = stop
    first = confirm(town, delivery_id, client_id="tap-1", outcome="not_delivered").json()
    again = confirm(town, delivery_id, client_id="tap-1", outcome="not_delivered").json()
    assert (again["answer"], again["first"], again["event_id"]) == ("repeated", "accepted", first["event_id"])
    other = confirm(town, delivery_id, client_id="tap-1", outcome="delivered")
    assert refused(other) == (409, "ClientIdTaken", "/client_id")
    body = told(client_id="tap-2")
    path = f"/api/deliveries/{delivery_id}/confirm"
    both = [town.ask("driver", "POST", path, body, Idempotency_Key="k-2") for _ in range(2)]
    assert [a.headers.get("idempotent-replayed") for a in both] == [None, "true"]
    assert both[0].content == both[1].content


def test_one_tap_sent_by_many_threads_is_one_event(town: Town, stop: Any) -> None:
    _, delivery_id = stop
    town.token("driver")
    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(lambda _: confirm(town, delivery_id, client_id="lift").json(), range(12)))
    assert sorted(a["answer"] for a in answers) == ["accepted"] + ["repeated"] * 11
    assert len(town.rows("SELECT id FROM delivery_events WHERE delivery_id = :id", id=delivery_id)) == 1


def test_a_synced_round_is_judged_one_by_one(town: Town) -> None:
    mine, mine_id = town.planned("meena")
    theirs, _ = town.planned("ravi")
    town.now = BREAKFAST
    batch = [
        told(client_id="a", kind="confirm", order_code=mine["code"]),
        told(client_id="b", kind="confirm", order_id=theirs["id"]),
        told(client_id="c", kind="confirm", order_id=mine["id"], actor={"kind": "user", "name": "Asha"}),
        told(client_id="d", kind="confirm", order_id=mine["id"], authority="staff"),
        told(client_id="e", kind="confirm", order_id=mine["id"], device="mine"),
        told(client_id="f", kind="correct", order_id=mine["id"], reason="because"),
        told(client_id="g", kind="confirm"),
        {"client_id": "h", "quantity": 10**400, "odd": "\ud800"},
        told(client_id="a", kind="confirm", order_code=mine["code"]),
    ]
    answer = town.ask("driver", "POST", "/api/deliveries/confirmations", {"confirmations": batch[:7] + batch[8:]})
    assert answer.status_code == 200
    assert [(v["client_id"], v["answer"], v["field"]) for v in answer.json()["verdicts"]] == [
        ("a", "accepted", None), ("b", "rejected", "order_id"), ("c", "rejected", "actor"),
        ("d", "rejected", "authority"), ("e", "rejected", "device"), ("f", "rejected", "kind"),
        ("g", "rejected", "order_id"), ("a", "repeated", None),
    ]  # fmt: skip
    odd = town.api.post(
        "/api/deliveries/confirmations",
        content='{"confirmations": [{"client_id": "h", "odd": "\\ud800", "n": 1e999}, {"n": 1' + "0" * 300 + "}]}",
        headers={"Authorization": f"Bearer {town.token('driver')}", "Content-Type": "application/json"},
    )
    assert [v["answer"] for v in odd.json()["verdicts"]] == ["rejected"] * 2
    who = town.rows("SELECT actor_name, authority, via FROM delivery_events WHERE delivery_id = :id", id=mine_id)
    assert [tuple(row.values()) for row in who] == [("Prakash", 3, "driver_app")]
    kept = town.rows(
        "SELECT client_id FROM delivery_rejections WHERE client_id IN ('b','c','d','e','f','g') ORDER BY 1"
    )
    assert [row["client_id"] for row in kept] == list("bcdefg")
    many = {"confirmations": [told(client_id=str(n), kind="confirm") for n in range(501)]}
    assert refused(town.ask("driver", "POST", "/api/deliveries/confirmations", many)) == (
        422,
        "invalid",
        "/body/confirmations",
    )
    for role in ("support", "meena", "warehouse"):
        assert town.ask(role, "POST", "/api/deliveries/confirmations", {"confirmations": batch[:1]}).status_code == 403


def test_an_admin_may_say_in_a_round_who_told_it(town: Town, stop: Any) -> None:
    order, delivery_id = stop
    said = told(
        kind="confirm", order_id=order["id"], actor={"kind": "user", "name": "Ramu"}, authority="driver", via="file"
    )
    answer = town.ask("admin", "POST", "/api/deliveries/confirmations", {"confirmations": [said]})
    assert answer.json()["verdicts"][0]["answer"] == "accepted"
    row = town.rows("SELECT actor_name, authority, via FROM delivery_events WHERE delivery_id = :id", id=delivery_id)
    assert [tuple(r.values()) for r in row] == [("Ramu", 3, "file")]


def test_staff_put_a_delivery_right_with_a_reason_long_after(town: Town, stop: Any) -> None:
    _, delivery_id = stop
    assert confirm(town, delivery_id).status_code == 200
    town.now = datetime(2026, 1, 25, 5, 0, tzinfo=UTC)
    path = f"/api/deliveries/{delivery_id}/correct"
    right = told(
        outcome=None, lines=[{"product_id": str(town.curd), "quantity": 0}], device_at="2026-01-25T10:00:00+05:30"
    )
    assert refused(town.ask("support", "POST", path, right)) == (422, "invalid", "/body/reason")
    right["reason"] = "the curd was never handed over"
    for role in ("driver", "meena", "warehouse"):
        assert town.ask(role, "POST", path, right).status_code == 403
    verdict = town.ask("support", "POST", path, right).json()
    assert (verdict["answer"], verdict["outcome"]) == ("accepted", "partially_delivered")
    events = town.ask("support", "GET", f"/api/deliveries/{delivery_id}").json()["events"]
    assert [(e["kind"], e["reason"], e["via"]) for e in events] == [
        ("confirm", None, "driver_app"), ("correct", "the curd was never handed over", "api"),
    ]  # fmt: skip
    only_curd = {"outcome": None, "lines": [{"product_id": str(town.curd), "quantity": 1}]}
    late = confirm(town, delivery_id, device_at="2026-01-16T06:40:00+05:30", **only_curd)
    assert late.json()["answer"] == "superseded"
    assert refused(town.ask("support", "POST", f"/api/deliveries/{NOBODY}/correct", right))[0] == 404


def test_a_cancelled_order_refuses_its_confirmation(town: Town) -> None:
    order, delivery_id = town.planned("meena")
    assert town.ask("meena", "POST", f"/api/orders/{order['id']}/cancel", {"reason": "away"}).status_code == 200
    town.now = BREAKFAST
    assert refused(confirm(town, delivery_id)) == (409, "OrderCancelled", "/order_id")


def test_what_was_not_delivered_is_tried_again(town: Town, stop: Any) -> None:
    order, delivery_id = stop
    path = f"/api/deliveries/{delivery_id}/next-attempt"
    body = {"planned_on": "2026-01-17", "driver_id": str(town.driver_id)}
    assert refused(town.ask("support", "POST", path, body)) == (409, "NoNextAttempt", "/order_id")
    assert confirm(town, delivery_id, outcome="not_delivered", reason="nobody at home").status_code == 200
    assert refused(town.ask("support", "POST", path, body | {"driver_id": str(town.meena)}))[1:] == (
        "NotADriver",
        "/driver_id",
    )
    for day in ("2026-01-15", "2026-03-15"):
        assert refused(town.ask("support", "POST", path, body | {"planned_on": day}))[1] == "DayNotPlannable"
    assert town.ask("driver", "POST", path, body).status_code == 403
    assert town.ask("support", "POST", path.replace(delivery_id, NOBODY), body).status_code == 404
    again = town.ask("support", "POST", path, body)
    assert (again.status_code, again.json()["attempt"], again.json()["state"]) == (201, 2, "planned")
    shown = town.ask("meena", "GET", f"/api/orders/{order['id']}").json()
    assert (shown["state"], [d["state"] for d in shown["deliveries"]]) == ("planned", ["not_delivered", "planned"])
    assert town.findings() == []


def test_lists_show_the_round_the_site_or_all(town: Town) -> None:
    _, mine = town.planned("meena")
    _, theirs = town.planned("ravi")
    town.now = BREAKFAST
    site = f"/api/deliveries?site_id={town.firm.site_id}"
    seen = lambda role, path: [row["id"] for row in town.ask(role, "GET", path).json()["items"]]  # noqa: E731
    assert seen("driver", "/api/deliveries") == [mine]
    assert seen("substitute", "/api/deliveries") == []
    assert set(seen("warehouse", "/api/deliveries")) == {mine, theirs}
    assert set(seen("support", site)) == {mine, theirs}
    assert seen("support", f"{site}&driver_id={town.driver_id}") == [mine]
    assert seen("support", f"{site}&customer_id={town.ravi}&planned_on={TOMORROW}&shift=morning&state=planned") == [
        theirs
    ]
    for asked in ("planned_on=2026-01-17", "shift=evening", "state=delivered", "last_on=2026-01-15"):
        assert seen("support", f"{site}&{asked}") == []
    page = town.ask("support", "GET", f"{site}&limit=1").json()
    rest = town.ask("support", "GET", f"{site}&limit=1&cursor={page['next']}").json()
    assert {page["items"][0]["id"], rest["items"][0]["id"]} == {mine, theirs}
    assert rest["next"] is None
    assert [line["product_name"] for line in page["items"][0]["lines"]] == ["Milk", "Curd"]
    for role in ("meena", "merchant", "marketing", "supplier"):
        assert town.ask(role, "GET", "/api/deliveries").status_code == 403


def test_a_day_is_planned_once_however_often_it_is_asked(town: Town) -> None:
    town.place("meena", "2", "1")
    body = {"site_id": str(town.firm.site_id), "service_on": str(TOMORROW)}
    first = town.ask("admin", "POST", "/api/plans", body).json()
    assert (first["orders"], first["lines"], first["stops"], first["amount_minor"]) == (1, 2, 1, 16050)
    with ThreadPoolExecutor(4) as threads:
        again = list(threads.map(lambda _: town.ask("admin", "POST", "/api/plans", body).json(), range(4)))
    assert all(each == again[0] for each in again)
    assert (again[0]["orders"], again[0]["added"]) == (1, 0)
    runs = town.ask("admin", "GET", f"/api/plans?site_id={town.firm.site_id}").json()["items"]
    assert [(run["service_on"], run["line_count"], run["site_name"]) for run in runs] == [("2026-01-16", 2, "Depot")]
    assert town.ask("admin", "GET", f"/api/plans?site_id={NOBODY}").json()["items"] == []
    assert refused(town.ask("admin", "POST", "/api/plans", body | {"site_id": NOBODY})) == (
        422,
        "SiteUnknown",
        "/site_id",
    )
    assert refused(town.ask("admin", "POST", "/api/plans", body | {"service_on": "2030-01-01"}))[1] == "PlanTooFar"
    for role in ("support", "meena", "driver", "warehouse"):
        assert town.ask(role, "POST", "/api/plans", body).status_code == 403
        assert town.ask(role, "GET", "/api/plans").status_code == 403


def round_of(town: Town, *deliveries: str, substitute_id: Any = None) -> UUID:
    """A round of the town's driver with these stops, as cutting the day would have made it."""
    key = uuid4()
    with db.transaction(town.engine) as session:
        db.run(
            session,
            "INSERT INTO rounds (id, site_id, service_on, shift, name, driver_id, substitute_id) "
            "VALUES (:id, :site, :on, 'morning', 'North', :driver, :substitute)",
            {"id": key, "site": town.firm.site_id, "on": TOMORROW, "driver": town.driver_id,
             "substitute": substitute_id},
        )  # fmt: skip
        for place, delivery_id in enumerate(deliveries, 1):
            facts = {"d": delivery_id, "r": key, "p": place}
            db.run(session, "INSERT INTO round_stops (delivery_id, round_id, position) VALUES (:d, :r, :p)", facts)
    return key


def linked(town: Town, **scope: Any) -> Ctx:
    """A helper with a shared link to one round or one order."""
    actor = Actor(kind="link", name="Helper", role="link", id=uuid4(), reaches=(Reach("link", "link", **scope),))
    return Ctx(actor=actor, now=town.now, via="link", address="203.0.113.9")


def test_a_substitute_sees_and_confirms_the_round_and_the_driver_counts_more(town: Town, stop: Any) -> None:
    _, delivery_id = stop
    substitute = town.ask("substitute", "GET", "/auth/me").json()["id"]
    round_of(town, delivery_id, substitute_id=substitute)
    assert town.ask("substitute", "GET", f"/api/deliveries/{delivery_id}").status_code == 200
    assert [d["id"] for d in town.ask("substitute", "GET", "/api/deliveries").json()["items"]] == [delivery_id]
    assert confirm(town, delivery_id, "substitute", outcome="not_delivered").json()["answer"] == "accepted"
    assert confirm(town, delivery_id, device_at="2026-01-16T06:00:00+05:30").json()["outcome"] == "delivered"
    later = confirm(town, delivery_id, "substitute", outcome="not_delivered", device_at="2026-01-16T06:50:00+05:30")
    assert later.json()["answer"] == "superseded"
    told_by = "SELECT authority FROM delivery_events WHERE delivery_id = :id ORDER BY id"
    assert [row["authority"] for row in town.rows(told_by, id=delivery_id)] == [2, 3, 2]


def test_a_link_reaches_its_round_or_its_order_and_nothing_else(town: Town) -> None:
    mine, mine_id = town.planned("meena")
    theirs, theirs_id = town.planned("ravi")
    town.now = BREAKFAST
    round_id = round_of(town, mine_id)
    scopes = (linked(town, round_id=round_id), linked(town, order_id=UUID(mine["id"])))
    for minute, ctx in enumerate(scopes):
        with db.transaction(town.engine) as session:
            for delivery_id, order_id in ((theirs_id, theirs["id"]), (NOBODY, NOBODY)):
                with pytest.raises(NoSuchDelivery):
                    shown.delivery(session, ctx, UUID(delivery_id))
                with pytest.raises(NoSuchDelivery):
                    telling.tell(session, ctx, UUID(delivery_id), words=told(kind="confirm"))
                body = json.dumps(told(kind="confirm", order_id=order_id)).encode()
                verdict = telling.tell_many(session, ctx, [read(body)], bodies=[body])[0]
                assert (verdict.answer, verdict.field, verdict.rule) == (
                    "rejected", "order_id", "No order goes by that name.",
                )  # fmt: skip
            assert [d["id"] for d in shown.page(session, ctx, cursor=None, limit=9).items] == [UUID(mine_id)]
            assert (
                telling.tell(
                    session,
                    ctx,
                    UUID(mine_id),
                    words=told(kind="confirm", device_at=f"2026-01-16T06:3{minute}:00+05:30"),
                ).answer
                == "accepted"
            )
            assert shown.delivery(session, ctx, UUID(mine_id))["events"][0]["address"] is None
    with db.transaction(town.engine) as session:
        nothing = linked(town)
        with pytest.raises(NoSuchDelivery):
            shown.delivery(session, nothing, UUID(mine_id))
    kept = town.rows(
        "SELECT authority, via, actor_kind, address FROM delivery_events WHERE delivery_id = :id", id=mine_id
    )
    assert [tuple(row.values()) for row in kept] == [(1, "link", "link", "203.0.113.9")] * 2
