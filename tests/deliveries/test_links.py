"""A round opened to a helper without a login: it shows and does what it was made for, and dies at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from earlybird.deliveries import access, rules
from earlybird.deliveries.errors import LinkClosed
from earlybird.identity.rules import fingerprint
from earlybird.infra import db
from earlybird.kernel import ids
from make.shared import Helper, round_of, shared
from make.town import Town

MORNING = datetime(2026, 1, 16, 1, 0, tzinfo=UTC)  # 06:30 in India
END = datetime(2026, 1, 16, 18, 30, tzinfo=UTC)  # the 16th is over in India
WORDS = LinkClosed.__doc__


@pytest.fixture
def stops(town: Town) -> list[str]:
    """Two stops of tomorrow's round, Meena's and Ravi's, and one of Ravi's that is on no round."""
    with db.transaction(town.engine) as session:
        for name, who in (("Meena Devi Rao", town.meena), ("Ravi", town.ravi)):
            facts = {"n": name, "c": who, "p": "+919876543210"}
            db.run(session, "UPDATE customers SET name = :n, phone = :p WHERE id = :c", facts)
    found = [town.planned("meena")[1], town.planned("ravi")[1]]
    other = town.place("ravi", shift="evening")
    town.plan()
    found.append(town.ask("admin", "GET", f"/api/orders/{other['id']}").json()["deliveries"][0]["id"])
    town.now = MORNING
    return found


@pytest.fixture
def helper(town: Town, stops: list[str]) -> Helper:
    return shared(town, round_id=round_of(town, stops[:2]), name="Gopal")


def tap(helper: Helper, delivery_id: str, **over: Any) -> Any:
    said = {"client_id": uuid4().hex, "outcome": "delivered", "device_at": "2026-01-16T06:25:00+05:30"} | over
    return helper.ask("POST", f"/api/deliveries/{delivery_id}/confirm", said)


def wish(stop: str, **over: Any) -> dict[str, Any]:
    return {"client_id": uuid4().hex, "kind": "pause", "delivery_id": stop, "service_on": "2026-01-20"} | over


def everything(town: Town) -> str:
    """All rows of all tables, as text: what a look may not change."""
    with db.rehearsal(town.engine) as session:
        named = db.rows(
            session,
            "SELECT relname AS n FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1",
        )
        return "".join(
            str(db.value(session, f"SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {row['n']} t"))
            for row in named
        )


def test_it_shows_the_stops_of_its_round_names_shortened_and_phones_masked(helper: Helper, stops: list[str]) -> None:
    found = helper.ask("GET", "/api/link/round").json()
    assert [(s["delivery_id"], s["position"], s["name"]) for s in found["stops"]] == [
        (stops[0], 1, "Meena R."),
        (stops[1], 2, "Ravi"),
    ]
    assert "9876543210" not in json.dumps(found)
    assert found["stops"][0]["phone"] == "•" * 11 + "10"
    assert "unit_price" not in json.dumps(found)
    assert found["expires_at"] == "2026-01-16T18:30:00Z"
    round_id = helper.town.rows("SELECT round_id FROM shared_links WHERE id = :id", id=helper.link_id)[0]["round_id"]
    whole = shared(helper.town, round_id=round_id, shows_phones=True)
    assert whole.ask("GET", "/api/link/round").json()["stops"][0]["phone"] == "+919876543210"


def test_a_tap_is_told_by_the_link_with_address_and_device(helper: Helper, stops: list[str], town: Town) -> None:
    answer = tap(helper, stops[0])
    assert (answer.status_code, answer.json()["outcome"]) == (200, "delivered"), answer.text
    told = town.rows("SELECT * FROM delivery_events WHERE delivery_id = :id", id=stops[0])[0]
    assert (told["actor_kind"], str(told["actor_id"]), told["actor_name"], told["via"], told["authority"]) == (
        "link", helper.link_id, "Gopal", "link", 1,
    )  # fmt: skip
    entries = town.rows(
        "SELECT action, address, device, actor_kind FROM audit_entries WHERE actor_id = :id ORDER BY id",
        id=helper.link_id,
    )
    assert [entry["action"] for entry in entries] == [
        "links.open",
        "deliveries.confirm",
        "delivery.deliver",
        "order.deliver",
    ]
    assert {(entry["address"], entry["device"], entry["actor_kind"]) for entry in entries} == {
        ("testclient", "testclient", "link")
    }
    assert helper.ask("GET", "/api/link/round").json()["stops"][0]["state"] == "delivered"


def test_what_is_not_of_its_round_is_not_there(helper: Helper, stops: list[str]) -> None:
    assert tap(helper, stops[2]).status_code == tap(helper, str(uuid4())).status_code == 404
    assert helper.ask("POST", "/api/requests", wish(stops[2])).status_code == 404
    foreign = {"client_id": "a", "kind": "pause", "customer_id": str(ids.new_id()), "service_on": "2026-01-20"}
    assert helper.ask("POST", "/api/requests", foreign).status_code == 404


def test_an_order_is_opened_on_the_days_of_the_link_alone(town: Town, stops: list[str]) -> None:
    order = town.rows("SELECT order_id FROM deliveries WHERE id = :id", id=stops[0])[0]["order_id"]
    holder = shared(town, order_id=order)
    assert [s["delivery_id"] for s in holder.ask("GET", "/api/link/round").json()["stops"]] == [stops[0]]
    assert tap(holder, stops[0], outcome="not_delivered").status_code == 200
    again = town.ask("admin", "POST", f"/api/deliveries/{stops[0]}/next-attempt", {"planned_on": "2026-01-17"}).json()
    assert [s["delivery_id"] for s in holder.ask("GET", "/api/link/round").json()["stops"]] == [stops[0]]
    assert tap(holder, again["id"]).status_code == 404
    longer = shared(town, order_id=order, last_on="2026-01-17")
    assert len(longer.ask("GET", "/api/link/round").json()["stops"]) == 2
    assert tap(longer, again["id"], device_at="2026-01-16T06:29:00+05:30").status_code == 200


def expire(town: Town, _: Helper) -> None:
    town.now = END


def run_out(town: Town, helper: Helper) -> None:
    town.now = town.now + timedelta(minutes=rules.ACCESS_MINUTES)


def revoke(town: Town, helper: Helper) -> None:
    answer = town.ask("admin", "POST", f"/api/links/{helper.link_id}/revoke", {"reason": "phone lost"})
    assert answer.json()["state"] == "revoked"


def guess(_: Town, helper: Helper) -> None:
    helper.token, helper.access = fingerprint("a guess")[:43], "ebl_" + fingerprint("another")[:43]


def take_the_link_for_the_access(_: Town, helper: Helper) -> None:
    helper.access = "ebl_" + helper.token


@pytest.mark.parametrize("end", [expire, revoke, guess, run_out, take_the_link_for_the_access])
def test_a_link_that_is_over_is_refused_on_every_action_in_the_same_words(
    town: Town, helper: Helper, stops: list[str], end: Callable[[Town, Helper], None]
) -> None:
    asked = helper.ask("POST", "/api/requests", wish(stops[0])).json()["id"]
    end(town, helper)
    before = everything(town)
    answers = [
        helper.ask("GET", "/api/link/round"),
        tap(helper, stops[0]),
        helper.ask("POST", "/api/requests", wish(stops[0])),
        helper.ask("GET", "/api/requests"),
        helper.ask("GET", f"/api/requests/{asked}"),
        helper.ask("POST", f"/api/requests/{asked}/withdraw"),
    ]
    assert {(answer.status_code, answer.json()["detail"]) for answer in answers} == {(401, WORDS)}
    if end not in (run_out, take_the_link_for_the_access):
        opened = helper.open()
        assert (opened.status_code, opened.json()["detail"]) == (404, WORDS)
        known = helper.open(device_key=helper.device_key)
        assert (known.status_code, known.json()["detail"]) == (404, WORDS)
    assert everything(town) == before


def test_a_link_does_only_what_it_was_made_for(town: Town, stops: list[str]) -> None:
    looker = shared(town, round_id=round_of(town, stops[:2]), actions=["see"])
    assert looker.ask("GET", "/api/link/round").status_code == 200
    assert tap(looker, stops[0]).status_code == 403
    assert looker.ask("POST", "/api/requests", wish(stops[0])).status_code == 403


def test_a_preview_of_the_address_counts_confirms_and_changes_nothing(town: Town, helper: Helper) -> None:
    before = everything(town)
    for method in ("GET", "HEAD", "OPTIONS"):
        town.api.request(method, f"/l/{helper.token}", headers={"User-Agent": "WhatsApp/2.23 A"})
    page = town.api.get(f"/l/{helper.token}")
    nobody = town.api.get("/l/" + fingerprint("a guess")[:43])
    assert page.status_code == nobody.status_code == 200
    assert page.text == nobody.text
    for path in ("/api/link/round", "/api/requests"):
        assert helper.ask("GET", path).status_code == 200
    assert everything(town) == before


def test_the_page_opens_the_list_once_for_each_device(town: Town, stops: list[str]) -> None:
    holder = shared(town, round_id=round_of(town, stops[:2]), pin="4711", max_uses=1, is_open=False)
    here = {"Sec-Fetch-Site": "same-origin"}
    wrong = town.api.post(f"/l/{holder.token}", data={"pin": "0000"}, headers=here)
    assert (wrong.status_code, WORDS in wrong.text) == (404, True)
    page = town.api.post(f"/l/{holder.token}", data={"pin": "4711"}, headers=here)
    assert (page.status_code, "Meena R." in page.text, "9876543210" in page.text) == (200, True, False)
    assert town.api.post(f"/l/{holder.token}", headers=here).status_code == 200
    town.api.cookies.clear()
    assert town.api.post(f"/l/{holder.token}", data={"pin": "4711"}, headers=here).status_code == 404
    assert town.ask("admin", "GET", f"/api/links/{holder.link_id}").json()["use_count"] == 1


def test_a_pin_is_not_guessed_and_every_wrong_try_sounds_alike(town: Town, stops: list[str]) -> None:
    holder = shared(town, round_id=round_of(town, stops[:2]), pin="4711", is_open=False)
    said = {holder.open(**pin).json()["detail"] for pin in ({}, {"pin": "4712"}, {"pin": "47110"}, {"pin": "0"})}
    waiting = holder.open(pin="4711")  # right, but its place has to wait
    assert (waiting.status_code, said | {waiting.json()["detail"]}) == (404, {WORDS})
    tries = 0
    start = town.now
    while town.ask("admin", "GET", f"/api/links/{holder.link_id}").json()["state"] == "good":
        town.now += timedelta(seconds=901)
        tries += holder.open(pin=f"{tries:04d}").status_code == 404
    assert tries == rules.MOST_WRONG_PINS - 3
    assert holder.open(pin="4711").status_code == 404
    shown = town.ask("admin", "GET", f"/api/links/{holder.link_id}").json()
    assert (shown["revoked_reason"], shown["use_count"]) == ("too many wrong PINs", 0)
    found = town.rows("SELECT title FROM findings WHERE check_name = 'link_pin_guessed' AND subject = :s",
                      s=holder.link_id)  # fmt: skip
    assert len(found) == 1
    assert (town.now - start) > timedelta(hours=6)


def test_the_right_pin_opens_and_a_known_device_needs_it_no_more(town: Town, stops: list[str]) -> None:
    holder = shared(town, round_id=round_of(town, stops[:2]), pin="4711", max_uses=1, is_open=False)
    assert holder.open(pin="4712").status_code == 404
    assert holder.open(pin="4711").status_code == 200
    first = holder.access
    assert holder.open(device_key=holder.device_key).status_code == 200
    assert holder.ask("GET", "/api/link/round").status_code == 200
    assert holder.open(pin="4711").status_code == 404  # another device, and it may be one
    holder.access = first
    assert holder.ask("GET", "/api/link/round").status_code == 401  # opening anew ended it
    shown = town.ask("support", "GET", f"/api/links/{holder.link_id}").json()
    assert (shown["state"], shown["use_count"], [use["open_count"] for use in shown["uses"]]) == ("used_up", 1, [2])
    assert (shown["uses"][0]["address"], shown["uses"][0]["device"]) == ("testclient", "testclient")


def test_twenty_devices_at_once_open_it_as_often_as_it_may(town: Town, stops: list[str]) -> None:
    holder = shared(town, round_id=round_of(town, stops[:2]), max_uses=3, is_open=False)
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda _: Helper(town, holder.link_id, holder.token).open(), range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [404] * 17
    assert town.rows("SELECT use_count FROM shared_links WHERE id = :id", id=holder.link_id)[0]["use_count"] == 3


def test_a_new_day_has_a_new_token_and_the_old_link_lives_no_longer(town: Town, stops: list[str]) -> None:
    today = round_of(town, stops[:2])
    may = ["see", "confirm"]
    holder = shared(town, round_id=today, pin="4711", max_uses=2, actions=may, is_open=False)
    path = f"/api/links/{holder.link_id}/renew"
    assert town.ask("admin", "POST", path).status_code == 409
    round_of(town, [], day=date(2026, 1, 18))
    round_of(town, [], day=date(2026, 1, 17), name="South")
    later = round_of(town, [], day=date(2026, 1, 17))
    lost = town.ask("admin", "POST", path).json()
    made = town.ask("admin", "POST", path).json()
    new = Helper(town, made["id"], made["token"])
    facts = town.rows("SELECT * FROM shared_links WHERE id = :id", id=made["id"])[0]
    assert (facts["round_id"], facts["first_on"], facts["last_on"]) == (later, date(2026, 1, 17), date(2026, 1, 17))
    assert (facts["expires_at"], facts["actions"], facts["max_uses"]) == (END + timedelta(days=1), may, 2)
    assert Helper(town, lost["id"], lost["token"]).open(pin="4711").status_code == 404
    assert (holder.open(pin="4711").status_code, new.open(pin="4711").status_code) == (200, 200)
    town.now = END
    assert (holder.open(pin="4711").status_code, new.open(pin="4711").status_code) == (404, 200)
    town.ask("admin", "POST", f"/api/links/{made['id']}/revoke", {"reason": "left"})
    assert town.ask("admin", "POST", f"/api/links/{made['id']}/renew").status_code == 409


def test_neither_token_nor_pin_is_kept(town: Town, stops: list[str]) -> None:
    holder = shared(town, round_id=round_of(town, stops[:2]), pin="918273", is_open=False)
    holder.open(pin="918274")
    holder.open(pin="918273")
    with db.rehearsal(town.engine) as session:
        for table in ("shared_links", "link_uses", "audit_entries", "kept_answers", "sign_in_throttles"):
            text = str(db.value(session, f"SELECT string_agg(t::text, '|') FROM {table} t"))
            for secret in (holder.token, holder.access, holder.device_key, "918273"):
                assert secret not in text, table
    assert len(holder.token) == 43


WRONG = [
    ("/round_id", {}),
    ("/round_id", {"round_id": True, "order_id": str(ids.new_id())}),
    ("/round_id", {"round_id": str(ids.new_id())}),
    ("/first_on", {"round_id": True, "first_on": "2026-01-17", "last_on": "2026-01-18"}),
    ("/first_on", {"round_id": True, "last_on": "2026-02-28"}),
    ("/expires_at", {"round_id": True, "expires_at": "2026-01-16T06:30:00+05:30"}),
    ("/expires_at", {"round_id": True, "expires_at": "2026-03-16T06:30:00+05:30"}),
    ("/body/pin", {"round_id": True, "pin": "123"}),
    ("/actions", {"round_id": True, "actions": ["confirm"]}),
    ("/body/max_uses", {"round_id": True, "max_uses": 0}),
]


def test_a_link_that_makes_no_sense_is_not_made(town: Town, stops: list[str]) -> None:
    key = str(round_of(town, stops[:2]))
    for pointer, facts in WRONG:
        said = {name: key if fact is True else fact for name, fact in facts.items()}
        answer = town.ask("admin", "POST", "/api/links", said)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer), (facts, answer.text)


def test_one_link_is_slowed_down_on_all_its_devices_and_others_are_not(
    town: Town, stops: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "PER_MINUTE", 4)
    round_id = round_of(town, stops[:2])
    one, other = shared(town, round_id=round_id), shared(town, round_id=round_id)
    second = Helper(town, one.link_id, one.token)
    second.open()
    answers = [holder.ask("GET", "/api/link/round") for holder in (one, second) * 3]
    assert {200, 429} == {answer.status_code for answer in answers}
    assert answers[-1].headers["Retry-After"]
    assert other.ask("GET", "/api/link/round").status_code == 200


def test_a_token_in_a_path_is_not_said_back(town: Town) -> None:
    token = fingerprint("somebody's")[:43]
    assert token not in town.api.get(f"/api/nothing/{token}/here").text


def test_the_old_path_takes_the_token_and_refuses_like_the_others(town: Town, stops: list[str]) -> None:
    rows = town.rows("SELECT id, order_id FROM deliveries WHERE id = ANY(CAST(:ids AS uuid[]))", ids=stops)
    orders = {str(row["id"]): str(row["order_id"]) for row in rows}
    round_id = round_of(town, stops[:2])
    holder = shared(town, round_id=round_id, max_uses=1, is_open=False)

    def mark(link: Helper, stop: str, device: str = "old app") -> Any:
        said, named = {"order_id": orders[stop], "status": "delivered"}, {"User-Agent": device}
        return town.api.post(f"/api/shared-delivery-link/{link.token}/mark-delivered", json=said, headers=named)

    assert [mark(holder, stops[0]).json()["answer"] for _ in range(2)] == ["accepted", "repeated"]
    told = town.rows("SELECT via, actor_kind, authority FROM delivery_events WHERE delivery_id = :id", id=stops[0])
    assert told == [{"via": "link", "actor_kind": "link", "authority": 1}]
    nothing = town.api.post(f"/api/shared-delivery-link/{holder.token}/mark-delivered", json={"status": "delivered"},
                            headers={"User-Agent": "old app"})  # fmt: skip
    assert (nothing.status_code, nothing.json()["errors"][0]["pointer"]) == (422, "/order_id")
    assert mark(holder, stops[2]).json()["errors"][0]["pointer"] == "/order_id"
    dead = shared(town, round_id=round_id)
    revoke(town, dead)
    refused = [
        mark(holder, stops[1], "another device"),
        mark(shared(town, round_id=round_id, pin="4711", is_open=False), stops[1]),
        mark(shared(town, round_id=round_id, actions=["see"], is_open=False), stops[1]),
        mark(dead, stops[1]),
        mark(Helper(town, "", fingerprint("a guess")[:43]), stops[1]),
    ]
    assert {(answer.status_code, answer.json()["detail"]) for answer in refused} == {(404, WORDS)}
    assert all(len(answer.json()["instance"]) < 60 for answer in refused)
    town.now = END
    assert mark(holder, stops[1]).status_code == 404
    assert town.rows("SELECT state FROM deliveries WHERE id = :id", id=stops[1]) == [{"state": "planned"}]
