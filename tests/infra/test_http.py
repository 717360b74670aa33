"""The HTTP edge: what is promised of every route, tried on real ones."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import structlog
from fastapi.testclient import TestClient

from earlybird.infra.http import edge
from earlybird.infra.settings import Settings
from earlybird.main import create_app
from make.doors import Town
from make.month import NOW

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
SAME_SITE = {"Sec-Fetch-Site": "same-origin"}
NEVER_TOLD = ("Traceback", "psycopg", "sqlalchemy", "SELECT ", "INSERT ", "site-packages", ".py")


def area(town: Town, **over: Any) -> dict[str, Any]:
    return {"site_id": str(town.firm.site_id), "name": "Malleshwaram"} | over


def admin(town: Town, **headers: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {town.token('admin')}", **headers}


def problem(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert not [word for word in NEVER_TOLD if word in answer.text]
    found: dict[str, Any] = answer.json()
    assert (found["status"], found["trace_id"]) == (status, answer.headers["traceresponse"].split("-")[1])
    return found


def test_the_trace_of_the_caller_is_in_the_answer_the_problem_the_audit_and_the_log(town: Town) -> None:
    made = town.api.post("/api/areas", json=area(town), headers=admin(town, traceparent=PARENT))
    assert made.headers["traceresponse"].split("-")[1] == TRACE
    facts = {"id": made.json()["id"]}
    assert town.rows("SELECT trace_id FROM audit_entries WHERE entity_id = :id", **facts) == [{"trace_id": TRACE}]
    refused = town.api.get(f"/api/areas/{uuid4()}", headers=admin(town, traceparent=PARENT))
    assert problem(refused, 404)["trace_id"] == TRACE

    def broken() -> None:
        raise RuntimeError("SELECT secret FROM vault")

    app = create_app(town.engine, lambda: NOW, keys=town.keys)
    app.add_api_route("/api/broken", broken)
    with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as log:
        answer = TestClient(app).get("/api/broken", headers={"traceparent": PARENT})
    assert problem(answer, 500)["trace_id"] == TRACE
    assert [(entry["event"], entry["trace_id"]) for entry in log] == [("bug", TRACE)]


@pytest.mark.parametrize(
    "parent", ["", "00-" + "0" * 32 + "-00f067aa0ba902b7-01", "00-XYZ-1-01", PARENT.upper(), PARENT + "\x7f", "9" * 999]
)
def test_a_trace_that_is_none_is_replaced_by_one_of_our_own(town: Town, parent: str) -> None:
    answer = town.api.get("/api/products", headers={"traceparent": parent})
    trace = answer.headers["traceresponse"].split("-")[1]
    assert len(trace) == 32
    assert trace not in {"0" * 32, TRACE}


def test_the_name_a_caller_gives_a_request_is_given_back_where_it_is_a_name(town: Town) -> None:
    def named(name: str) -> str:
        return str(town.api.get("/api/health", headers={"X-Request-Id": name}).headers["x-request-id"])

    assert named("order-4711.a_B") == "order-4711.a_B"
    for odd in ("short", "x" * 65, "with space", "<script>alert(1)</script>"):
        assert len(named(odd)) == 32


def test_every_answer_carries_the_safe_headers(town: Town) -> None:
    for path in ("/api/health", "/api/orders", "/api/nothing", "/", "/docs", "/api/openapi.json"):
        answer = town.api.get(path, follow_redirects=False)
        assert answer.headers["x-content-type-options"] == "nosniff", path
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"
        assert "server" not in answer.headers


def test_what_was_read_answers_304_until_it_changes_and_a_stale_change_412(town: Town) -> None:
    made = town.ask("admin", "POST", "/api/areas", area(town))
    path = f"/api/areas/{made.json()['id']}"
    seen = town.ask("admin", "GET", path)
    tag = seen.headers["etag"]
    assert made.headers["etag"] == tag
    for wanted in (tag, f'"other", {tag}', "*"):
        same = town.ask("admin", "GET", path, If_None_Match=wanted)
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    for wanted in ('"other"', f"W/{tag}x"):
        assert town.ask("admin", "GET", path, If_None_Match=wanted).status_code == 200
    first = town.ask("admin", "PATCH", path, {"name": "Jayanagar"}, If_Match=f'"x", {tag}')
    assert first.status_code == 200
    assert town.ask("admin", "GET", path, If_None_Match=tag).status_code == 200
    assert problem(town.ask("admin", "PATCH", path, {"name": "Lost"}, If_Match=tag), 412)["errors"][0]["pointer"]
    assert town.ask("admin", "GET", path).json()["name"] == "Jayanagar"
    assert town.ask("admin", "PATCH", path, {"name": "Won"}, If_Match="*").status_code == 200
    assert town.ask("admin", "PATCH", f"/api/areas/{uuid4()}", {"name": "x"}, If_Match=tag).status_code == 404


def pages(town: Town, path: str, limit: int) -> Iterator[list[dict[str, Any]]]:
    place = None
    while True:
        found = town.ask("admin", "GET", f"{path}limit={limit}" + (f"&cursor={place}" if place else "")).json()
        yield found["items"]
        place = found["next"]
        if place is None:
            return


@pytest.mark.parametrize("what", ["areas", "orders"])
@pytest.mark.parametrize("limit", [1, 3, 200])
def test_a_list_is_read_whole_and_nothing_twice_while_others_write(town: Town, what: str, limit: int) -> None:
    """Whatever was there when the first page was asked for comes exactly once, newest first."""

    def add(number: int) -> str:
        if what == "areas":
            made = town.ask("admin", "POST", "/api/areas", area(town, name=f"Area {uuid4()}"))
        else:
            made = town.ask("admin", "POST", "/api/orders", town.wish("1", customer_id=str(town.meena)))
        assert made.status_code == 201, made.text
        return str(made.json()["id"])

    path = f"/api/areas?site_id={town.firm.site_id}&" if what == "areas" else f"/api/orders?customer_id={town.meena}&"
    before = [add(number) for number in range(7)]
    stop = threading.Event()

    def keep_adding() -> None:
        number = 100
        while not stop.is_set():
            add(number)
            number += 1

    writer = threading.Thread(target=keep_adding)
    writer.start()
    try:
        found = [item["id"] for page in pages(town, path, limit) for item in page]
    finally:
        stop.set()
        writer.join()
    assert len(found) == len(set(found))
    assert [key for key in found if key in before] == before[::-1]
    assert found == sorted(found, reverse=True)


@pytest.mark.parametrize("limit", ["0", "-1", "201", "9" * 30, "x", "1.5", "", "１"])
def test_a_page_holds_1_to_200(town: Town, limit: str) -> None:
    assert (
        problem(town.api.get("/api/products", params={"limit": limit}), 422)["errors"][0]["pointer"] == "/query/limit"
    )


@pytest.mark.parametrize("cursor", ["x", "A" * 21 + "B", "A" * 23, "../..", "%00", "é" * 22, ""])
def test_a_cursor_is_what_an_answer_gave(town: Town, cursor: str) -> None:
    assert town.api.get("/api/products", params={"cursor": cursor}).status_code == 422


def test_who_asks_too_often_is_told_when_to_come_again_and_others_are_not(town: Town) -> None:
    app = create_app(town.engine, lambda: NOW, keys=town.keys, settings=Settings(requests_per_minute=5))
    api = TestClient(app)
    before = [api.get("/api/areas", headers=admin(town)).status_code for _ in range(5)]
    assert before == [200] * 5
    told = api.get("/api/areas", headers=admin(town))
    assert problem(told, 429)["type"] == "urn:earlybird:too_many:TooMany"
    assert 1 <= int(told.headers["retry-after"]) <= 60
    meena = {"Authorization": f"Bearer {town.token('meena')}"}
    assert api.get("/api/orders", headers=meena).status_code == 200
    tokens = [api.get("/api/orders", headers={"Authorization": f"Bearer {n}"}).status_code for n in range(8)]
    assert tokens[0] == 401
    assert tokens[-1] == 429  # a new made-up token each time is still one address


class Small:
    """A body one byte too large, told by its length or only as it comes."""

    def __init__(self, *, is_told: bool) -> None:
        self.is_told = is_told

    def content(self, size: int) -> Any:
        whole = b'{"name": "' + b"x" * size + b'"}'
        return whole if self.is_told else iter([whole[:1000], whole[1000:]])


@pytest.mark.parametrize("is_told", [True, False], ids=["by its length", "in pieces"])
def test_a_body_too_large_is_refused(town: Town, monkeypatch: pytest.MonkeyPatch, *, is_told: bool) -> None:
    monkeypatch.setattr(edge, "LARGEST_BODY", 100_000)
    large = town.api.post("/api/areas", content=Small(is_told=is_told).content(100_000),
                          headers=admin(town, **{"Content-Type": "application/json"}))  # fmt: skip
    assert problem(large, 413)["type"] == "urn:earlybird:too_large:TooLarge"
    fits = town.api.post("/api/areas", content=Small(is_told=is_told).content(1_000),
                         headers=admin(town, **{"Content-Type": "application/json"}))  # fmt: skip
    assert fits.status_code == 422
    lying = town.api.post("/api/areas", content=b"{}", headers=admin(town, **{"Content-Length": "-1"}))
    assert lying.status_code == 413


BROKEN = {
    "nothing": b"",
    "half": b'{"name": ',
    "two": b"{}{}",
    "list": b"[]",
    "null": b"null",
    "text": b'"area"',
    "not UTF-8": b'{"name": "\xff\xfe"}',
    "UTF-16": '{"name": "x"}'.encode("utf-16"),
    "deep": b"[" * 100_000,
    "NaN": b'{"site_id": NaN, "name": Infinity}',
    "huge number": b'{"site_id": ' + b"9" * 10_000 + b', "name": "x"}',
    "exponent": b'{"site_id": 1e999999999, "name": "x"}',
    "NUL": b'{"site_id": "x", "name": "a\\u0000b"}',
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN.keys())
def test_a_body_that_is_no_such_input_is_refused(town: Town, body: bytes) -> None:
    answer = town.api.post("/api/areas", content=body, headers=admin(town, **{"Content-Type": "application/json"}))
    assert answer.status_code in {400, 422}, answer.text
    problem(answer, answer.status_code)


ODD = ["a\0b", "\ud800", "x\udfff", "a" * 20_000, "\x1b[31m", "a\r\nSet-Cookie: a=b", " ", ""]


@pytest.mark.parametrize("text", ODD, ids=ascii)
def test_text_that_cannot_be_kept_is_refused_wherever_it_stands(town: Town, text: str) -> None:
    body = json.dumps(area(town, name=text)).encode()
    headers = admin(town, **{"Content-Type": "application/json"})
    assert problem(town.api.post("/api/areas", content=body, headers=headers), 422)
    body = json.dumps(area(town) | {text: 1}).encode()
    assert problem(town.api.post("/api/areas", content=body, headers=headers), 422)
    asked = town.api.get("/api/products", params={"q": text.encode("utf-8", "surrogatepass")})
    assert asked.status_code in {200, 422}
    for path in ("/api/areas/%00", "/api/areas/%ff%fe", "/api/areas/%ED%A0%80", "/api/areas/" + "9" * 5000):
        assert town.api.get(path, headers=admin(town)).status_code in {404, 422}


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/xml", "multipart/form-data", "application/x-www-form-urlencoded", ""]
)
def test_json_must_say_that_it_is_json(town: Town, kind: str) -> None:
    answer = town.api.post("/api/areas", content=json.dumps(area(town)), headers=admin(town, **{"Content-Type": kind}))
    assert answer.status_code in {415, 422}
    problem(answer, answer.status_code)


def test_numbers_beyond_what_is_kept_are_refused(town: Town) -> None:
    for quantity in ("1e3", "9" * 40, "-1", "1.2345", "Infinity", 10**30, 0.5, True, None, [], {}):
        answer = town.ask(
            "meena",
            "POST",
            "/api/orders",
            town.wish() | {"lines": [{"product_id": str(town.milk), "quantity": quantity}]},
        )
        assert answer.status_code == 422, (quantity, answer.text)


def test_a_cookie_alone_acts_for_nobody_from_another_site(town: Town) -> None:
    """Fetch Metadata decides, else Origin; a cookie without either is not believed; a token needs no proof."""
    cookie = {"Cookie": "earlybird_session=anything"}
    for headers in (
        cookie,
        cookie | {"Sec-Fetch-Site": "cross-site"},
        cookie | {"Sec-Fetch-Site": "same-site"},
        cookie | {"Origin": "https://evil.example"},
        cookie | {"Origin": "null"},
        cookie | {"Sec-Fetch-Site": "cross-site", "Origin": "http://testserver"},
    ):
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            refused = town.api.request(method, "/api/areas", headers=headers)
            assert problem(refused, 403)["detail"] == "Another site may not act for you.", (method, headers)
    for headers in (cookie | SAME_SITE, cookie | {"Sec-Fetch-Site": "none"}, cookie | {"Origin": "http://testserver"}):
        assert town.api.post("/api/areas", json=area(town), headers=headers).status_code == 401
    assert town.api.get("/api/areas", headers=cookie | {"Sec-Fetch-Site": "cross-site"}).status_code == 401
    made = town.api.post("/api/areas", json=area(town), headers=admin(town))
    assert made.status_code == 201
    beside = town.api.post("/api/areas", json=area(town, name="Second"), headers=admin(town, **cookie))
    assert beside.status_code == 201


def test_what_a_path_does_not_do_is_said_with_what_it_does(town: Town) -> None:
    for method, path, allowed in [
        ("DELETE", "/api/areas", {"GET", "HEAD", "POST"}),
        ("POST", "/api/health", {"GET", "HEAD"}),
        ("OPTIONS", "/api/areas", {"GET", "HEAD", "POST"}),
        ("TRACE", "/api/areas", {"GET", "HEAD", "POST"}),
        ("PUT", f"/api/areas/{uuid4()}", {"GET", "HEAD", "PATCH", "DELETE"}),
        ("HEAD", "/api/auth/login", {"POST"}),
        ("PROPFIND", "/api/orders", {"GET", "HEAD", "POST"}),
    ]:
        answer = town.api.request(method, path, headers=admin(town))
        assert answer.status_code == 405, (method, path)
        assert {word.strip() for word in answer.headers["allow"].split(",")} == allowed, (method, path)


def test_head_is_get_without_the_body(town: Town) -> None:
    for path, headers in (("/api/areas", admin(town)), ("/api/health", {}), ("/api/areas", {})):
        whole, head = (town.api.request(method, path, headers=headers) for method in ("GET", "HEAD"))
        assert (head.status_code, head.headers.get("etag"), head.content) == (
            whole.status_code,
            whole.headers.get("etag"),
            b"",
        )
        assert head.headers["content-length"] == str(len(whole.content))


def test_a_parameter_counts_once(town: Town) -> None:
    twice = town.ask("admin", "GET", "/api/areas?limit=1&limit=2")
    assert problem(twice, 422)["type"] == "urn:earlybird:invalid:GivenTwice"
    assert town.ask(None, "GET", "/api/areas?limit=1&limit=2").status_code == 401


def test_what_breaks_tells_nothing_of_the_inside(town: Town) -> None:
    twice = [
        town.ask("admin", "POST", "/api/units", {"code": "crate", "name": "crate", "measure": "number"})
        for _ in range(2)
    ]
    problem(twice[1], 409)
    for path in ("/api/nothing", "/api/areas/not-an-id", "/api/orders?state=x'--"):
        answer = town.ask("admin", "GET", path)
        problem(answer, answer.status_code)
        assert answer.status_code in {404, 422}
