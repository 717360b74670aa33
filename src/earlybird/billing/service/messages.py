"""Tell customers of their bills and payments, each once, and remind them of what is overdue, a few times."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.billing.queries import open_documents, told
from earlybird.customers.service import telling
from earlybird.customers.service.telling import CHUNK, Tiding
from earlybird.infra.db import Engine, rehearsal, transaction
from earlybird.infra.security import Keys
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.money import Money
from earlybird.notifications.service import pull
from earlybird.notifications.states import FactKind, MessageKind
from earlybird.territory import queries as territory

FOUND = {
    FactKind.invoice: (MessageKind.bill_issued, told.bills),
    FactKind.payment: (MessageKind.payment_received, told.payments),
}
FACTS = ("number", "first", "last", "due", "date", "amount")


def tell(engine: Engine, ctx: Ctx, keys: Keys, channels: Collection[str]) -> int:
    """Tell of every bill and payment since the last time, one transaction per chunk; return how many messages."""
    told_count = 0
    for fact, (kind, found) in FOUND.items():
        taken = CHUNK
        while taken == CHUNK:
            with transaction(engine) as session:
                ids = [row["subject_id"] for row in pull(session, fact, limit=CHUNK)]
                taken = len(ids)
                tidings = [_tiding(kind, row) for row in found(session, ids)]
                told_count += telling.tell(session, ctx, keys, channels, tidings)
    return told_count


def remind(engine: Engine, ctx: Ctx, keys: Keys, channels: Collection[str]) -> int:
    """Remind customers of bills some days overdue, again after some days, a few times; return how many messages.

    One message per customer and time: what is open in all of the bills that are overdue, since the oldest of them.
    """
    with rehearsal(engine) as session:
        rule = territory.policy_values(session, "remind_after_days", "remind_every_days", "remind_times")
        customers = told.overdue(session, ctx.now.date() - timedelta(days=rule["remind_after_days"]))
    count = 0
    for start in range(0, len(customers), CHUNK):
        with transaction(engine) as session:
            found = list(_reminders(session, ctx, customers[start : start + CHUNK], rule))
            count += telling.tell(session, ctx, keys, channels, found)
    return count


def _tiding(kind: MessageKind, row: Mapping[str, Any]) -> Tiding:
    facts = {name: str(row[name]) for name in FACTS if name in row}
    return Tiding(kind, row["customer_id"], row["id"], "1", row["happened_at"], facts)


def _reminders(session: Session, ctx: Ctx, customers: list[UUID], rule: Mapping[str, int]) -> Iterable[Tiding]:
    due_by = ctx.now.date() - timedelta(days=rule["remind_after_days"])
    overdue: dict[tuple[UUID, str], list[dict[str, Any]]] = {}
    for row in open_documents(session, customers):
        if row["due_on"] is not None and row["due_on"] <= due_by:
            overdue.setdefault((row["customer_id"], row["currency"]), []).append(row)
    reminded = told.reminders(session, [found[0]["id"] for found in overdue.values()])
    for (customer_id, currency), found in overdue.items():
        oldest = found[0]
        before = reminded.get(oldest["id"], {"count": 0, "last_at": None})
        is_early = before["last_at"] and ctx.now < before["last_at"] + timedelta(days=rule["remind_every_days"])
        if is_early or before["count"] >= rule["remind_times"]:
            continue
        amount = Money(sum(row["open_minor"] for row in found), currency)
        facts = {"amount": str(amount), "due": str(min(row["due_on"] for row in found))}
        revision = str(before["count"] + 1)
        yield Tiding(MessageKind.payment_reminder, customer_id, oldest["id"], revision, ctx.now, facts)
