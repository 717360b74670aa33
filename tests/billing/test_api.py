"""Bills, payments and adjustments over HTTP: what is theirs, what is refused, what is recorded once."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from sqlalchemy import Engine, text
from starlette.testclient import TestClient

import make
from conftest import NOW, scratch
from earlybird.identity.service import grants
from earlybird.infra import db
from earlybird.infra.embedded import Embedded
from earlybird.infra.security import Keys
from earlybird.infra.settings import Settings
from earlybird.main import create_app
from earlybird.reconcile import leakage
from earlybird.reconcile import service as reconcile
from earlybird.reconcile.checks import CHECKS
from make.delivered import customers_many, delivered_many
from make.entrance import CTX, token
from make.month import month

NOBODY = "01890000-0000-7000-8000-000000000000"


@dataclass
class Office:
    """A running application and ways into it."""

    engine: Engine
    app: Any
    keys: Keys

    def door(self, role: str, customer_id: UUID | None = None) -> TestClient:
        with db.transaction(self.engine) as session:
            bearer = token(session, self.keys, NOW, role, customer_id=customer_id)
        return TestClient(self.app, headers={"Authorization": f"Bearer {bearer}"})

    def ask(self, sql: str, **facts: Any) -> Any:
        with db.transaction(self.engine) as session:
            return db.value(session, sql, facts)


@contextmanager
def office(engine: Engine) -> Iterator[Office]:
    """The application as it is served: with the database role that may only add to facts."""
    with db.transaction(engine) as session:
        grants.seed(session, CTX)
    keys = Keys.random()
    settings = Settings(requests_per_minute=10**9)
    served = db.connect(engine.url.render_as_string(hide_password=False), role=db.APPLICATION)
    yield Office(engine, create_app(served, lambda: NOW, keys=keys, settings=settings), keys)
    served.dispose()


@pytest.fixture(scope="module")
def dairy(server: Embedded) -> Iterator[Office]:
    """December whole and billed, half of January delivered; C-0002 pays for C-0007."""
    with scratch(server) as url:
        engine = db.connect(url)
        with db.transaction(engine) as session:
            month(session)
        with db.transaction(engine) as session:
            session.execute(
                text(
                    "UPDATE customers SET bill_to_id = (SELECT id FROM customers WHERE code = 'C-0002') "
                    "WHERE code = 'C-0007'"
                )
            )
        with office(engine) as found:
            yield found
        engine.dispose()


@pytest.fixture(scope="module")
def admin(dairy: Office) -> TestClient:
    return dairy.door("admin")


@pytest.fixture(scope="module")
def support(dairy: Office) -> TestClient:
    return dairy.door("support")


def person(dairy: Office, code: str) -> UUID:
    found: UUID = dairy.ask("SELECT id FROM customers WHERE code = :code", code=code)
    return found


@pytest.fixture(scope="module")
def meena(dairy: Office) -> TestClient:
    """The customer C-0002."""
    return dairy.door("customer", person(dairy, "C-0002"))


def document_of(dairy: Office, code: str) -> UUID:
    found: UUID = dairy.ask(
        "SELECT i.id FROM invoices i JOIN customers c ON c.id = i.customer_id WHERE c.code = :code "
        "ORDER BY i.id LIMIT 1",
        code=code,
    )
    return found


def test_the_list_is_the_offices_and_newest_first(admin: TestClient, support: TestClient, meena: TestClient) -> None:
    first = admin.get("/api/invoices", params={"limit": 15, "month": "2025-12"}).json()
    rest = support.get("/api/invoices", params={"limit": 15, "month": "2025-12", "cursor": first["next"]}).json()
    found = [row["id"] for row in first["items"] + rest["items"]]
    assert (len(found), rest["next"]) == (20, None)
    assert found == sorted(found, reverse=True)
    refused = meena.get("/api/invoices")
    assert (refused.status_code, refused.headers["content-type"]) == (403, "application/problem+json")
    wrong = admin.get("/api/invoices", params={"month": "2025-13"})
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/query/month")
    assert admin.get("/api/invoices", params={"month": "2025-11"}).json()["items"] == []
    assert admin.get("/api/invoices", params={"kind": "credit_note", "state": "void"}).json()["items"] == []


def test_a_customer_sees_what_is_theirs_and_whom_they_pay_for(dairy: Office, meena: TestClient) -> None:
    for code in ("C-0002", "C-0007"):
        [head] = meena.get(f"/api/customers/{person(dairy, code)}/invoices").json()["items"]
        assert head["customer_code"] == code
        assert meena.get(f"/api/invoices/{head['id']}").json()["total_minor"] == head["total_minor"]
        assert len(meena.get(f"/api/customers/{person(dairy, code)}/payments").json()["items"]) == 1
    foreign = [
        f"/api/invoices/{document_of(dairy, 'C-0003')}",
        f"/api/invoices/{document_of(dairy, 'C-0003')}/document",
        f"/api/customers/{person(dairy, 'C-0003')}/invoices",
        f"/api/customers/{person(dairy, 'C-0003')}/payments",
        f"/api/customers/{person(dairy, 'C-0003')}/statement",
        f"/api/payments/{dairy.ask('SELECT id FROM payments WHERE customer_id = :c', c=person(dairy, 'C-0003'))}",
        f"/api/invoices/lines/{line_of(dairy, 'C-0003')}/evidence",
    ]
    for path in foreign:
        absent = path.replace(path.split("/")[4 if "/lines/" in path else 3], NOBODY)
        seen, unseen = meena.get(path), meena.get(absent)
        assert (seen.status_code, unseen.status_code) == (404, 404), path
        assert seen.json()["detail"] == unseen.json()["detail"]


def line_of(dairy: Office, code: str) -> UUID:
    found: UUID = dairy.ask("SELECT id FROM invoice_lines WHERE invoice_id = :id LIMIT 1", id=document_of(dairy, code))
    return found


def test_a_document_adds_up_and_names_its_facts(dairy: Office, admin: TestClient) -> None:
    found = admin.get(f"/api/invoices/{document_of(dairy, 'C-0002')}").json()
    assert sum(line["amount_minor"] for line in found["lines"]) == found["total_minor"]
    assert sum(tax["tax_minor"] for tax in found["taxes"]) == found["tax_minor"]
    assert sum(share["amount_minor"] for share in found["allocations"]) == found["paid_minor"] == found["total_minor"]
    assert found["open_minor"] == 0
    for line in found["lines"]:
        assert (line["adjustment_id"] is None) == (line["event_line_id"] is not None)
    unpaid = admin.get(f"/api/invoices/{document_of(dairy, 'C-0019')}").json()
    assert (unpaid["paid_minor"], unpaid["open_minor"]) == (0, unpaid["total_minor"])


def test_a_line_leads_back_to_the_door(dairy: Office, admin: TestClient) -> None:
    lines = admin.get(f"/api/invoices/{document_of(dairy, 'C-0004')}").json()["lines"]
    changed = next(line for line in lines if line["service_on"] == "2025-12-21")
    told = admin.get(f"/api/invoices/lines/{changed['id']}/evidence").json()
    assert told["override"] == {"quantity": "4.000", "made_at": told["override"]["made_at"], "made_by": "Household 4",
                                "via": "portal", "reason": None}  # fmt: skip
    assert (told["wish"]["rule"], told["wish"]["base_quantity"]) == ("override", "2.000")
    assert told["wish"]["cutoff_at"] == "2025-12-20T14:30:00Z"  # 20:00 in India, the day before
    assert (told["price"]["source"], told["price"]["unit_price"]) == ("list", "60.0000")
    [tap] = told["events"]
    assert (tap["by"], tap["via"], tap["device"], tap["amount_minor"]) == ("Prakash", "driver_app", "Redmi 9A", 24000)
    assert tap["number"] == told["document"]["number"]
    assert told["stop"]["driver"] == "Prakash"
    paused = admin.get(f"/api/invoices/lines/{line_of(dairy, 'C-0003')}/evidence").json()
    assert [(p["starts_on"], p["ends_on"], p["reason"]) for p in paused["pauses"]] in (
        [("2025-12-10", "2025-12-12", "away")], [],
    )  # fmt: skip  # a one-time line has no standing order


def test_a_fee_leads_back_to_who_approved_it_and_places_are_for_the_office(
    dairy: Office, admin: TestClient, meena: TestClient
) -> None:
    lines = meena.get(f"/api/invoices/{document_of(dairy, 'C-0002')}").json()["lines"]
    fee = next(line for line in lines if line["adjustment_id"])
    told = meena.get(f"/api/invoices/lines/{fee['id']}/evidence").json()
    assert (told["adjustment"]["approver"], told["adjustment"]["reason"]) == ("Asha", "crate lost")
    assert (told["events"], told["wish"]) == ([], None)
    tapped = next(line for line in lines if line["event_line_id"])
    with db.transaction(dairy.engine) as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(
            text(
                "UPDATE delivery_events SET address = '10.0.0.9', place = '{\"lat\": 12.9}' WHERE id = "
                "(SELECT event_id FROM delivery_event_lines WHERE id = :id)"
            ),
            {"id": tapped["event_line_id"]},
        )
    path = f"/api/invoices/lines/{tapped['id']}/evidence"
    assert [(e["address"], e["place"]) for e in meena.get(path).json()["events"]] == [(None, None)]
    assert [(e["address"], e["place"]) for e in admin.get(path).json()["events"]] == [("10.0.0.9", {"lat": 12.9})]


def test_a_document_is_shown_as_its_reader_likes(dairy: Office, admin: TestClient) -> None:
    path = f"/api/invoices/{document_of(dairy, 'C-0002')}/document"
    for accept, query, kind in (
        ("*/*", None, "application/pdf"),
        ("application/pdf", None, "application/pdf"),
        ("text/html,application/xhtml+xml;q=0.9", None, "text/html; charset=utf-8"),
        ("text/plain", None, "text/plain; charset=utf-8"),
        ("text/html", "pdf", "application/pdf"),
        ("application/pdf", "html", "text/html; charset=utf-8"),
    ):
        answer = admin.get(path, params={"format": query} if query else {}, headers={"Accept": accept})
        assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
        again = admin.get(path, params={"format": query} if query else {},
                          headers={"Accept": accept, "If-None-Match": answer.headers["etag"]})  # fmt: skip
        assert again.status_code == 304
    page = admin.get(path, params={"format": "html"}).text
    assert "crate lost" in page
    assert "<script" not in page
    wrong = admin.get(path, params={"format": "docx"})
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/query/format")


def test_names_on_the_page_are_not_markup(dairy: Office, admin: TestClient) -> None:
    with db.transaction(dairy.engine) as session:
        session.execute(text("UPDATE customers SET name = '<script>alert(1)</script>' WHERE code = 'C-0009'"))
    page = admin.get(f"/api/invoices/{document_of(dairy, 'C-0009')}/document", params={"format": "html"}).text
    assert "&lt;script&gt;" in page
    assert "<script" not in page


def digests(engine: Engine) -> dict[str, str]:
    """The content of every table but of what signs people in."""
    with db.transaction(engine) as session:
        names = [row["n"] for row in db.rows(session, "SELECT relname AS n FROM pg_class WHERE relkind = 'r' "
                                             "AND relnamespace = 'public'::regnamespace ORDER BY 1")]  # fmt: skip
        return {
            name: str(db.value(session, f"SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {name} t"))
            for name in names
        }


def test_looking_changes_no_row_of_any_table(dairy: Office, admin: TestClient, meena: TestClient) -> None:
    document, customer, line = document_of(dairy, "C-0002"), person(dairy, "C-0002"), line_of(dairy, "C-0002")
    paid = dairy.ask("SELECT id FROM payments WHERE customer_id = :c", c=customer)
    before = digests(dairy.engine)
    for path in (
        f"/api/invoices/{document}",
        *(f"/api/invoices/{document}/document?format={kind}" for kind in ("pdf", "html", "text")),
        f"/api/invoices/lines/{line}/evidence",
        *(f"/api/customers/{customer}/{what}" for what in ("invoices", "payments", "statement")),
        f"/api/payments/{paid}",
    ):
        assert [door.get(path).status_code for door in (admin, meena)] == [200, 200], path
    for path in ("invoices", "payments", "payments/rejections", "adjustments", "charges", "charges?unbilled=true",
                 "reconcile/findings", "proof", "proof?as_of=2025-12-31"):  # fmt: skip
        assert admin.get(f"/api/{path}").status_code == 200, path
    assert digests(dairy.engine) == before


def test_a_statement_goes_from_one_balance_to_the_other(dairy: Office, meena: TestClient) -> None:
    path = f"/api/customers/{person(dairy, 'C-0002')}/statement"
    found = meena.get(path, params={"from": "2026-01-01", "to": "2026-01-31"}).json()
    total = found["entries"][0]["amount_minor"]
    assert [(row["kind"], row["amount_minor"], row["balance_minor"]) for row in found["entries"]] == [
        ("invoice", total, total), ("payment", -total, 0),
    ]  # fmt: skip
    assert found["entries"][0]["number"] == "INV/2"
    assert found["entries"][1]["payment_id"] == found["payments"][0]["id"]
    assert (found["opening_minor"], found["closing_minor"], found["to_pay_minor"]) == (0, 0, 0)
    between = meena.get(path, params={"from": "2026-01-02", "to": "2026-01-04"}).json()
    assert (between["opening_minor"], between["entries"], between["closing_minor"]) == (total, [], total)
    wrong = meena.get(path, params={"from": "2026-02-01", "to": "2026-01-01"})
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/from")


def test_the_proof_and_the_findings_are_the_owners(dairy: Office, admin: TestClient, support: TestClient) -> None:
    assert support.get("/api/reconcile/findings").status_code == 403
    assert support.post("/api/reconcile/runs").status_code == 403
    assert admin.get("/api/proof").json()["totals"][0]["lost_minor"] == 0
    told = admin.post("/api/reconcile/runs")
    assert (told.status_code, len(told.json()["checks"])) == (201, len(CHECKS))
    assert dairy.ask("SELECT count(*) FROM audit_entries WHERE action = 'reconcile.run'") == 1


def test_a_finding_is_accepted_once_with_a_reason(dairy: Office, admin: TestClient) -> None:
    with db.transaction(dairy.engine) as session:
        from earlybird.audit import service as audit

        audit.report(session, CTX, "made_up", "1", "Something odd", money_minor=100, currency="INR")
    [found] = admin.get("/api/reconcile/findings", params={"check": "made_up", "state": "open"}).json()["items"]
    path = f"/api/findings/{found['id']}/accept"
    assert admin.post(path, json={"reason": " "}).json()["errors"][0]["pointer"] == "/body/reason"
    done = admin.post(path, json={"reason": "known since the move"}).json()
    assert (done["state"], done["accepted_reason"], done["accepted_by"]) == (
        "accepted",
        "known since the move",
        "A admin",
    )
    assert admin.post(path, json={"reason": "again"}).status_code == 409
    assert admin.post(f"/api/findings/{NOBODY}/accept", json={"reason": "x"}).status_code == 404
    assert admin.get("/api/reconcile/findings", params={"check": "made_up", "state": "open"}).json()["items"] == []
    audited = dairy.ask("SELECT reason FROM audit_entries WHERE action = 'finding.accept'")
    assert audited == "known since the move"


def paid(client_id: str, customer: Any, amount: str = "10", **over: Any) -> dict[str, Any]:
    facts = {"client_id": client_id, "customer": str(customer), "amount": amount, "currency": "INR", "method": "upi",
             "received_on": "2026-01-14"}  # fmt: skip
    return {name: value for name, value in (facts | over).items() if value is not None}


def test_a_payment_settles_the_oldest_and_is_taken_back(
    dairy: Office, admin: TestClient, support: TestClient, meena: TestClient
) -> None:
    customer, bill = person(dairy, "C-0019"), document_of(dairy, "C-0019")
    made = support.post("/api/payments", json=paid("api-1", "C-0019", "25.50"))
    assert made.status_code == 201
    facts = made.json()
    assert (facts["amount_minor"], facts["allocated_minor"], facts["unspent_minor"]) == (2550, 2550, 0)
    assert [share["invoice_id"] for share in facts["allocations"]] == [str(bill)]
    assert admin.get(f"/api/invoices/{bill}").json()["paid_minor"] == 2550
    again = support.post("/api/payments", json=paid("api-1", customer, None, amount_minor=2550))
    assert (again.status_code, again.json()["id"]) == (201, facts["id"])
    other = support.post("/api/payments", json=paid("api-1", "C-0019", "26"))
    assert (other.status_code, other.json()["errors"][0]["pointer"]) == (409, "/client_id")
    path = f"/api/payments/{facts['id']}/reverse"
    assert support.post(path, json={"reason": "bounced"}).status_code == 403
    assert meena.post("/api/payments", json=paid("mine", "C-0002")).status_code == 403
    for _ in range(2):
        back = admin.post(path, json={"reason": "bounced"})
        assert (back.status_code, back.json()["state"], back.json()["allocations"]) == (200, "reversed", [])
    assert (
        admin.get(f"/api/invoices/{bill}").json()["open_minor"]
        == admin.get(f"/api/invoices/{bill}").json()["total_minor"]
    )
    assert admin.post(f"/api/payments/{NOBODY}/reverse", json={"reason": "x"}).status_code == 404
    assert [row["id"] for row in admin.get("/api/payments", params={"state": "reversed"}).json()["items"]] == [
        facts["id"]
    ]


@pytest.mark.parametrize(
    ("over", "pointer"),
    [
        ({"amount": 10.5}, "/body/amount"),
        ({"amount": "10.505"}, "/amount"),
        ({"amount": "0"}, "/body/amount"),
        ({"amount": "-5"}, "/body/amount"),
        ({"amount": None, "amount_minor": 5.5}, "/body/amount_minor"),
        ({"amount": None, "amount_minor": True}, "/body/amount_minor"),
        ({"amount_minor": 5}, "/body"),
        ({"currency": "CAD"}, "/currency"),
        ({"currency": "rupees"}, "/body/currency"),
        ({"received_on": "2026-01-16"}, "/received_on"),
        ({"received_on": 20000}, "/body/received_on"),
        ({"customer": "C-9999"}, "/customer"),
        ({"reference": "a\u0000b"}, "/body/reference"),
        ({"surprise": 1}, "/body/surprise"),
    ],
)
def test_a_payment_that_breaks_a_rule_is_refused_at_its_field(
    dairy: Office, support: TestClient, over: dict[str, Any], pointer: str
) -> None:
    count = dairy.ask("SELECT count(*) FROM payments")
    answer = support.post("/api/payments", json=paid(f"bad-{uuid4()}", "C-0001") | over)
    mistakes = [(e["pointer"]) for e in answer.json()["errors"]]
    assert answer.status_code == 422
    assert mistakes == [pointer] or (over.get("amount", "") is None and pointer in mistakes)
    assert dairy.ask("SELECT count(*) FROM payments") == count


def test_each_row_of_a_batch_gets_its_verdict(dairy: Office, support: TestClient) -> None:
    given = [
        paid("b-1", "C-0001"),
        paid("b-1", "C-0001"),
        paid("b-2", "C-0001", currency="CAD"),
        paid("b-3", "C-0001", received_on="2026-02-01"),
        paid("b-1", "C-0001", "11"),
        {"client_id": 5},
        paid("b-5", "C-0003", "1.25", method="cash"),
    ]
    answer = support.post(
        "/api/payments/batches", content=orjson.dumps({"payments": given}),
        headers={"Content-Type": "application/json"},
    )  # fmt: skip
    told = answer.json()
    assert [row["verdict"] for row in told["rows"]] == ["recorded", "repeated", *["rejected"] * 4, "recorded"]
    assert [row["field"] for row in told["rows"]] == [
        None,
        None,
        "currency",
        "received_on",
        "client_id",
        "client_id",
        None,
    ]
    assert told["rows"][0]["payment_id"] == told["rows"][1]["payment_id"]
    assert (told["recorded_count"], told["repeated_count"], told["rejected_count"]) == (2, 1, 4)
    again = support.post("/api/payments/batches", json={"payments": given}).json()
    assert (again["recorded_count"], again["repeated_count"], again["rejected_count"]) == (0, 3, 4)
    kept = support.get("/api/payments/rejections").json()["items"]
    assert {"currency", "received_on", "client_id"} <= {row["field"] for row in kept}
    for body in ({"payments": []}, {"payments": [paid(f"x{n}", "C-0001") for n in range(1001)]}, {"payments": [7]}):
        refused = support.post("/api/payments/batches", json=body)
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["pointer"].startswith("/body/payments")


def test_odd_characters_are_refused_and_kept_legible(support: TestClient) -> None:
    row = b'{"client_id":"odd","customer":"C-0001","amount":"1","currency":"INR","method":"upi","received_on":"2026-01-14",'
    for extra in (b'"note":"\\ud800"', b'"a\\u0000b":1', b'"note":"\\u0000"', b'"client_id":"\\ud800"'):
        body = b'{"payments":[' + row + extra + b"}]}"
        answer = support.post("/api/payments/batches", content=body, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["rejected_count"]) == (200, 1), extra


def test_an_amount_is_proposed_by_one_decided_once_and_billed(
    dairy: Office, admin: TestClient, support: TestClient
) -> None:
    wanted = {"customer_id": str(person(dairy, "C-0005")), "kind": "fee", "amount_minor": 1500, "currency": "INR",
              "effective_on": "2026-01-10", "reason": "crate lost"}  # fmt: skip
    assert support.post("/api/adjustments", json=wanted).status_code == 403
    for over, pointer in (
        ({"amount_minor": 0}, "/amount_minor"),
        ({"amount_minor": -5}, "/amount_minor"),
        ({"kind": "goodwill"}, "/amount_minor"),
        ({"kind": "opening_balance"}, "/body/kind"),
        ({"amount_minor": 15.5}, "/body/amount_minor"),
        ({"currency": "CAD"}, "/currency"),
        ({"reason": " "}, "/body/reason"),
    ):
        refused = admin.post("/api/adjustments", json=wanted | over)
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, pointer), over
    assert admin.post("/api/adjustments", json=wanted | {"customer_id": NOBODY}).status_code == 404
    made = admin.post("/api/adjustments", json=wanted)
    assert (made.status_code, made.json()["state"], made.json()["approver"]) == (201, "proposed", None)
    path = f"/api/adjustments/{made.json()['id']}"
    stale = admin.post(f"{path}/approve", headers={"If-Match": '"old"'})
    assert stale.status_code == 412
    done = admin.post(f"{path}/approve", headers={"If-Match": admin.get(path).headers["etag"]})
    assert (done.status_code, done.json()["state"], done.json()["approver"]) == (200, "approved", "A admin")
    assert admin.post(f"{path}/approve").status_code == 409
    assert admin.post(f"{path}/waive", json={"reason": "too late"}).status_code == 409
    spare = admin.post("/api/adjustments", json=wanted | {"kind": "goodwill", "amount_minor": -300}).json()["id"]
    waived = admin.post(f"/api/adjustments/{spare}/waive", json={"reason": "not now"}).json()
    assert (waived["state"], waived["approver"]) == ("waived", "A admin")
    listed = admin.get("/api/adjustments", params={"customer_id": wanted["customer_id"], "state": "waived"}).json()
    assert [row["id"] for row in listed["items"]] == [spare]
    assert support.get(path).status_code == 200


def test_charges_wait_are_waived_once_and_stay_explained(dairy: Office, admin: TestClient, support: TestClient) -> None:
    customer = str(person(dairy, "C-0010"))
    waiting: list[dict[str, Any]] = []
    cursor = None
    while True:
        query = {"unbilled": "true", "customer_id": customer, "limit": 3} | ({"cursor": cursor} if cursor else {})
        page = support.get("/api/charges", params=query).json()
        waiting += page["items"]
        cursor = page["next"]
        if cursor is None:
            break
    assert len(waiting) == len({row["id"] for row in waiting}) == dairy.ask(
        "SELECT count(*) FROM unbilled_charges WHERE customer_id = :c", c=customer
    )  # fmt: skip
    assert [row["service_on"] for row in waiting] == sorted(row["service_on"] for row in waiting)
    assert {row["invoice_id"] for row in waiting} == {None}
    path = f"/api/charges/{waiting[0]['id']}/waive"
    assert support.post(path, json={"reason": "sour"}).status_code == 403
    assert admin.post(path, json={"reason": "sour"}).json()["approver"] == "A admin"
    assert admin.post(path, json={"reason": "sour"}).status_code == 409
    found = admin.get("/api/charges", params={"customer_id": customer, "limit": 200}).json()["items"]
    assert next(row for row in found if row["id"] == waiting[0]["id"])["waived_because"] == "sour"
    billed = next(row for row in found if row["invoice_id"])
    assert admin.post(f"/api/charges/{billed['id']}/waive", json={"reason": "sour"}).status_code == 409
    assert admin.post(f"/api/charges/{NOBODY}/waive", json={"reason": "sour"}).status_code == 404


def test_a_document_is_given_back_once(dairy: Office, admin: TestClient, support: TestClient) -> None:
    bill = document_of(dairy, "C-0012")
    path = f"/api/invoices/{bill}/credit-notes"
    assert support.post(path, json={"reason": "wrong"}).status_code == 403
    assert admin.post(path, json={}).json()["errors"][0]["pointer"] == "/body/reason"
    before = admin.get(f"/api/invoices/{bill}").json()
    note = admin.post(path, json={"reason": "wrong household"}, headers={"If-Match": '"old"'})
    assert note.status_code == 412
    note = admin.post(path, json={"reason": "wrong household"})
    assert note.status_code == 201
    facts = note.json()
    assert (facts["kind"], facts["corrects_id"], facts["total_minor"]) == (
        "credit_note",
        str(bill),
        -before["total_minor"],
    )
    after = admin.get(f"/api/invoices/{bill}").json()
    assert (after["state"], after["paid_minor"], after["open_minor"]) == ("void", 0, 0)
    assert admin.post(path, json={"reason": "again"}).status_code == 409
    assert admin.post(f"/api/invoices/{facts['id']}/credit-notes", json={"reason": "x"}).status_code == 409


def test_a_run_rehearses_then_bills_once_and_all_is_clean(
    dairy: Office, admin: TestClient, support: TestClient
) -> None:
    wanted = {"month": "2026-01"}
    assert support.post("/api/invoices/runs", json=wanted).status_code == 403
    for body, pointer in (
        ({"month": "2026-13"}, "/body/month"),
        ({"month": "2026-02"}, "/month"),
        ({}, "/body/month"),
        (wanted | {"dry_run": "yes"}, "/body/dry_run"),
    ):
        refused = admin.post("/api/invoices/runs", json=body)
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, pointer)
    assert admin.post("/api/invoices/runs", json=wanted | {"business_id": NOBODY}).status_code == 404
    before = digests(dairy.engine)
    tried = admin.post("/api/invoices/runs", json=wanted | {"dry_run": True}).json()
    assert digests(dairy.engine) == before
    done = admin.post("/api/invoices/runs", json=wanted)
    assert done.status_code == 201
    assert done.json() == tried | {"dry_run": False}
    assert done.json()["count"] > 15
    assert admin.post("/api/invoices/runs", json=wanted).json()["count"] == 0
    with db.transaction(dairy.engine) as session:
        found = {a.check.name: len(a.found) for a in reconcile.ask(session, CTX) if a.is_error}
        sums = leakage.total(leakage.prove(session, CTX))
    assert found == {}
    assert [(s.lost_minor, s.over_minor) for s in sums] == [(0, 0)]


@pytest.fixture
def shop(fresh: Engine) -> Iterator[Office]:
    """Thirty households that got milk and ghee on three days of January, nothing charged."""
    with db.transaction(fresh) as session:
        firm = make.business(session)
        make.product(session, firm, "Milk", "61.25")
        make.product(session, firm, "Ghee", "523.10", tax="0.05")
        customers_many(session, firm, 30)
        delivered_many(session, firm, date(2026, 1, 1), date(2026, 1, 3))
    with office(fresh) as found:
        yield found


def test_two_runs_at_once_bill_everybody_once(shop: Office) -> None:
    doors = [shop.door("admin") for _ in range(4)]
    with ThreadPoolExecutor(len(doors)) as pool:
        told = list(pool.map(lambda door: door.post("/api/invoices/runs", json={"month": "2026-01"}), doors))
    assert [answer.status_code for answer in told] == [201] * 4
    assert sorted(answer.json()["count"] for answer in told) == [0, 0, 0, 30]
    assert shop.ask("SELECT count(*) FROM invoices") == 30
    assert shop.ask("SELECT count(*) FROM charges") == shop.ask("SELECT count(*) FROM invoice_lines") == 180
    assert shop.ask("SELECT max(number) FROM invoices") == 30


@pytest.mark.parametrize("headers", [{"Idempotency-Key": "the-same"}, {}], ids=["with a key", "by its client_id"])
def test_one_payment_sent_fifty_times_at_once_is_one(shop: Office, headers: dict[str, str]) -> None:
    door = shop.door("support")
    body = paid("upi-1", "C-000001", "100")
    with ThreadPoolExecutor(10) as pool:
        told = list(pool.map(lambda _: door.post("/api/payments", json=body, headers=headers), range(50)))
    assert {answer.status_code for answer in told} == {201}
    assert len({answer.content for answer in told}) == 1
    assert shop.ask("SELECT count(*) FROM payments") == 1
    assert shop.ask("SELECT count(*) FROM journals WHERE kind = 'payment'") == 1
    if headers:
        assert sum("idempotent-replayed" in answer.headers for answer in told) == 49


def test_the_paper_is_the_same_by_every_door(
    shop: Office, earlybird: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    admin = shop.door("admin")
    admin.post("/api/invoices/runs", json={"month": "2026-01"})
    [head] = admin.get("/api/invoices", params={"limit": 1}).json()["items"]
    assert earlybird("bill", "show", head["number"], "--pdf", "bill.pdf").returncode == 0
    assert (tmp_path / "bill.pdf").read_bytes() == admin.get(f"/api/invoices/{head['id']}/document").content
    plain = earlybird("bill", "show", head["number"]).stdout
    assert plain == admin.get(f"/api/invoices/{head['id']}/document", params={"format": "text"}).text
