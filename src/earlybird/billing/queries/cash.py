"""What drivers hold of the money taken at doors, and what was counted of it at the depot."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.billing.errors import NoSuchDriver
from earlybird.billing.queries.scope import cut
from earlybird.identity.rules import Scope
from earlybird.infra.db import rows
from earlybird.kernel.ctx import Ctx
from earlybird.ledger import queries as ledger

FIRMS = """
SELECT b.id, b.currency FROM businesses b WHERE b.id IN (
    SELECT s.business_id FROM memberships m JOIN sites s ON m.site_id IS NULL OR s.id = m.site_id
    WHERE m.user_id = :driver_id AND m.role = 'driver'
    UNION SELECT j.business_id FROM postings p JOIN journals j ON j.id = p.journal_id
    WHERE p.user_id = :driver_id AND p.account = 'driver_cash')
ORDER BY b.id"""

ENTRIES = """
SELECT p.id, p.posted_on, j.made_at, j.kind, p.amount_minor, p.currency, j.memo, y.customer_id,
       c.name AS customer_name, y.delivery_id, t.id AS settlement_id
FROM postings p JOIN journals j ON j.id = p.journal_id
LEFT JOIN payments y ON y.journal_id = coalesce(j.reverses_id, j.id)
LEFT JOIN customers c ON c.id = y.customer_id
LEFT JOIN cash_settlements t ON t.journal_id = j.id
WHERE p.user_id = :driver_id AND p.account = 'driver_cash' AND (CAST(:after AS uuid) IS NULL OR p.id < :after)
ORDER BY p.id DESC LIMIT :limit"""


def firms_of_driver(session: Session, driver_id: UUID) -> list[dict[str, Any]]:
    """Return id and currency of the businesses somebody drives or drove for, or holds cash of."""
    return rows(session, FIRMS, {"driver_id": driver_id})


def driver_cash(session: Session, ctx: Ctx, driver_id: UUID, *, after: UUID | None, limit: int) -> dict[str, Any]:
    """Return what a driver holds and how it came about, newest first; drivers see their own bag alone."""
    mine = Scope.all in ctx.actor.scopes or ctx.actor.id == driver_id
    firms = firms_of_driver(session, driver_id) if mine else []
    if not firms:
        raise NoSuchDriver(field="driver_id", driver_id=driver_id)
    held = ledger.driver_cash(session, driver_id)
    found = cut(rows(session, ENTRIES, {"driver_id": driver_id, "after": after, "limit": limit + 1}), limit)
    return {
        "driver_id": driver_id,
        "balances": [
            {
                "business_id": firm["id"],
                "currency": firm["currency"],
                "held_minor": held.get((firm["id"], firm["currency"]), 0),
            }
            for firm in firms
        ],
        "entries": {"items": found.items, "next": found.next},
    }


def show_settlement(session: Session, settlement_id: UUID) -> dict[str, Any]:
    """Return a settlement with what is still owed after it."""
    return rows(
        session,
        "SELECT id, business_id, driver_id, counted_minor, expected_minor, "
        "expected_minor - counted_minor AS owed_minor, currency, note, settled_at, settled_by "
        "FROM cash_settlements WHERE id = :id",
        {"id": settlement_id},
    )[0]
