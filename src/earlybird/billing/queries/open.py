"""What is paid and what is open: derived from documents and allocations, never stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.infra.db import rows
from earlybird.ledger import queries as ledger
from earlybird.ledger.states import Account

OPEN = """
    stands AS (
        SELECT i.id, i.customer_id, i.currency, i.kind, i.series, i.number, i.issued_on, i.due_on, i.total_minor,
               i.total_minor - coalesce(paid.minor, 0) AS rest,
               CASE i.kind WHEN 'opening' THEN 0 WHEN 'legacy' THEN 1 ELSE 2 END AS age
        FROM invoices i
        LEFT JOIN LATERAL (SELECT sum(a.amount_minor) AS minor FROM payment_allocations a
                           WHERE a.invoice_id = i.id) AS paid ON true
        LEFT JOIN invoices corrected ON corrected.id = i.corrects_id
        WHERE i.customer_id = ANY(:customers) AND i.state = 'issued'
          AND NOT (i.kind = 'credit_note' AND coalesce(corrected.state = 'void', false)
                   AND i.total_minor = -corrected.total_minor)
    ), credit AS (
        SELECT customer_id, currency, -sum(rest) AS minor FROM stands WHERE rest < 0 GROUP BY customer_id, currency
    ), queue AS (
        SELECT s.*, coalesce(c.minor, 0) AS credit,
               sum(s.rest) OVER (PARTITION BY s.customer_id, s.currency
                   ORDER BY s.age, s.issued_on, s.series, s.number, s.id) AS upto
        FROM stands s LEFT JOIN credit c USING (customer_id, currency) WHERE s.rest > 0
    ), open AS (
        SELECT *, greatest(upto - rest - credit, 0) AS lo, greatest(upto - credit, 0) AS hi FROM queue
    )
"""
"""Named queries for a WITH: the documents of `:customers`, oldest first (opening, legacy, then by date and
number). Credit notes settle the oldest documents before any payment does: what stays open of one is hi - lo.
A void document and the note that credits it in full are left out: they speak of nothing owed."""


def open_documents(session: Session, customers: Sequence[UUID]) -> list[dict[str, Any]]:
    """Return what each document still asks (`open_minor` > 0), oldest first per customer."""
    return rows(
        session,
        f"WITH {OPEN} SELECT id, customer_id, kind, series, number, issued_on, due_on, currency, total_minor, "
        "(hi - lo)::bigint AS open_minor FROM open WHERE hi > lo "
        "ORDER BY customer_id, age, issued_on, series, number, id",
        {"customers": list(customers)},
    )


def statement(session: Session, customer_id: UUID) -> dict[str, int]:
    """Return what a customer owes, has paid in advance, and must pay: minor units, as the books say."""
    owed = ledger.customer_balances(session, [customer_id], Account.receivable).get(customer_id, 0)
    advance = -ledger.customer_balances(session, [customer_id], Account.customer_advance).get(customer_id, 0)
    return {"receivable_minor": owed, "advance_minor": advance, "to_pay_minor": owed - advance}
