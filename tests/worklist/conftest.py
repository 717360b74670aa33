"""A taken-over month in which something of every kind waits for a person; each test rolls back what it does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from conftest import scratch
from earlybird.infra import db
from earlybird.infra.embedded import Embedded
from make.month import month

HIM = "(SELECT id FROM customers WHERE code = 'C-0004')"
OTHER = "(SELECT id FROM customers WHERE code = 'C-0005')"

WAITING = (
    f"""
    INSERT INTO legacy_deliveries (source, collection, key, customer_id, service_on, status, line, is_early,
                                   speaks_morning, speaks_evening, verdict, candidates)
    SELECT 'earlybird', 'delivery_statuses', 'd1', {HIM}, CAST('2025-12-21' AS date), 'delivered', 1, false, false, false,
           'ambiguous', (SELECT jsonb_agg(o.id ORDER BY o.service_on) FROM orders o WHERE o.customer_id = {HIM}
                           AND o.service_on IN ('2025-12-21', '2025-12-22'))
    UNION ALL
    SELECT 'earlybird', 'delivery_statuses', 'd2', {HIM}, '2025-12-22', 'delivered', 2, false, false, false,
           'contradictory', (SELECT jsonb_agg(o.id) FROM orders o WHERE o.customer_id = {OTHER}
                               AND o.service_on = '2025-12-22')
    """,
    "INSERT INTO users (name, email, state) VALUES ('Two Houses', 'two@example.com', 'uninvited')",
    f"""
    INSERT INTO legacy_accounts (source, account, user_id, verdict, candidates)
    SELECT 'earlybird', 'u1', id, 'contradictory', jsonb_build_array({HIM}, {OTHER}) FROM users WHERE name = 'Two Houses'
    """,
    "INSERT INTO import_runs (source, folder, digest, phase, started_at) VALUES ('table', 'payments.csv', 'x', 'done', now())",
    """
    INSERT INTO legacy_documents (source, collection, ident, line, digest, verdict, reason, body, run_id)
    SELECT 'earlybird', 'payment_transactions', 'p1', 7, '', 'quarantined', 'amount: not a readable sum of money',
           '{"amount": "ten"}', id FROM import_runs
    """,
    """
    INSERT INTO import_rejections (run_id, line, verdict, field, rule, cells, rejected_at)
    SELECT id, 3, 'refused', 'amount', 'money', '["ten"]', now() FROM import_runs
    """,
    """
    INSERT INTO delivery_rejections (client_id, body, rule, digest, received_at)
    VALUES ('tap-x', '{"client_id": "tap-x"}', 'order', 'x', now())
    """,
    """
    INSERT INTO adjustments (business_id, customer_id, kind, amount_minor, currency, effective_on, reason, state_at)
    SELECT business_id, id, 'recovery', 5000, 'INR', '2025-12-31', 'never asked for', '2026-01-01 06:07:08.123456+00'
    FROM customers WHERE code = 'C-0004'
    """,
)


@pytest.fixture(scope="module")
def taken_over(server: Embedded) -> Iterator[Engine]:
    """A database of its own with the month and what waits committed."""
    with scratch(server) as url:
        engine = db.connect(url)
        with db.transaction(engine) as session:
            month(session, 6)
            for statement in WAITING:
                db.run(session, statement)
        yield engine
        engine.dispose()


@pytest.fixture
def office(taken_over: Engine) -> Iterator[Session]:
    """The database, as found before each test."""
    with taken_over.connect() as connection:
        outer = connection.begin()
        with Session(connection, join_transaction_mode="create_savepoint") as session:
            yield session
        outer.rollback()
