"""Every question finds its planted violation, with ids and money, and no other question does."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from earlybird.customers.service import facts as customers
from earlybird.infra.db import rows, value
from earlybird.kernel.ctx import Ctx
from earlybird.reconcile import service
from earlybird.reconcile.checks import CHECKS
from make.month import NOW


def found(session: Session, ctx: Ctx, now: datetime = NOW) -> dict[str, list[dict]]:
    return {a.check.name: list(a.found) for a in service.ask(session, ctx.at(now)) if a.found}


def test_a_clean_business_is_silent(books: Session, ctx: Ctx) -> None:
    assert value(books, "SELECT count(*) FROM charges") > 500
    assert found(books, ctx) == {}


def test_the_questions_are_numbered_and_named_once() -> None:
    assert [check.number for check in CHECKS] == list(range(1, len(CHECKS) + 1))
    assert len({check.name for check in CHECKS}) == len(CHECKS)


ONE_LINE = "(SELECT e.id FROM delivery_event_lines e JOIN customers c ON c.id = e.customer_id WHERE c.code = 'C-0004' AND e.service_on = '2025-12-21')"
A_STOP = "(SELECT d.id FROM deliveries d JOIN customers c ON c.id = d.customer_id WHERE c.code = 'C-0004' AND d.planned_on = '2025-12-21')"
AN_ORDER = f"(SELECT order_id FROM deliveries WHERE id = {A_STOP})"
A_BILL = "(SELECT i.id FROM invoices i JOIN customers c ON c.id = i.customer_id WHERE c.code = 'C-0004')"
A_PAYMENT = "(SELECT y.id FROM payments y JOIN customers c ON c.id = y.customer_id WHERE c.code = 'C-0004')"

PLANTED: dict[str, tuple[str, list[str], int | None]] = {
    "a fact loses its charge": ("fact_not_charged", [f"DELETE FROM charges WHERE event_line_id = {ONE_LINE}"], 24000),
    "a charge from nowhere": (
        "charge_without_fact",
        [
            (
                "INSERT INTO charges (event_line_id, customer_id, service_on, quantity, amount_minor, currency, charged_at) "
                "SELECT new_id(), id, '2025-12-03', 1, 6000, 'INR', '2025-12-03' FROM customers WHERE code = 'C-0004'"
            )
        ],
        6000,
    ),
    "a fact taken away from under its charge": (
        "charge_without_fact",
        [f"DELETE FROM delivery_event_lines WHERE id = {ONE_LINE}"],
        24000,
    ),
    "a charge is too high": (
        "wrong_amount",
        [f"UPDATE charges SET amount_minor = amount_minor + 700 WHERE event_line_id = {ONE_LINE}"],
        700,
    ),
    "the price of a line is changed afterwards": (
        "wrong_amount",
        [f"UPDATE order_lines SET unit_price = 50 WHERE order_id = {AN_ORDER}"],
        4000,
    ),
    "a charge was left out of a bill that is otherwise whole": (
        "charge_not_billed",
        ["DELETE FROM waivers"],
        18000,
    ),
    "the delivered quantity is changed": (
        "delivered_not_events",
        [f"UPDATE delivery_lines SET delivered_quantity = 3 WHERE delivery_id = {A_STOP}"],
        -6000,
    ),
    "a bill's total is changed": (
        "invoice_not_journal",
        [
            f"UPDATE invoices SET total_minor = total_minor + 900, subtotal_minor = subtotal_minor + 900 WHERE id = {A_BILL}",
            f"INSERT INTO adjustments (id, business_id, customer_id, kind, amount_minor, currency, effective_on, reason) SELECT new_id(), business_id, customer_id, 'fee', 900, 'INR', '2025-12-31', 'x' FROM invoices WHERE id = {A_BILL}",
            f"INSERT INTO invoice_lines (invoice_id, adjustment_id, service_on, description, amount_minor, tax_minor) SELECT {A_BILL}, id, effective_on, 'x', 900, 0 FROM adjustments WHERE reason = 'x'",
        ],
        900,
    ),
    "a bill's line is changed": (
        "invoice_not_lines",
        [
            f"UPDATE invoice_lines SET amount_minor = amount_minor - 500 WHERE charge_id = (SELECT id FROM charges WHERE event_line_id = {ONE_LINE})"
        ],
        500,
    ),
    "two lines of a bill are changed so that the sum holds": (
        "line_not_its_charge",
        [
            f"UPDATE invoice_lines SET amount_minor = amount_minor + CASE service_on WHEN '2025-12-21' THEN 100 ELSE -100 END WHERE invoice_id = {A_BILL} AND service_on IN ('2025-12-21', '2025-12-22')"
        ],
        None,
    ),
    "a bill's tax is changed": (
        "invoice_not_lines",
        [
            "UPDATE invoices SET tax_minor = tax_minor + 1, subtotal_minor = subtotal_minor - 1 WHERE id = (SELECT i.id FROM invoices i WHERE tax_minor > 0 LIMIT 1)"
        ],
        0,
    ),
    "a posting is changed": (
        "journal_not_zero",
        [
            f"UPDATE postings SET amount_minor = amount_minor + 100 WHERE account = 'receivable' AND journal_id = (SELECT journal_id FROM invoices WHERE id = {A_BILL})"
        ],
        100,
    ),
    "a payment's posting is lost": (
        "journal_not_zero",
        [
            f"DELETE FROM postings WHERE account = 'bank' AND journal_id = (SELECT journal_id FROM payments WHERE id = {A_PAYMENT})"
        ],
        None,
    ),
    "postings lose their journal": (
        "ledger_out_of_balance",
        [
            "INSERT INTO postings (journal_id, account, amount_minor, currency, posted_on) VALUES (new_id(), 'bank', 5500, 'INR', '2025-12-05')"
        ],
        5500,
    ),
    "a customer owes more than their documents": (
        "receivable_unexplained",
        [
            (
                "WITH j AS (INSERT INTO journals (business_id, kind, posted_on, made_at) SELECT id, 'memo', '2026-01-02', '2026-01-02' FROM businesses RETURNING id) "
                "INSERT INTO postings (journal_id, account, customer_id, amount_minor, currency, posted_on) SELECT j.id, a, CASE a WHEN 'receivable' THEN (SELECT id FROM customers WHERE code = 'C-0004') END, m, 'INR', '2026-01-02' FROM j, (VALUES ('receivable', 800), ('sales', -800)) x(a, m)"
            )
        ],
        800,
    ),
    "a payment is not in the books": (
        "payment_lost",
        [
            f"DELETE FROM postings WHERE journal_id = (SELECT journal_id FROM payments WHERE id = {A_PAYMENT})",
            f"DELETE FROM journals WHERE id = (SELECT journal_id FROM payments WHERE id = {A_PAYMENT})",
        ],
        None,
    ),
    "a payment lost its journal's name": (
        "payment_lost",
        [f"UPDATE payments SET journal_id = NULL WHERE id = {A_PAYMENT}"],
        None,
    ),
    "a booked payment is lost": ("payment_lost", [f"DELETE FROM payments WHERE id = {A_PAYMENT}"], None),
    "a payment is recorded and never booked": (
        "payment_lost",
        [
            (
                "INSERT INTO payments (business_id, customer_id, client_id, amount_minor, currency, method, received_on) "
                "SELECT business_id, id, 'lost', 12300, 'INR', 'cash', '2026-01-09' FROM customers WHERE code = 'C-0004'"
            )
        ],
        12300,
    ),
    "a payment is reversed on its row only": (
        "payment_lost",
        [
            f"UPDATE payments SET state = 'reversed' WHERE id = {A_PAYMENT}",
            f"DELETE FROM payment_allocations WHERE payment_id = {A_PAYMENT}",
        ],
        None,
    ),
    "a payment settles more than it is": (
        "allocation_too_much",
        [f"INSERT INTO payment_allocations (payment_id, invoice_id, amount_minor) SELECT {A_PAYMENT}, {A_BILL}, 300"],
        300,
    ),
    "an order loses its stop": (
        "order_without_delivery",
        [
            "DELETE FROM delivery_lines WHERE delivery_id IN (SELECT id FROM deliveries WHERE planned_on = '2026-01-16' AND customer_id = (SELECT id FROM customers WHERE code = 'C-0004'))",
            "DELETE FROM deliveries WHERE planned_on = '2026-01-16' AND customer_id = (SELECT id FROM customers WHERE code = 'C-0004')",
        ],
        None,
    ),
    "a delivered order loses its stop": (
        "order_without_delivery",
        [f"DELETE FROM deliveries WHERE id = {A_STOP}"],
        24000,
    ),
    "a stop's order is gone": ("delivery_without_order", [f"DELETE FROM orders WHERE id = {AN_ORDER}"], None),
    "a due day has no order": (
        "due_without_order",
        [
            f"DELETE FROM {t} WHERE customer_id = (SELECT id FROM customers WHERE code = 'C-0008') AND {c} = '2026-01-16' AND shift = 'morning'"
            for t, c in (("deliveries", "planned_on"), ("orders", "service_on"), ("order_lines", "service_on"))
        ]
        + ["DELETE FROM delivery_lines l WHERE NOT EXISTS (SELECT FROM deliveries d WHERE d.id = l.delivery_id)"],
        None,
    ),
    "a customer cannot sign in": (
        "customer_without_login",
        [
            "DELETE FROM memberships WHERE customer_id = (SELECT id FROM customers WHERE code = 'C-0004')",
            "DELETE FROM users WHERE customer_id = (SELECT id FROM customers WHERE code = 'C-0004')",
        ],
        None,
    ),
    "a login has no customer": (
        "login_without_customer",
        [
            "INSERT INTO users (name, email) VALUES ('Nobody', 'nobody@example.com')",
            "INSERT INTO memberships (user_id, role) SELECT id, 'customer' FROM users WHERE name = 'Nobody'",
        ],
        None,
    ),
    "more is delivered than was ordered": (
        "delivered_more_than_ordered",
        [
            "ALTER TABLE delivery_lines DROP CONSTRAINT delivery_lines_delivered_quantity_check",
            f"UPDATE delivery_event_lines SET delta_quantity = 9 WHERE id = {ONE_LINE}",
            f"UPDATE charges SET quantity = 9, amount_minor = 54000 WHERE event_line_id = {ONE_LINE}",
            f"UPDATE invoice_lines SET amount_minor = 54000 WHERE charge_id = (SELECT id FROM charges WHERE event_line_id = {ONE_LINE})",
            f"UPDATE invoices SET total_minor = total_minor + 30000, subtotal_minor = subtotal_minor + 30000 WHERE id = {A_BILL}",
            f"UPDATE postings SET amount_minor = amount_minor + CASE account WHEN 'sales' THEN -30000 ELSE 30000 END WHERE journal_id = (SELECT journal_id FROM invoices WHERE id = {A_BILL})",
            f"UPDATE delivery_lines SET delivered_quantity = 9 WHERE delivery_id = {A_STOP}",
        ],
        30000,
    ),
    "an old delivery is nobody's": (
        "legacy_not_attributable",
        [
            (
                "INSERT INTO legacy_deliveries (source, collection, key, customer_id, service_on, status, line, is_early, speaks_morning, speaks_evening) "
                "SELECT 'earlybird', 'delivery_statuses', 'd1', id, '2025-11-30', 'delivered', 1, false, true, false FROM customers WHERE code = 'C-0004'"
            )
        ],
        None,
    ),
    "a number is skipped": ("invoice_number_gap", ["UPDATE invoice_series SET next_number = next_number + 1"], None),
    "an order stands elsewhere than its stop": (
        "order_state_differs",
        [f"UPDATE orders SET state = 'not_delivered' WHERE id = {AN_ORDER}"],
        None,
    ),
    "a line forgets its standing order": (
        "line_without_standing_order",
        [
            "ALTER TABLE order_lines DROP CONSTRAINT IF EXISTS order_lines_subscription_check",
            f"UPDATE order_lines SET subscription_id = NULL WHERE order_id = {AN_ORDER}",
        ],
        24000,
    ),
    "a stop stands elsewhere than its lines": (
        "stop_state_differs",
        [f"UPDATE deliveries SET state = 'partially_delivered' WHERE id = {A_STOP}"],
        None,
    ),
    "cash from the door is in no book": (
        "cash_not_posted",
        [
            f"INSERT INTO delivery_cash SELECT new_id(), id, delivery_id, customer_id, 1, 5000, 'INR', actor_id, service_on FROM delivery_events WHERE delivery_id = {A_STOP} LIMIT 1"
        ],
        5000,
    ),
    "a picture was named and never sent": (
        "photo_missing",
        [
            f"UPDATE delivery_events SET told = coalesce(told, '{{}}') || '{{\"photos\": [\"{'ab' * 32}\"]}}' WHERE delivery_id = {A_STOP}"
        ],
        None,
    ),
    "a stop of tomorrow stands in no round": (
        "stop_without_round",
        [
            (
                "UPDATE deliveries SET state_at = '2026-01-15 11:00+00' WHERE id = (SELECT id FROM deliveries "
                "WHERE planned_on = '2026-01-16' AND state = 'planned' ORDER BY id LIMIT 1)"
            )
        ],
        None,
    ),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_violation_is_found_by_its_question_alone(books: Session, ctx: Ctx, planted: str) -> None:
    name, statements, money = PLANTED[planted]
    for statement in statements:
        books.execute(text(statement))
    answer = found(books, ctx)
    assert set(answer) == {name}, {k: [f["title"] for f in v] for k, v in answer.items()}
    rest = {row["money_minor"] for row in answer[name]}
    if money is not None:
        assert rest == {money}
    if name != "line_not_its_charge":
        assert len(answer[name]) == 1
    [row, *_] = answer[name]
    assert row["facts"]
    ids = [v for k, v in row["facts"].items() if k.endswith("_id") and v]
    assert all(UUID(str(i)) for i in ids)


def test_every_question_has_a_planted_violation() -> None:
    assert {name for name, _, _ in PLANTED.values()} == {check.name for check in CHECKS}


def test_a_customer_who_was_away_and_is_back_was_due_nothing(books: Session, ctx: Ctx) -> None:
    away = date(2026, 1, 16)
    customer_id = value(books, "SELECT id FROM customers WHERE code = 'C-0008'")
    customers.move(books, ctx.at(NOW), customer_id, "pause", state_from=away, reason="a journey")
    for statement in PLANTED["a due day has no order"][1]:
        books.execute(text(statement))
    back = NOW + timedelta(days=1)
    assert "due_without_order" not in found(books, ctx, back)
    customers.move(books, ctx.at(back), customer_id, "activate", reason="back")
    assert "due_without_order" not in found(books, ctx, back)
    books.execute(text("DELETE FROM audit_entries WHERE action = 'customers.change'"))
    assert "due_without_order" in found(books, ctx, back)


def test_findings_are_kept_once_and_resolved_when_gone(books: Session, ctx: Ctx) -> None:
    books.execute(text(PLANTED["a charge is too high"][1][0]))
    for _ in range(2):
        service.keep(books, ctx.at(NOW), service.ask(books, ctx.at(NOW)))
    kept = rows(books, "SELECT check_name, state, money_minor FROM findings")
    assert kept == [{"check_name": "wrong_amount", "state": "open", "money_minor": 700}]
    books.execute(text(f"UPDATE charges SET amount_minor = amount_minor - 700 WHERE event_line_id = {ONE_LINE}"))
    service.keep(books, ctx.at(NOW), service.ask(books, ctx.at(NOW)))
    assert value(books, "SELECT state FROM findings") == "resolved"
