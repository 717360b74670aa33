"""What customers are told of bills and payments, and who is to be reminded."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.infra.db import rows
from earlybird.kernel.money import Money

LOOK_BACK_DAYS = 180
"""How long after its due date a bill is still looked at for reminders."""


def bills(session: Session, ids: Sequence[UUID]) -> list[dict[str, Any]]:
    """Return what is told of bills that ask for something."""
    found = rows(
        session,
        """
        SELECT id, customer_id, issued_at AS happened_at, series || '/' || number AS number, period_from AS first,
               period_to AS last, due_on AS due, total_minor AS minor, currency
        FROM invoices WHERE id = ANY(:ids) AND kind = 'invoice' AND state = 'issued' AND total_minor > 0
        """,
        {"ids": list(ids)},
    )
    return [row | {"amount": Money(row.pop("minor"), row.pop("currency"))} for row in found]


def payments(session: Session, ids: Sequence[UUID]) -> list[dict[str, Any]]:
    """Return what is told of payments that stand and are a customer's."""
    found = rows(
        session,
        """
        SELECT id, customer_id, made_at AS happened_at, received_on AS date, amount_minor AS minor, currency
        FROM payments WHERE id = ANY(:ids) AND state = 'recorded' AND customer_id IS NOT NULL
        """,
        {"ids": list(ids)},
    )
    return [row | {"amount": Money(row.pop("minor"), row.pop("currency"))} for row in found]


def overdue(session: Session, due_by: date) -> list[UUID]:
    """Return the customers with a bill that was due by a day and is not paid by what was allocated to it."""
    found = rows(
        session,
        """
        SELECT DISTINCT i.customer_id FROM invoices i
        WHERE i.kind = 'invoice' AND i.state = 'issued' AND i.total_minor > 0
          AND i.due_on BETWEEN CAST(:due_by AS date) - CAST(:back AS integer) AND CAST(:due_by AS date)
          AND i.total_minor > coalesce((SELECT sum(a.amount_minor) FROM payment_allocations a
                                        WHERE a.invoice_id = i.id), 0)
        ORDER BY i.customer_id
        """,
        {"due_by": due_by, "back": LOOK_BACK_DAYS},
    )
    return [row["customer_id"] for row in found]


def reminders(session: Session, invoices: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
    """Return how often (`count`) and when last (`last_at`) each bill was reminded of."""
    found = rows(
        session,
        "SELECT subject_id, count(*) AS count, max(queued_at) AS last_at FROM messages "
        "WHERE subject_id = ANY(:ids) AND kind = 'payment_reminder' GROUP BY subject_id",
        {"ids": list(invoices)},
    )
    return {row["subject_id"]: row for row in found}
