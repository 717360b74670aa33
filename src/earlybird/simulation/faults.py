"""Promises broken on purpose, behind the product's back: each must be found the same evening."""

from __future__ import annotations

from earlybird.infra.db import Session, run

FAULTS: dict[str, tuple[str, str]] = {
    "charge_lost": (
        "charged_once",
        "DELETE FROM charges WHERE id = (SELECT c.id FROM charges c WHERE NOT EXISTS "
        "(SELECT FROM invoice_lines l WHERE l.charge_id = c.id) ORDER BY c.id LIMIT 1)",
    ),
    "charged_wrong": ("charged_once", "UPDATE charges SET amount_minor = amount_minor + 1 WHERE id = (SELECT min(id::text)::uuid FROM charges)"),
    "charged_twice": (
        "charged_once",
        "INSERT INTO charges (event_line_id, customer_id, service_on, quantity, amount_minor, currency, charged_at) "
        "SELECT new_id(), customer_id, service_on, quantity, amount_minor, currency, charged_at FROM charges LIMIT 1",
    ),
    "order_skipped": (
        "planned_as_due",
        "UPDATE order_lines SET cancelled_at = planned_at, cancelled_by = 'plan' "
        "WHERE id = (SELECT min(id::text)::uuid FROM order_lines WHERE cancelled_at IS NULL AND source = 'one_time')",
    ),
    "due_skipped": (
        "planned_as_due",
        "UPDATE order_lines SET cancelled_at = planned_at, cancelled_by = 'plan' "
        "WHERE id = (SELECT max(id::text)::uuid FROM order_lines WHERE cancelled_at IS NULL AND source = 'subscription')",
    ),
    "quantity_forged": (
        "delivered_as_told",
        "UPDATE delivery_lines SET delivered_quantity = delivered_quantity + 0.5 "
        "WHERE id = (SELECT min(delivery_line_id::text)::uuid FROM delivery_event_lines)",
    ),
    "state_forged": (
        "delivered_as_told",
        "UPDATE deliveries SET state = 'not_delivered' "
        "WHERE id = (SELECT min(id::text)::uuid FROM deliveries WHERE state = 'delivered')",
    ),
    "word_lost": (
        "told_once",
        "DELETE FROM delivery_events WHERE id = (SELECT min(e.id::text)::uuid FROM delivery_events e)",
    ),
    "posting_lost": ("ledger_balances", "DELETE FROM postings WHERE id = (SELECT min(id::text)::uuid FROM postings)"),
    "bill_forged": (
        "billed_as_delivered",
        "UPDATE invoices SET total_minor = total_minor + 100 WHERE id = (SELECT min(id::text)::uuid FROM invoices)",
    ),
}
"""Each fault by its name: the invariant that must find it, and the statement that plants it."""


def plant(session: Session, fault: str) -> int:
    """Break a promise with every trigger and foreign key of the database asleep; return how many rows it changed."""
    run(session, "SET LOCAL session_replication_role = replica")
    return run(session, FAULTS[fault][1])
