"""What was delivered is charged and billed: once, all of it, nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

import make
from earlybird.billing import errors, queries
from earlybird.billing.models import Invoice
from earlybird.billing.service import adjustments, charges, credit_notes, invoices
from earlybird.billing.states import AdjustmentKind
from earlybird.infra.db import rows, value
from earlybird.kernel.clock import Month
from earlybird.kernel.ctx import Ctx
from earlybird.ledger import queries as ledger
from earlybird.ledger.states import Account
from earlybird.territory.models import Business
from make.delivered import Delivered, delivered, said

JANUARY = Month(2026, 1)
FEBRUARY = Month(2026, 2)


@pytest.fixture
def later(ctx: Ctx) -> Ctx:
    return ctx.at(ctx.now + timedelta(days=31))


def bill(session: Session, ctx: Ctx, firm: make.Firm, month: Month = JANUARY) -> list[dict[str, Any]]:
    charges.charge_delivered(session, ctx)
    row = session.get_one(Business, firm.id)
    since = row.cutover_on or date.min
    payers = queries.payers_to_bill(session, firm.id, since=since, through=month.last)
    return invoices.run_month(session, ctx, firm.id, month, payers)


def charged(session: Session, line: Delivered) -> list[int]:
    return [
        row["amount_minor"]
        for row in rows(
            session,
            "SELECT c.amount_minor FROM charges c JOIN delivery_event_lines e ON e.id = c.event_line_id "
            "WHERE e.delivery_line_id = :id ORDER BY e.revision",
            {"id": line.line_id},
        )
    ]


def test_charges_of_a_line_sum_to_the_rounded_price(session: Session, ctx: Ctx) -> None:
    firm = make.business(session)
    line = delivered(session, firm, make.customer(session, firm).id, make.product(session, firm), "0.333", price="10")
    said(session, line, "0.333")
    assert charges.charge_delivered(session, ctx) == 2
    said(session, line, "0.334")
    said(session, line, "-0.5", "return")
    charges.charge_delivered(session, ctx)
    assert charged(session, line) == [333, 333, 334, -500]
    assert charges.charge_delivered(session, ctx) == 0


def test_a_third_of_a_paisa_is_not_lost(session: Session, ctx: Ctx) -> None:
    firm = make.business(session)
    line = delivered(session, firm, make.customer(session, firm).id, make.product(session, firm), "1", price="0.005")
    for _ in range(3):
        said(session, line, "1")
    charges.charge_delivered(session, ctx)
    assert charged(session, line) == [1, 0, 1, 0]


def test_one_time_orders_may_be_left_out_and_swept_up_later(session: Session, ctx: Ctx) -> None:
    firm = make.business(session)
    customer, milk = make.customer(session, firm), make.product(session, firm)
    session.execute(text("INSERT INTO policies VALUES ('charge_one_time_orders', 'false', now(), 'test')"))
    once = delivered(session, firm, customer.id, milk)
    standing = delivered(session, firm, customer.id, milk, source="subscription")
    charges.charge_delivered(session, ctx)
    assert (charged(session, once), charged(session, standing)) == ([], [6000])
    session.execute(text("UPDATE policies SET value = 'true'"))
    assert charges.charge_delivered(session, ctx) == 0
    charges.sweep(session)
    charges.charge_delivered(session, ctx)
    assert (charged(session, once), charged(session, standing)) == ([6000], [6000])


def test_a_bill_holds_everything_new_with_its_journal(session: Session, ctx: Ctx) -> None:
    firm = make.business(session)
    customer, milk = make.customer(session, firm), make.product(session, firm)
    delivered(session, firm, customer.id, milk, "2", on=date(2025, 12, 30))
    delivered(session, firm, customer.id, milk, "1.5")
    delivered(session, firm, customer.id, milk, "1", on=date(2026, 2, 1))
    [issued] = bill(session, ctx, firm)
    assert (issued["number"], issued["total_minor"], issued["carried_minor"]) == ("INV/2025-26/1", 21000, 0)
    assert ledger.customer_balances(session, [customer.id], Account.receivable) == {customer.id: 21000}
    assert ledger.balances(session, firm.id)[Account.sales, "INR"] == -21000
    document = session.get_one(Invoice, issued["id"])
    assert (document.period_from, document.issued_on, document.due_on) == (
        date(2026, 1, 1),
        date(2026, 1, 15),
        date(2026, 1, 22),
    )
    assert bill(session, ctx, firm) == []


def test_tax_is_inside_indian_prices_and_rounded_per_line_and_component(session: Session, ctx: Ctx) -> None:
    firm = make.business(session, rounds_to_major=True)
    customer, ghee = make.customer(session, firm), make.product(session, firm, "Ghee", tax="0.05")
    for on in (5, 6, 7):
        delivered(session, firm, customer.id, ghee, "1", price="10.10", on=date(2026, 1, on))
    [issued] = bill(session, ctx, firm)
    # 1010 × 0.025 / 1.05 = 24.05 → 24 each for CGST and SGST on each of the three lines
    taxes = rows(session, "SELECT component, base_minor, tax_minor FROM invoice_taxes ORDER BY component")
    assert taxes == [
        {"component": "CGST", "base_minor": 2886, "tax_minor": 72},
        {"component": "SGST", "base_minor": 2886, "tax_minor": 72},
    ]
    assert (issued["subtotal_minor"], issued["tax_minor"], issued["rounding_minor"], issued["total_minor"]) == (
        2886,
        144,
        -30,
        3000,
    )
    books = ledger.balances(session, firm.id)
    assert books == {
        (Account.receivable, "INR"): 3000,
        (Account.sales, "INR"): -2886,
        (Account.tax_payable, "INR"): -144,
        (Account.rounding, "INR"): 30,
    }


def test_tax_is_beside_canadian_prices(session: Session, ctx: Ctx) -> None:
    firm = make.business(session, currency="CAD", country="CA", zone="America/Toronto", prices_include_tax=False)
    customer, tea = make.customer(session, firm), make.product(session, firm, "Tea", tax="0.13")
    delivered(session, firm, customer.id, tea, "3", price="3.33", currency="CAD")
    [issued] = bill(session, ctx, firm)
    # 999 × 0.065 = 64.935 → 65, twice
    assert (issued["number"], issued["subtotal_minor"], issued["tax_minor"], issued["total_minor"]) == (
        "INV/2026/1",
        999,
        130,
        1129,
    )


def test_the_rate_of_the_service_date_counts(session: Session, ctx: Ctx) -> None:
    firm = make.business(session)
    customer, ghee = make.customer(session, firm), make.product(session, firm, "Ghee", tax="0.12")
    session.execute(
        text(
            "INSERT INTO tax_rates (tax_class_id, component, rate, valid_from) "
            "SELECT :c, x, 0.025, '2026-01-06' FROM unnest(ARRAY['CGST', 'SGST']) x"
        ),
        {"c": ghee.tax_class_id},
    )
    delivered(session, firm, customer.id, ghee, "1", price="112", on=date(2026, 1, 5))
    delivered(session, firm, customer.id, ghee, "1", price="105", on=date(2026, 1, 6))
    bill(session, ctx, firm)
    found = rows(session, "SELECT DISTINCT rate, tax_minor, base_minor FROM invoice_taxes ORDER BY rate")
    assert [tuple(row.values()) for row in found] == [
        (Decimal("0.0250"), 250, 10000),
        (Decimal("0.0600"), 600, 10000),
    ]


def test_later_facts_go_to_the_next_bill_and_less_than_nothing_is_a_credit_note(
    session: Session, ctx: Ctx, later: Ctx
) -> None:
    firm = make.business(session)
    anna, bela, milk = make.customer(session, firm), make.customer(session, firm), make.product(session, firm)
    anna_line = delivered(session, firm, anna.id, milk, "3")
    bela_line = delivered(session, firm, bela.id, milk, "3")
    first = {row["customer_id"]: row["id"] for row in bill(session, ctx, firm)}
    said(session, anna_line, "-1", "return")
    said(session, bela_line, "-1", "return")
    delivered(session, firm, anna.id, milk, "2", on=date(2026, 2, 3))
    second = {row["customer_id"]: row for row in bill(session, later, firm, FEBRUARY)}
    assert (second[anna.id]["kind"], second[anna.id]["total_minor"]) == ("invoice", 6000)
    assert (second[bela.id]["kind"], second[bela.id]["total_minor"]) == ("credit_note", -6000)
    assert second[bela.id]["number"] == "CN/2025-26/1"
    assert session.get_one(Invoice, second[bela.id]["id"]).corrects_id == first[bela.id]
    assert ledger.customer_balances(session, [bela.id], Account.receivable) == {bela.id: 12000}
    assert [row["open_minor"] for row in queries.open_documents(session, [bela.id])] == [12000]


def test_the_one_who_pays_gets_the_bill(session: Session, ctx: Ctx) -> None:
    firm = make.business(session)
    parent, milk = make.customer(session, firm), make.product(session, firm)
    child = make.customer(session, firm, "Daughter", bill_to_id=parent.id)
    delivered(session, firm, child.id, milk)
    delivered(session, firm, parent.id, milk)
    [issued] = bill(session, ctx, firm)
    assert (issued["customer_id"], issued["total_minor"]) == (parent.id, 12000)
    assert bill(session, ctx, firm) == []


def test_nothing_before_the_day_of_change_is_billed(session: Session, ctx: Ctx) -> None:
    firm = make.business(session, cutover_on=date(2026, 1, 10))
    customer, milk = make.customer(session, firm), make.product(session, firm)
    delivered(session, firm, customer.id, milk, "5", on=date(2026, 1, 9))
    delivered(session, firm, customer.id, milk, "1", on=date(2026, 1, 10))
    [issued] = bill(session, ctx, firm)
    assert issued["total_minor"] == 6000
    with pytest.raises(errors.MonthBeforeCutover):
        bill(session, ctx, firm, Month(2025, 12))
    with pytest.raises(errors.MonthNotBegun):
        bill(session, ctx, firm, FEBRUARY)


def test_a_waived_charge_is_never_asked_and_a_billed_one_is_never_waived(session: Session, ctx: Ctx) -> None:
    firm = make.business(session)
    customer, milk = make.customer(session, firm), make.product(session, firm)
    delivered(session, firm, customer.id, milk, "1")
    charges.charge_delivered(session, ctx)
    [first] = rows(session, "SELECT id FROM charges")
    charges.waive_charge(session, ctx, first["id"], reason="spilt")
    with pytest.raises(errors.ChargeWaived):
        charges.waive_charge(session, ctx, first["id"], reason="spilt")
    assert bill(session, ctx, firm) == []
    delivered(session, firm, customer.id, milk, "2")
    [issued] = bill(session, ctx, firm)
    assert issued["total_minor"] == 12000
    second: UUID = value(session, "SELECT charge_id FROM invoice_lines")
    with pytest.raises(errors.ChargeOnDocument):
        charges.waive_charge(session, ctx, second, reason="spilt")
    with pytest.raises(errors.ReasonMissing):
        charges.waive_charge(session, ctx, second, reason=" ")


def test_only_an_approved_adjustment_is_billed_and_once(session: Session, ctx: Ctx, later: Ctx) -> None:
    firm = make.business(session)
    customer = make.customer(session, firm)

    def propose(amount: int, on: date) -> UUID:
        return adjustments.propose_adjustment(
            session, ctx, customer.id, kind=AdjustmentKind.fee, amount_minor=amount, effective_on=on, reason="crate"
        ).id

    waiting, wanted, future = propose(100, date(2026, 1, 2)), propose(250, JANUARY.last), propose(700, FEBRUARY.first)
    adjustments.approve_adjustment(session, ctx, wanted)
    adjustments.approve_adjustment(session, ctx, future)
    [issued] = bill(session, ctx, firm)
    assert issued["total_minor"] == 250
    adjustments.waive_adjustment(session, ctx, waiting, reason="a mistake")
    [issued] = bill(session, later, firm, FEBRUARY)
    assert (issued["total_minor"], issued["carried_minor"]) == (700, 250)


def test_a_document_is_void_only_by_a_full_credit_note(session: Session, ctx: Ctx) -> None:
    firm = make.business(session, rounds_to_major=True)
    customer, ghee = make.customer(session, firm), make.product(session, firm, tax="0.05")
    delivered(session, firm, customer.id, ghee, "1", price="10.10")
    [issued] = bill(session, ctx, firm)
    note = credit_notes.credit_in_full(session, ctx, issued["id"], reason="wrong household")
    assert (note.series, note.number, note.total_minor, note.corrects_id) == ("CN/2025-26", 1, -1000, issued["id"])
    assert session.get_one(Invoice, issued["id"]).state == "void"
    assert all(minor == 0 for minor in ledger.balances(session, firm.id).values())
    assert queries.open_documents(session, [customer.id]) == []
    with pytest.raises(errors.NotIssued):
        credit_notes.credit_in_full(session, ctx, issued["id"], reason="again")
    assert bill(session, ctx, firm) == []


def test_the_work_lists_are_what_a_sweep_would_find(session: Session, ctx: Ctx) -> None:
    firm = make.business(session)
    customer, milk = make.customer(session, firm), make.product(session, firm)
    for on in range(1, 6):
        delivered(session, firm, customer.id, milk, on=date(2026, 1, on))
    charges.charge_delivered(session, ctx, limit=3)
    assert charges.sweep(session) == 0
    session.execute(text("DELETE FROM uncharged_lines"))
    session.execute(text("DELETE FROM unbilled_charges"))
    assert charges.sweep(session) == 5
    [issued] = bill(session, ctx, firm)
    assert issued["total_minor"] == 30000
    assert charges.sweep(session) == 0


def test_numbers_go_on_where_the_series_stood(session: Session, ctx: Ctx) -> None:
    firm = make.business(session)
    milk = make.product(session, firm)
    for code in ("C-2", "C-1", "C-3"):
        delivered(session, firm, make.customer(session, firm, code=code).id, milk)
    assert [(row["customer"], row["number"]) for row in bill(session, ctx, firm)] == [
        ("C-1", "INV/2025-26/1"),
        ("C-2", "INV/2025-26/2"),
        ("C-3", "INV/2025-26/3"),
    ]
    delivered(session, firm, make.customer(session, firm).id, milk)
    april = replace(ctx, now=ctx.now + timedelta(days=80))
    assert [row["number"] for row in bill(session, april, firm)] == ["INV/2026-27/1"]
