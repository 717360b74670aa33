"""Journals and their postings: append-only, each journal sums to zero, held by triggers."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped

from earlybird.infra.db import Instant, Key, Minor, Table, one_of, ref
from earlybird.ledger.states import Account


class Journal(Table):
    """One event of money: an invoice issued, a payment received, a reversal."""

    __tablename__ = "journals"

    id: Mapped[Key]
    business_id: Mapped[UUID] = ref("businesses.id")
    kind: Mapped[str]
    posted_on: Mapped[date]
    made_at: Mapped[Instant]
    memo: Mapped[str | None]
    reverses_id: Mapped[UUID | None] = ref("journals.id")


class Posting(Table):
    """A signed amount on an account. All postings of a journal are inserted by one statement."""

    __tablename__ = "postings"
    __table_args__ = (
        one_of("account", Account),
        Index(None, "customer_id", "account"),
    )

    id: Mapped[Key]
    journal_id: Mapped[UUID] = ref("journals.id")
    account: Mapped[str]
    customer_id: Mapped[UUID | None] = ref("customers.id", index=False)
    user_id: Mapped[UUID | None] = ref("users.id")
    amount_minor: Mapped[Minor]
    currency: Mapped[str]
    posted_on: Mapped[date]
