"""Payments settle the oldest documents; a repeat changes nothing; a reversal leaves everything as before."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

import make
from earlybird.billing import queries
from earlybird.billing.service import charges, credit_notes, invoices, payments
from earlybird.infra.db import rows, value
from earlybird.kernel.clock import Month
from earlybird.kernel.ctx import Ctx
from earlybird.ledger import queries as ledger
from earlybird.ledger.states import Account
from make.delivered import delivered


def receive(session: Session, ctx: Ctx, *given: dict[str, Any]) -> payments.Outcome:
    return payments.receive(session, ctx, [(n, orjson.dumps(row).decode(), row) for n, row in enumerate(given, 1)])


def reverse(session: Session, ctx: Ctx, *names: str) -> payments.Outcome:
    given = [{"reverse": name, "reason": "bounced"} for name in names]
    return payments.reverse(session, ctx, [(n, orjson.dumps(row).decode(), row) for n, row in enumerate(given, 1)])


def paid(client_id: str, customer: str, amount: str, **over: Any) -> dict[str, Any]:
    return {"client_id": client_id, "customer": customer, "amount": amount, "currency": "INR", "method": "upi",
            "received_on": "2026-01-14"} | over  # fmt: skip


@pytest.fixture
def firm(session: Session) -> make.Firm:
    return make.business(session)


def billed(session: Session, ctx: Ctx, firm: make.Firm, customer: Any, months: int = 2) -> None:
    """Bills of 60.00 a month, issued one month after the other."""
    milk = make.product(session, firm)
    for month in range(1, months + 1):
        delivered(session, firm, customer.id, milk, on=date(2026, month, 5))
        charges.charge_delivered(session, ctx)
        later = ctx.at(ctx.now + timedelta(days=30 * (month - 1) + 10))
        invoices.run_month(session, later, firm.id, Month(2026, month), [customer.id])


def standing(session: Session, customer: Any) -> tuple[int, int]:
    facts = queries.statement(session, customer.id)
    return facts["receivable_minor"], facts["advance_minor"]


def test_the_oldest_document_is_settled_first_and_the_rest_is_an_advance(
    session: Session, ctx: Ctx, firm: make.Firm
) -> None:
    customer = make.customer(session, firm)
    billed(session, ctx, firm, customer)
    session.execute(
        text(
            "INSERT INTO invoices (business_id, customer_id, kind, series, number, state, period_from, period_to, "
            "issued_on, subtotal_minor, tax_minor, rounding_minor, total_minor, carried_minor, currency) VALUES "
            "(:b, :c, 'opening', 'OPEN', 1, 'issued', '2026-01-31', '2026-01-31', '2026-02-20', 1000, 0, 0, 1000, 0, "
            "'INR')"
        ),
        {"b": firm.id, "c": customer.id},
    )
    outcome = receive(session, ctx, paid("p1", customer.code, "75"))
    assert (outcome.recorded, outcome.rejected) == (1, [])
    found = queries.open_documents(session, [customer.id])
    assert [(row["kind"], row["number"], row["open_minor"]) for row in found] == [("invoice", 2, 5500)]
    receive(session, ctx, paid("p2", str(customer.id), "100.00", method="cash"))
    assert queries.open_documents(session, [customer.id]) == []
    assert standing(session, customer)[1] == 4500
    books = ledger.balances(session, firm.id)
    assert (books[Account.bank, "INR"], books[Account.depot_cash, "INR"]) == (7500, 10000)


def test_an_advance_settles_the_next_bill(session: Session, ctx: Ctx, firm: make.Firm) -> None:
    customer = make.customer(session, firm)
    receive(session, ctx, paid("p1", customer.code, "100"))
    assert standing(session, customer) == (0, 10000)
    billed(session, ctx, firm, customer)
    assert standing(session, customer) == (2000, 0)
    assert [row["open_minor"] for row in queries.open_documents(session, [customer.id])] == [2000]


def test_the_oldest_payment_is_spent_first(session: Session, ctx: Ctx, firm: make.Firm) -> None:
    customer = make.customer(session, firm)
    receive(
        session,
        ctx,
        paid("a-new", customer.code, "50", received_on="2026-01-09"),
        paid("b-old", customer.code, "50", received_on="2026-01-03"),
        paid("c-new", customer.code, "50", received_on="2026-01-12"),
    )
    billed(session, ctx, firm, customer, months=1)
    found = rows(
        session,
        "SELECT y.client_id, a.amount_minor FROM payment_allocations a JOIN payments y ON y.id = a.payment_id "
        "ORDER BY y.received_on",
    )
    assert [tuple(row.values()) for row in found] == [("b-old", 5000), ("a-new", 1000)]


def test_a_reversal_leaves_everything_as_before(session: Session, ctx: Ctx, firm: make.Firm) -> None:
    customer = make.customer(session, firm)
    billed(session, ctx, firm, customer)
    before = (standing(session, customer), queries.open_documents(session, [customer.id]))
    receive(session, ctx, paid("p1", customer.code, "75"))
    assert reverse(session, ctx, "p1").reversed == 1
    assert (standing(session, customer), queries.open_documents(session, [customer.id])) == before
    assert reverse(session, ctx, "p1").repeated == 1
    assert receive(session, ctx, paid("p1", customer.code, "75")).repeated == 1
    assert (standing(session, customer), queries.open_documents(session, [customer.id])) == before
    assert value(session, "SELECT sum(amount_minor) FROM payment_allocations") == 0
    assert reverse(session, ctx, "p2").rejected[0]["field"] == "reverse"


def test_another_payment_takes_over_what_a_reversed_one_settled(session: Session, ctx: Ctx, firm: make.Firm) -> None:
    customer = make.customer(session, firm)
    billed(session, ctx, firm, customer, months=1)
    receive(session, ctx, paid("p1", customer.code, "60"), paid("p2", customer.code, "25"))
    reverse(session, ctx, "p1")
    assert [row["open_minor"] for row in queries.open_documents(session, [customer.id])] == [3500]
    assert standing(session, customer) == (3500, 0)


def test_what_was_paid_on_a_credited_document_settles_another(session: Session, ctx: Ctx, firm: make.Firm) -> None:
    customer = make.customer(session, firm)
    billed(session, ctx, firm, customer)
    receive(session, ctx, paid("p1", customer.code, "60"))
    first = value(session, "SELECT id FROM invoices WHERE number = 1")
    credit_notes.credit_in_full(session, ctx, first, reason="wrong household")
    assert queries.open_documents(session, [customer.id]) == []
    assert standing(session, customer) == (0, 0)


@pytest.mark.parametrize(
    ("over", "field"),
    [
        ({"amount": "-5"}, "amount"),
        ({"amount": "0"}, "amount"),
        ({"amount": 12.5}, "amount"),
        ({"amount": "12.505"}, "amount"),
        ({"amount_minor": 100}, "amount"),
        ({"amount": None}, "amount"),
        ({"amount": "1e30"}, "amount"),
        ({"currency": "CAD"}, "currency"),
        ({"received_on": "2026-01-16"}, "received_on"),
        ({"received_on": "yesterday"}, "received_on"),
        ({"customer": "C-NOBODY"}, "customer"),
        ({"customer": {"source": "x", "kind": "id", "key": "1"}}, "customer"),
        ({"client_id": " "}, "client_id"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_each_row_is_judged_on_its_own(
    session: Session, ctx: Ctx, firm: make.Firm, over: dict[str, Any], field: str
) -> None:
    customer = make.customer(session, firm)
    outcome = receive(
        session, ctx, paid("bad", customer.code, "5") | over, paid("good", customer.code, "5", received_on="2026-01-15")
    )
    assert outcome.recorded == 1
    assert [row["field"] for row in outcome.rejected] == [field]
    receive(session, ctx, paid("bad", customer.code, "5") | over)
    assert [row["field"] for row in rows(session, "SELECT field FROM payment_rejections")] == [field]


def test_one_client_id_is_one_payment(session: Session, ctx: Ctx, firm: make.Firm) -> None:
    customer = make.customer(session, firm)
    session.execute(text("INSERT INTO customer_keys VALUES ('legacy', 'id', '77', :id)"), {"id": customer.id})
    same = paid("p1", customer.code, "5")
    key = same | {"customer": {"source": "legacy", "kind": "id", "key": "77"}}
    outcome = receive(session, ctx, same, key, same | {"amount": "6"})
    assert (outcome.recorded, outcome.repeated, [r["field"] for r in outcome.rejected]) == (1, 1, ["client_id"])
    outcome = receive(session, ctx, same, same | {"amount": "7"})
    assert (outcome.recorded, outcome.repeated, [r["field"] for r in outcome.rejected]) == (0, 1, ["client_id"])
    assert value(session, "SELECT count(*) FROM payments") == 1


def test_the_stock_of_an_account_is_known_for_any_past_day(session: Session, ctx: Ctx, firm: make.Firm) -> None:
    customer = make.customer(session, firm)
    receive(
        session,
        ctx,
        paid("p1", customer.code, "5", received_on="2026-01-03"),
        paid("p2", customer.code, "7", received_on="2026-01-09"),
    )
    for day, minor in ((2, None), (3, 500), (8, 500), (9, 1200)):
        found = ledger.balances(session, firm.id, as_of=date(2026, 1, day))
        assert found.get((Account.bank, "INR")) == minor
