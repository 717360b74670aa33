"""A driver's device syncs: verdicts, what changed since the cursor, however late it was committed; gaps are found."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy.orm import Session

from earlybird.deliveries.queries import sync as queries
from earlybird.infra import db
from make.doors import place, town
from make.town import Town

__all__ = ["place", "town"]

BREAKFAST = datetime(2026, 1, 16, 1, 30, tzinfo=UTC)


def told(order: dict[str, Any], **over: Any) -> dict[str, Any]:
    facts = {"client_id": uuid4().hex, "kind": "confirm", "order_id": order["id"], "outcome": "delivered",
             "device_at": "2026-01-16T06:30:00+05:30"}  # fmt: skip
    return facts | over


def sync(town: Town, cursor: str | None = None, *items: dict[str, Any], role: str = "driver", **over: Any) -> Any:
    body = {"device_id": "phone-1", "cursor": cursor, "confirmations": list(items)} | over
    answer = town.ask(role, "POST", "/api/sync", body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def quiet(town: Town, cursor: str | None = None) -> Any:
    """Sync until nothing more is shown: what other transactions of the server hold open is shown twice."""
    answer = sync(town, cursor)
    while answer["changed"]:
        answer = sync(town, answer["cursor"])
    return answer


def changed(answer: Any) -> list[str]:
    return [stop["id"] for stop in answer["changed"]]


@pytest.fixture
def stops(town: Town) -> list[tuple[dict[str, Any], str]]:
    """Two planned stops of the driver, on the morning itself."""
    found = [town.planned("meena", "2", "1"), town.planned("meena", "1")]
    town.now = BREAKFAST
    return found


def test_an_outbox_is_judged_one_by_one_and_the_answer_shows_what_changed(town: Town, stops: Any) -> None:
    (one, one_id), (_, two_id) = stops
    first = sync(town)
    assert sorted(changed(first)) == sorted([one_id, two_id]) == sorted(stop["id"] for stop in first["stops"])
    assert (first["first_on"], first["last_on"]) == ("2026-01-14", "2026-01-17")
    nothing = quiet(town, first["cursor"])
    assert (nothing["verdicts"], changed(nothing)) == ([], [])
    items = [
        told(one, client_id="s-1", device_seq=1, photos=["ab" * 32], note="the watchman took it"),
        told(one, client_id="s-2", order_id=str(uuid4()), device_seq=2),
        told(one, client_id="s-3", order_id=None, device_seq=3),
        {"odd": True},
    ]
    answer = sync(town, nothing["cursor"], *items)
    assert [(v["client_id"], v["answer"], v["field"]) for v in answer["verdicts"]] == [
        ("s-1", "accepted", None), ("s-2", "rejected", "order_id"), ("s-3", "rejected", "order_id"),
        (None, "rejected", "client_id"),
    ]  # fmt: skip
    assert [(s["id"], s["state"], s["lines"][0]["delivered_quantity"]) for s in answer["changed"]] == [
        (one_id, "delivered", "2.000")
    ]
    again = sync(town, nothing["cursor"], *items)
    assert [v["answer"] for v in again["verdicts"]] == ["repeated", *["rejected"] * 3]
    kept = town.rows("SELECT device, device_seq, told ->> 'note' AS note, told -> 'photos' AS photos "
                     "FROM delivery_events WHERE delivery_id = :id", id=one_id)  # fmt: skip
    assert [tuple(row.values()) for row in kept] == [("phone-1", 1, "the watchman took it", ["ab" * 32])]


def test_changes_of_the_office_reach_the_driver_and_what_left_is_not_on_the_list(town: Town, stops: Any) -> None:
    (one, one_id), (_, two_id) = stops
    cursor = quiet(town)["cursor"]
    right = {
        "client_id": "desk",
        "outcome": "not_delivered",
        "reason": "called",
        "device_at": "2026-01-16T06:50:00+05:30",
    }
    assert town.ask("support", "POST", f"/api/deliveries/{one_id}/correct", right).status_code == 200
    found = sync(town, cursor)
    assert [(s["id"], s["state"]) for s in found["changed"]] == [(one_id, "not_delivered")]
    with db.transaction(town.engine) as session:
        db.run(session, "UPDATE deliveries SET driver_id = NULL WHERE id = :id", {"id": two_id})
    gone = sync(town, found["cursor"])
    assert [stop["id"] for stop in gone["stops"]] == [one_id]
    with db.transaction(town.engine) as session:
        db.run(session, "UPDATE deliveries SET driver_id = :d WHERE id = :id", {"d": town.driver_id, "id": two_id})
    assert two_id in changed(sync(town, gone["cursor"]))
    with db.transaction(town.engine) as session:
        db.run(session, "UPDATE orders SET note = 'second gate' WHERE id = :id", {"id": one["id"]})
    late = sync(town, sync(town, gone["cursor"])["cursor"])
    assert changed(late) == [] or late["changed"][0]["note"] == "second gate"


def test_a_change_committed_after_a_later_one_is_not_passed_over(town: Town, stops: Any) -> None:
    (_, one_id), (_, two_id) = stops
    cursor = quiet(town)["cursor"]
    move = "UPDATE deliveries SET state_at = state_at + interval '1 second' WHERE id = :id"
    with Session(town.engine) as slow:
        with slow.begin_nested():
            db.run(slow, move, {"id": one_id})
        with db.transaction(town.engine) as session:
            db.run(session, move, {"id": two_id})
        between = sync(town, cursor)
        assert changed(between) == [two_id]
        slow.commit()
    after = sync(town, between["cursor"])
    assert one_id in changed(after)
    assert changed(quiet(town, after["cursor"])) == []


def test_a_substitute_gets_the_round_and_days_that_come_into_view_are_sent(town: Town, stops: Any) -> None:
    (_, one_id), (_, two_id) = stops
    substitute = town.ask("substitute", "GET", "/auth/me").json()["id"]
    empty = sync(town, role="substitute")
    assert empty["stops"] == empty["rounds"] == []
    round_id = str(uuid4())
    with db.transaction(town.engine) as session:
        db.run(session, "INSERT INTO rounds (id, site_id, service_on, shift, name, driver_id, substitute_id) "
               "VALUES (:id, :site, '2026-01-16', 'morning', 'North', :driver, :substitute)",
               {"id": round_id, "site": town.firm.site_id, "driver": town.driver_id, "substitute": substitute})  # fmt: skip
        for position, delivery_id in enumerate((two_id, one_id), 1):
            db.run(session, "INSERT INTO round_stops (delivery_id, round_id, position) VALUES (:d, :r, :p)",
                   {"d": delivery_id, "r": round_id, "p": position})  # fmt: skip
    found = sync(town, empty["cursor"], role="substitute")
    assert [r["name"] for r in found["rounds"]] == ["North"]
    assert [s["id"] for s in found["stops"]] == [s["id"] for s in found["changed"]] == [two_id, one_id]
    assert found["changed"][0]["position"] == 1
    with db.transaction(town.engine) as session:
        db.run(session, "UPDATE deliveries SET planned_on = '2026-01-20' WHERE id = :id", {"id": one_id})
    cursor = quiet(town)["cursor"]
    town.now = datetime(2026, 1, 19, 1, 30, tzinfo=UTC)
    assert changed(sync(town, cursor)) == [one_id]


@pytest.mark.parametrize("cursor", ["", "nonsense", "e30", "\N{SNOWMAN}" * 9, "another's", "the future's"])
def test_a_cursor_that_is_not_known_begins_anew(town: Town, stops: Any, cursor: str) -> None:
    first = sync(town)
    place_ = queries.read_place(first["cursor"])
    assert place_ is not None
    if cursor == "another's":
        cursor = place_._replace(whose="user:somebody").text()
    elif cursor == "the future's":
        cursor = place_._replace(xmin=place_.xmin + 10**6).text()
    assert len(changed(sync(town, cursor))) == 2


def test_a_hole_in_a_devices_numbers_is_found_until_the_missing_one_comes(town: Town, stops: Any) -> None:
    (one, one_id), (two, _) = stops
    gap = "SELECT state, facts -> 'missing' AS missing FROM findings WHERE check_name = 'device_gap' AND subject LIKE :who"
    who = f"user:{town.driver_id}/phone-%"
    sync(town, None, told(one, device_seq=1), told(two, device_seq=2))
    assert town.rows(gap, who=who) == []
    sync(town, None, told(one, device_seq=7, client_id="seven"), told(two, device_seq=4))
    assert town.rows(gap, who=who) == [{"state": "open", "missing": [[3, 3], [5, 6]]}]
    sync(town, None, told(one, device_seq=5), told(two, device_seq=1), device_id="phone-2")
    single = told(one, device_seq=3, device_id="phone-1", order_id=one["id"])
    single.pop("kind")
    assert town.ask("driver", "POST", f"/api/deliveries/{one_id}/confirm", single).status_code == 200
    sync(town, None, told(two, device_seq=6), told(two, order_id=str(uuid4()), device_seq=5))
    states = {row["state"]: row["missing"] for row in town.rows(gap, who=f"user:{town.driver_id}/phone-1")}
    assert list(states) == ["resolved"]
    assert [row["state"] for row in town.rows(gap, who=f"user:{town.driver_id}/phone-2")] == ["open"]


def test_one_tap_by_three_entrances_is_one_event(town: Town, stops: Any) -> None:
    (one, one_id), (two, _) = stops
    single = told(one, client_id="lift")
    single.pop("kind")
    single.pop("order_id")
    assert town.ask("driver", "POST", f"/api/deliveries/{one_id}/confirm", single).json()["answer"] == "accepted"
    taps = [told(one, client_id="lift"), told(one, client_id="lift", order_id=None, order_code=one["code"]),
            told(two, client_id="lift")]  # fmt: skip
    answers = [(v["answer"], v["field"]) for v in sync(town, None, *taps)["verdicts"]]
    assert answers == [("repeated", None), ("repeated", None), ("rejected", "client_id")]
    batch = {"confirmations": [told(one, client_id="lift"), told(one, client_id="lift", outcome="not_delivered")]}
    found = town.ask("driver", "POST", "/api/deliveries/confirmations", batch).json()["verdicts"]
    assert [v["answer"] for v in found] == ["repeated", "rejected"]


def test_only_who_confirms_may_sync_and_500_is_the_most(town: Town, stops: Any) -> None:
    (one, _), _ = stops
    body = {"device_id": "d", "confirmations": []}
    for role in ("meena", "support", "warehouse"):
        assert town.ask(role, "POST", "/api/sync", body).status_code == 403
    assert town.ask("driver", "POST", "/api/sync", body | {"confirmations": [told(one)] * 501}).status_code == 422
    admin = sync(town, None, told(one), role="admin")
    assert (admin["verdicts"][0]["answer"], admin["stops"]) == ("accepted", [])
    assert UUID(admin["verdicts"][0]["order_id"]) == UUID(one["id"])
