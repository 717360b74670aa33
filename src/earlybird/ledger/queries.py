"""Balances: what an account or a customer stood at, today or on any past date."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.infra.db import rows
from earlybird.ledger.states import Account


def balances(session: Session, business_id: UUID, *, as_of: date | None = None) -> dict[tuple[Account, str], int]:
    """Return the balance of each account and currency, in minor units; debits are positive.

    `as_of` counts what is posted on that business date or before.
    """
    found = rows(
        session,
        """
        SELECT p.account, p.currency, sum(p.amount_minor)::bigint AS minor
        FROM postings p JOIN journals j ON j.id = p.journal_id
        WHERE j.business_id = :business_id AND p.posted_on <= :as_of GROUP BY p.account, p.currency
        """,
        {"business_id": business_id, "as_of": as_of or date.max},
    )
    return {(Account(row["account"]), row["currency"]): row["minor"] for row in found}


def driver_cash(session: Session, driver_id: UUID) -> dict[tuple[UUID, str], int]:
    """Return what a driver holds of each business and currency, in minor units; negative is too much handed in."""
    found = rows(
        session,
        "SELECT j.business_id, p.currency, sum(p.amount_minor)::bigint AS minor FROM postings p "
        "JOIN journals j ON j.id = p.journal_id WHERE p.user_id = :driver_id AND p.account = 'driver_cash' "
        "GROUP BY j.business_id, p.currency ORDER BY j.business_id, p.currency",
        {"driver_id": driver_id},
    )
    return {(row["business_id"], row["currency"]): row["minor"] for row in found}


def customer_balances(
    session: Session, customers: Sequence[UUID], account: Account, *, as_of: date | None = None
) -> dict[UUID, int]:
    """Return what each customer stands at on one account, in minor units of the customer's currency.

    Receivable: positive is owed to the business. Customer advance: negative is the customer's wallet.
    Customers without a posting are left out.
    """
    found = rows(
        session,
        "SELECT customer_id, sum(amount_minor)::bigint AS minor FROM postings "
        "WHERE customer_id = ANY(:customers) AND account = :account AND posted_on <= :as_of GROUP BY customer_id",
        {"customers": list(customers), "account": str(account), "as_of": as_of or date.max},
    )
    return {row["customer_id"]: row["minor"] for row in found}
