"""The console over HTTP: who gets in, what it shows, how it refuses."""

from __future__ import annotations

from uuid import uuid4

import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient

from earlybird.infra.db import run, transaction, value
from make.entrance import link

NOBODY = "01890000-0000-7000-8000-000000000000"
LOCKED = ["/", "/proof", f"/proof/{NOBODY}/2025-12", f"/proof/lines/{NOBODY}", "/api/proof"]


@pytest.mark.parametrize("path", LOCKED)
def test_an_outsider_sees_nothing(outside: TestClient, path: str) -> None:
    answer = outside.get(path)
    assert answer.status_code == 401
    assert "Household" not in answer.text


def test_a_driver_is_refused_with_a_reason(business: Engine, outside: TestClient) -> None:
    assert outside.post(f"/sign-in/{link(business, 'prakash@example.com')}").status_code == 303
    answer = outside.get("/api/proof")
    assert (answer.status_code, answer.headers["content-type"]) == (403, "application/problem+json")
    assert answer.json()["detail"] == "Your role may not do that."
    page = outside.get("/proof")
    assert page.status_code == 403
    assert "Your role may not do that." in page.text


def test_opening_a_link_signs_nobody_in_and_its_button_does_once(business: Engine, outside: TestClient) -> None:
    path = f"/sign-in/{link(business)}"
    for _ in range(3):
        answer = outside.get(path)
        assert answer.status_code == 200
        assert "set-cookie" not in answer.headers
    answer = outside.post(path)
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "secure" not in cookie
    assert outside.post(path).status_code == 404
    assert outside.get("/proof").status_code == 200
    outside.post("/sign-out")
    assert outside.get("/proof").status_code == 401


def test_over_https_the_cookie_stays_on_https(business: Engine, outside: TestClient) -> None:
    answer = outside.post(f"https://testserver/sign-in/{link(business)}")
    assert "secure" in answer.headers["set-cookie"].lower()


def test_another_site_may_not_act(business: Engine, inside: TestClient) -> None:
    assert inside.post("/sign-out", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert inside.get("/proof").status_code == 200


def test_the_proof_shows_losses_names_escaped_and_the_old_system(inside: TestClient) -> None:
    page = inside.get("/proof").text
    assert "₹1,471.49" in page  # 3 × 90.33 and 1,200.50 by the old system
    assert "&lt;b&gt;Meena" in page
    assert "<b>Meena" not in page
    assert "old system" in page
    assert "fact not charged" in page


def test_the_table_sorts_filters_searches_and_pages(inside: TestClient) -> None:
    only = inside.get("/proof", params={"q": "c-0002", "month": "2025-11"}).text
    assert only.count('<th scope="row"><a href="/proof/') == 1
    assert "₹1,200.50" in only
    first = inside.get("/proof", params={"sort": "lost"}).text
    assert first.index("₹1,200.50", first.index('id="table"')) < first.index("▼ ₹90.33", first.index('id="table"'))
    assert inside.get("/proof", params={"page": 9999}).status_code == 200
    assert "No customer" in inside.get("/proof", params={"q": "nobody at all"}).text
    assert inside.get("/proof", params={"month": "2025-13"}).status_code == 422


def test_from_a_month_to_a_line_to_its_evidence(business: Engine, inside: TestClient) -> None:
    with transaction(business) as session:
        customer = value(session, "SELECT id FROM customers WHERE code = 'C-0004'")
        lost = value(
            session,
            "SELECT d.id FROM delivery_lines d JOIN order_lines o ON o.id = d.order_line_id WHERE o.source = 'one_time' LIMIT 1",
        )
        changed = value(
            session,
            "SELECT id FROM delivery_lines WHERE customer_id = :c AND service_on = '2025-12-21'", {"c": customer},
        )  # fmt: skip
    page = inside.get(f"/proof/{customer}/2025-12").text
    assert f"/proof/lines/{changed}" in page
    assert "✓ billed" in page
    evidence = inside.get(f"/proof/lines/{changed}").text
    for fact in (
        "override",
        "4 instead of 2",
        "Household 4",
        "Prakash",
        "Redmi 9A",
        "Charged ₹240.00",
        "On invoice INV-",
    ):
        assert fact in evidence, fact
    assert "Not charged" in inside.get(f"/proof/lines/{lost}").text


def test_what_is_not_there_is_not_found(inside: TestClient) -> None:
    assert inside.get(f"/proof/{uuid4()}/2025-12").status_code == 404
    assert inside.get(f"/proof/lines/{uuid4()}").status_code == 404
    assert inside.get("/nope").status_code == 404
    assert inside.get("/api/nope").json()["status"] == 404
    wrong = inside.get("/proof/lines/17")
    assert wrong.status_code == 422


def test_the_proof_as_json_adds_up(inside: TestClient) -> None:
    facts = inside.get("/api/proof").json()
    [total] = facts["totals"]
    assert total["lost_minor"] == 3 * 9033
    assert sum(row["lost_minor"] for row in facts["customers"]) == total["lost_minor"]
    assert inside.get("/api/proof", params={"as_of": "2025-12-23"}).json()["totals"][0]["lost_minor"] == 0
    wrong = inside.get("/api/proof", params={"as_of": "yesterday"})
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/query/as_of")


def test_every_answer_is_safe_and_traced(outside: TestClient) -> None:
    for path in ("/sign-in", "/api/health", "/static/earlybird.css", "/nope"):
        answer = outside.get(path)
        policy = answer.headers["content-security-policy"]
        assert "unsafe-inline" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert len(answer.headers["x-request-id"]) == 32
    assert outside.get("/api/health").json()["status"] == "ok"


def test_looking_never_writes(business: Engine, inside: TestClient) -> None:
    counts = "SELECT (SELECT count(*) FROM audit_entries), (SELECT sum(n_tup_ins) FROM pg_stat_user_tables)"
    with transaction(business) as session:
        before = value(session, counts)
    for path in ("/", "/proof", "/api/proof"):
        inside.get(path)
    with transaction(business) as session:
        assert value(session, counts) == before
        assert run(session, "SELECT 1") is not None


def test_a_database_that_is_gone_is_said_so(business: Engine) -> None:
    from earlybird.infra import db
    from earlybird.main import create_app

    gone = db.connect("postgresql://nobody@/none?host=/nowhere")
    answer = TestClient(create_app(gone)).get("/api/health")
    assert answer.status_code == 503
    assert "does not answer" in answer.json()["detail"]


def test_who_may_not_is_told_so_before_what_is_wrong_with_the_input(outside: TestClient) -> None:
    assert outside.get("/api/proof?as_of=never").status_code == 401
    assert outside.get("/proof?page=0").status_code == 401


def test_who_may_is_told_what_is_wrong_with_the_input(inside: TestClient) -> None:
    answer = inside.get("/api/proof?as_of=never")
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/query/as_of")
