"""Every question finds its planted violation, with ids and money, and no other question does."""

from __future__ import annotations

import os
from datetime import date, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from earlybird.customers.service import facts as customers
from earlybird.infra.db import rows, run, value
from earlybird.kernel.ctx import Ctx
from earlybird.reconcile import service
from earlybird.reconcile.checks import BY_NAME, CHECKS
from make.month import NOW

MONEY = 27
"""The questions up to this one hold the money together: what breaks one of them is asked of all in every run."""


def found(session: Session, ctx: Ctx, now: datetime = NOW, only: str | None = None) -> dict[str, list[dict]]:
    answers = service.ask(session, ctx.at(now), only=[only] if only else None)
    return {a.check.name: list(a.found) for a in answers if a.found}


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

HIM = "(SELECT id FROM customers WHERE code = 'C-0004')"
HIS_STANDING = f"(SELECT id FROM subscriptions WHERE customer_id = {HIM})"
LEGACY = (
    "INSERT INTO legacy_documents (source, collection, ident, key, line, digest, verdict, facts, problems, body, run_id) "
    "SELECT 'earlybird', {0}, {1}, {1}, 1, '', 'imported', {2}::jsonb, {3}::jsonb, {4}, new_id()"
)

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
            f"INSERT INTO adjustments (id, business_id, customer_id, kind, amount_minor, currency, effective_on, reason, state) SELECT new_id(), business_id, customer_id, 'fee', 900, 'INR', '2025-12-31', 'x', 'approved' FROM invoices WHERE id = {A_BILL}",
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
    "a document's line has no charge": (
        "billed_without_charge",
        [
            f"UPDATE invoice_lines SET charge_id = new_id() WHERE charge_id = (SELECT id FROM charges WHERE event_line_id = {ONE_LINE})"
        ],
        24000,
    ),
    "a charge is billed again": (
        "billed_twice",
        [
            "DROP INDEX invoice_lines_charge_id_key",
            f"INSERT INTO invoice_lines (invoice_id, charge_id, service_on, description, amount_minor, tax_minor) SELECT {A_BILL}, charge_id, service_on, 'x', amount_minor, 0 FROM invoice_lines WHERE charge_id = (SELECT id FROM charges WHERE event_line_id = {ONE_LINE})",
            f"UPDATE invoices SET total_minor = total_minor + 24000, subtotal_minor = subtotal_minor + 24000 WHERE id = {A_BILL}",
            f"UPDATE postings SET amount_minor = amount_minor + CASE account WHEN 'sales' THEN -24000 ELSE 24000 END WHERE journal_id = (SELECT journal_id FROM invoices WHERE id = {A_BILL})",
        ],
        24000,
    ),
    "a charge is forgotten": (
        "charge_forgotten",
        [f"DELETE FROM unbilled_charges WHERE service_on = '2026-01-05' AND customer_id = {HIM}"],
        None,
    ),
    "a charge of long ago waits for its bill": (
        "charge_waits_long",
        [
            f"UPDATE {t} SET service_on = '2025-10-05' WHERE service_on = '2026-01-05' AND customer_id = {HIM}"
            for t in ("order_lines", "delivery_lines", "delivery_events", "delivery_event_lines", "unbilled_charges")
        ]
        + [
            f"UPDATE charges SET service_on = '2025-10-05', charged_at = '2026-01-01 05:00' WHERE service_on = '2026-01-05' AND customer_id = {HIM}",
            "UPDATE charges SET charged_at = '2025-11-05' WHERE service_on = '2025-10-05'",
            "UPDATE invoices SET issued_at = '2025-11-04'",
            "DELETE FROM plan_runs WHERE service_on = '2026-01-05'",
        ],
        None,
    ),
    "an advance is overdrawn": (
        "advance_overdrawn",
        [
            (
                f"WITH j AS (INSERT INTO journals (business_id, kind, posted_on, made_at) SELECT id, 'allocation', '2026-01-02', '2026-01-02' FROM businesses RETURNING id) "
                f"INSERT INTO postings (journal_id, account, customer_id, amount_minor, currency, posted_on) SELECT j.id, a, {HIM}, m, 'INR', '2026-01-02' FROM j, (VALUES ('customer_advance', 500), ('receivable', -500)) x(a, m)"
            )
        ],
        500,
    ),
    "a payment is nobody's": (
        "payment_without_customer",
        [f"UPDATE payments SET customer_id = NULL WHERE id = {A_PAYMENT}"],
        None,
    ),
    "a payment settles a later month than it says": (
        "payment_of_another_month",
        [
            f"UPDATE payments SET for_month = '2025-11' WHERE id = {A_PAYMENT}",
            "UPDATE invoices SET period_from = '2025-11-01', period_to = '2025-11-30' WHERE customer_id = (SELECT id FROM customers WHERE code = 'C-0019')",
            f"UPDATE payments SET customer_id = (SELECT id FROM customers WHERE code = 'C-0019') WHERE id = {A_PAYMENT}",
        ],
        None,
    ),
    "an order names a login": (
        "order_of_nobody",
        [f"UPDATE orders SET customer_id = (SELECT id FROM users WHERE customer_id = {HIM}) WHERE id = {AN_ORDER}"],
        None,
    ),
    "a stop is another customer's": (
        "customer_differs",
        [f"UPDATE deliveries SET customer_id = (SELECT id FROM customers WHERE code = 'C-0009') WHERE id = {A_STOP}"],
        None,
    ),
    "a product is gone": (
        "product_missing",
        [f"UPDATE order_lines SET product_id = new_id() WHERE order_id = {AN_ORDER}"],
        24000,
    ),
    "an order goes to a neighbour": (
        "address_wrong",
        [
            f"UPDATE subscriptions SET address_id = (SELECT a.id FROM addresses a JOIN customers c ON c.id = a.customer_id WHERE c.code = 'C-0009') WHERE customer_id = {HIM}"
        ],
        None,
    ),
    "an area is gone": ("area_missing", ["UPDATE customers SET area_id = new_id()"], None),
    "a driver is gone": (
        "driver_missing",
        [f"UPDATE deliveries SET driver_id = new_id() WHERE planned_on = '2026-01-16' AND customer_id = {HIM}"],
        None,
    ),
    "an order is delivered twice": (
        "order_delivered_twice",
        [
            (
                "INSERT INTO deliveries (order_id, customer_id, planned_on, shift, driver_id, attempt, state, state_at) "
                f"SELECT order_id, customer_id, planned_on, shift, driver_id, 2, state, :now FROM deliveries WHERE planned_on = '2026-01-16' AND customer_id = {HIM}"
            )
        ],
        None,
    ),
    "a price is below nothing": (
        "quantity_not_positive",
        [
            "ALTER TABLE prices DROP CONSTRAINT prices_unit_price_check",
            f"INSERT INTO prices (product_id, scope, customer_id, unit_price, currency, valid_from) SELECT id, 'customer', {HIM}, -1, 'INR', '2025-01-01' FROM products WHERE name = 'Paneer'",
        ],
        None,
    ),
    "an order was forgotten": (
        "order_overdue",
        [
            f"UPDATE {t} SET state = 'planned', state_at = '2026-01-02' WHERE {c} = '2026-01-03' AND customer_id = {HIM}"
            for t, c in (("orders", "service_on"), ("deliveries", "planned_on"))
        ],
        None,
    ),
    "a login is a member of another customer": (
        "login_not_mutual",
        [
            f"UPDATE memberships SET customer_id = (SELECT id FROM customers WHERE code = 'C-0009') WHERE customer_id = {HIM}"
        ],
        None,
    ),
    "a customer's login is a driver": (
        "login_of_wrong_role",
        [f"UPDATE memberships SET role = 'driver', customer_id = NULL WHERE customer_id = {HIM}"],
        None,
    ),
    "a phone is written in two ways": (
        "phone_shared",
        ["UPDATE customers SET phone = '098-0000 0009' WHERE code = 'C-0004'"],
        None,
    ),
    "an e-mail is two customers'": (
        "email_shared",
        [
            "UPDATE customers SET email = CASE code WHEN 'C-0004' THEN 'A@example.com' ELSE 'a@example.com' END WHERE code IN ('C-0004', 'C-0009')"
        ],
        None,
    ),
    "a password is kept weakly": (
        "password_weak",
        [f"UPDATE users SET password_hash = repeat('a', 64) WHERE customer_id = {HIM}"],
        None,
    ),
    "a given password is left as it was": (
        "password_weak",
        [
            f"UPDATE users SET password_hash = '$argon2id$v=19$x', must_change_password = true, state_at = '2025-11-01' WHERE customer_id = {HIM}"
        ],
        None,
    ),
    "two pauses overlap": (
        "pause_overlaps",
        [
            "INSERT INTO subscription_pauses (subscription_id, starts_on, ends_on, made_at) SELECT subscription_id, '2025-12-12', '2025-12-12', '2025-12-08' FROM subscription_pauses"
        ],
        None,
    ),
    "a pause runs backwards": (
        "pause_reversed",
        [
            "ALTER TABLE subscription_pauses DROP CONSTRAINT subscription_pauses_order_check",
            f"INSERT INTO subscription_pauses (subscription_id, starts_on, ends_on, made_at) SELECT {HIS_STANDING}, '2025-12-12', '2025-12-01', '2025-12-08'",
        ],
        None,
    ),
    "a pause never ends": (
        "pause_endless",
        [
            f"INSERT INTO subscription_pauses (subscription_id, starts_on, made_at) SELECT {HIS_STANDING}, '2025-09-12', :now"
        ],
        None,
    ),
    "a household that is away is planned": (
        "paused_and_planned",
        [
            f"INSERT INTO subscription_pauses (subscription_id, starts_on, ends_on, made_at) SELECT {HIS_STANDING}, '2026-01-16', '2026-01-16', '2026-01-10'"
        ],
        None,
    ),
    "a household that stopped is planned": (
        "paused_and_planned",
        [
            f"UPDATE customers SET state = 'stopped', state_from = '2026-01-16', state_at = '2026-01-10' WHERE id = {HIM}"
        ],
        None,
    ),
    "a standing order has no price": (
        "standing_order_without_price",
        [
            "INSERT INTO products (business_id, name, unit_code, pack_size) SELECT id, 'Curd', 'L', 1 FROM businesses",
            f"INSERT INTO subscriptions (customer_id, starts_on, state, created_at) VALUES ({HIM}, '2026-02-01', 'active', '2026-01-14')",
            "INSERT INTO subscription_versions (subscription_id, valid_from, product_id, quantity, pattern, shift, made_at) SELECT s.id, s.starts_on, p.id, 1, 'daily', 'morning', s.created_at FROM subscriptions s, products p WHERE s.starts_on = '2026-02-01' AND p.name = 'Curd'",
        ],
        None,
    ),
    "a standing order is for what is no longer sold": (
        "standing_order_without_product",
        ["UPDATE products SET archived_at = '2026-01-10' WHERE name = 'Toned Milk'"],
        None,
    ),
    "nobody drives a standing order": (
        "standing_order_without_driver",
        [
            "INSERT INTO areas (site_id, name) SELECT id, n FROM sites, (VALUES ('North'), ('South')) x(n)",
            "INSERT INTO area_drivers (area_id, shift, driver_id, valid_from) SELECT a.id, s, u.id, '2025-01-01' FROM areas a, users u, (VALUES ('morning'), ('evening')) x(s) WHERE a.name = 'North' AND u.name = 'Prakash'",
            "UPDATE customers c SET area_id = a.id FROM areas a WHERE a.site_id = c.site_id AND a.name = CASE c.code WHEN 'C-0004' THEN 'South' ELSE 'North' END",
        ],
        None,
    ),
    "a standing order stands in no area": (
        "standing_order_without_area",
        [
            "INSERT INTO areas (site_id, name) SELECT id, 'North' FROM sites",
            "INSERT INTO area_drivers (area_id, shift, driver_id, valid_from) SELECT a.id, s, u.id, '2025-01-01' FROM areas a, users u, (VALUES ('morning'), ('evening')) x(s) WHERE u.name = 'Prakash'",
            "UPDATE customers c SET area_id = a.id FROM areas a WHERE a.site_id = c.site_id AND c.code <> 'C-0004'",
        ],
        None,
    ),
    "a standing order is there twice": (
        "standing_order_twice",
        [
            "INSERT INTO subscriptions (customer_id, starts_on, state, created_at) SELECT id, '2026-02-01', 'active', '2026-01-14' FROM customers WHERE code = 'C-0003'",
            "INSERT INTO subscription_versions (subscription_id, valid_from, product_id, quantity, pattern, shift, made_at) SELECT n.id, n.starts_on, v.product_id, 1, v.pattern, v.shift, n.created_at FROM subscriptions n JOIN subscriptions s ON s.customer_id = n.customer_id AND s.id <> n.id JOIN subscription_versions v ON v.subscription_id = s.id WHERE n.starts_on = '2026-02-01'",
        ],
        None,
    ),
    "an ended link is used": (
        "link_used_after_end",
        [
            (
                "INSERT INTO shared_links (id, first_id, name, site_id, order_id, first_on, last_on, actions, token_hash, expires_at, made_at, made_by) "
                f"SELECT l.id, l.id, 'Ravi', s.id, {AN_ORDER}, '2026-01-01', '2026-01-01', '{{}}', 'x', '2026-01-02', '2026-01-01', 'Asha' FROM sites s, (SELECT new_id() AS id OFFSET 0) l LIMIT 1"
            ),
            "INSERT INTO link_uses (link_id, device_hash, access_hash, access_ends_at, opened_at, last_opened_at) SELECT id, 'x', 'x', '2026-01-02', '2026-01-01', '2026-01-03' FROM shared_links",
        ],
        None,
    ),
    "a request waits": (
        "request_waits_long",
        [
            (
                "INSERT INTO requests (client_id, digest, kind, site_id, customer_id, service_on, asked_by_kind, asked_by, via, made_at, is_in_time, state_at) "
                f"SELECT 'r', 'r', 'pause', site_id, id, '2026-01-20', 'user', 'Asha', 'portal', '2026-01-10', true, '2026-01-10' FROM customers WHERE id = {HIM}"
            )
        ],
        None,
    ),
    "a clock was ahead": (
        "confirmed_in_future",
        [f"UPDATE delivery_events SET device_at = received_at + interval '1 hour' WHERE delivery_id = {A_STOP}"],
        None,
    ),
    "an old order names a login": (
        "legacy_order_namespace",
        [
            LEGACY.format("'users'", "'u1'", "'{}'", "NULL", "'{}'"),
            LEGACY.format("'orders'", "'o1'", """'{"customer": "u1"}'""", "NULL", "'{}'"),
        ],
        None,
    ),
    "two old lists disagree": (
        "legacy_deliveries_conflict",
        [
            (
                "INSERT INTO legacy_deliveries (source, collection, key, customer_id, service_on, status, line, is_early, speaks_morning, speaks_evening) "
                f"SELECT 'earlybird', c, c, {HIM}, '2025-11-30', s, 1, false, false, false FROM (VALUES ('delivery_statuses', 'delivered'), ('delivery_status', 'not_delivered')) x(c, s)"
            )
        ],
        None,
    ),
    "an old delivery was told early": (
        "legacy_told_early",
        [
            (
                "INSERT INTO legacy_deliveries (source, collection, key, customer_id, service_on, status, line, is_early, speaks_morning, speaks_evening) "
                f"SELECT 'earlybird', 'delivery_statuses', 'd1', {HIM}, '2025-11-30', 'delivered', 1, true, false, false"
            )
        ],
        None,
    ),
    "an old order was marked as billed": (
        "legacy_marked_billed",
        [
            (
                "INSERT INTO legacy_documents (id, source, collection, ident, key, line, digest, verdict, facts, run_id) "
                f"SELECT {AN_ORDER}, 'earlybird', 'orders', 'o1', 'o1', 1, '', 'imported', "
                """'{"customer": "c1", "billed_mark": true, "status": "delivered", "legacy": {"value_minor": 5000}}', new_id()"""
            ),
            LEGACY.format("'customers_v2'", "'c1'", "'{}'", "NULL", "'{}'"),
        ],
        5000,
    ),
    "an old pause is malformed": (
        "legacy_pause_malformed",
        [
            LEGACY.format(
                "'subscriptions_v2'",
                "'s1'",
                "'{}'",
                """'[{"field": "pauses", "rule": "pause.reversed", "value": {}}]'""",
                "'{}'",
            )
        ],
        None,
    ),
    "an old date is none": (
        "legacy_date_unreadable",
        [
            LEGACY.format(
                "'subscriptions_v2'",
                "'s1'",
                "'{}'",
                """'[{"field": "start_date", "rule": "date", "value": "31/02/2025"}]'""",
                "'{}'",
            )
        ],
        None,
    ),
    "an old state is unknown": (
        "legacy_status_unknown",
        [
            LEGACY.format(
                "'subscriptions_v2'",
                "'s1'",
                "'{}'",
                """'[{"field": "status", "rule": "status", "value": "zombie"}]'""",
                "'{}'",
            )
        ],
        None,
    ),
    "an old document is spelled in another way": (
        "legacy_camel_case",
        [LEGACY.format("'subscriptions_v2'", "'s1'", "'{}'", "NULL", """'{"customerId": "c1"}'""")],
        None,
    ),
    "a round follows a standing one that is not there": (
        "reference_dangles",
        [
            "INSERT INTO rounds (site_id, service_on, shift, name, standing_round_id) SELECT id, '2026-01-18', 'morning', 'Round', new_id() FROM sites"
        ],
        None,
    ),
    "a price is a million": (
        "field_out_of_bounds",
        [
            f"INSERT INTO prices (product_id, scope, customer_id, unit_price, currency, valid_from) SELECT id, 'customer', {HIM}, 1000000, 'INR', '2025-01-01' FROM products WHERE name = 'Paneer'",
        ],
        None,
    ),
    "an old list was too long": (
        "legacy_collection_capped",
        [LEGACY.format("'subscriptions_v2'", "'s' || n", "'{}'", "NULL", "'{}'") + " FROM generate_series(1, 1001) n"],
        None,
    ),
}


ALSO = {
    "a document's line has no charge": {"charge_not_billed"},
    "an order names a login": {"customer_differs"},
    "a phone is written in two ways": {"field_out_of_bounds"},
    "a price is below nothing": {"field_out_of_bounds"},
}
"""What else a violation cannot help breaking."""

MANY = {"customer_differs", "line_not_its_charge", "area_missing", "standing_order_without_product", "billed_twice"}
"""Questions whose violation is found in more than one place."""


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_violation_is_found_by_its_question_alone(books: Session, ctx: Ctx, planted: str) -> None:
    name, statements, money = PLANTED[planted]
    for statement in statements:
        run(books, statement.replace(":now", f"'{NOW}'"))
    is_alone = not os.environ.get("EARLYBIRD_SOAK") and BY_NAME[name].number > MONEY
    answer = found(books, ctx, only=name if is_alone else None)
    assert set(answer) == ({name} if is_alone else {name} | ALSO.get(planted, set())), {
        k: [f["title"] for f in v] for k, v in answer.items()
    }
    rest = {row["money_minor"] for row in answer[name]}
    if money is not None:
        assert rest == {money}
    if name not in MANY:
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


def test_an_accepted_finding_stays_accepted_until_its_facts_change(books: Session, ctx: Ctx) -> None:
    at = ctx.at(NOW)
    plus = f"UPDATE charges SET amount_minor = amount_minor + 700 WHERE event_line_id = {ONE_LINE}"
    run(books, plus)
    ask = lambda: service.keep(books, at, service.ask(books, at, only=["wrong_amount"]))  # noqa: E731
    state = "SELECT state, accepted_reason FROM findings WHERE check_name = 'wrong_amount'"
    ask()
    service.accept(books, at, value(books, "SELECT id FROM findings"), reason="agreed on the phone")
    ask()
    assert rows(books, state) == [{"state": "accepted", "accepted_reason": "agreed on the phone"}]
    run(books, plus)
    ask()
    assert rows(books, state) == [{"state": "open", "accepted_reason": None}]
    assert value(books, "SELECT before->>'state' FROM audit_entries WHERE action = 'finding.reopen'") == "accepted"
