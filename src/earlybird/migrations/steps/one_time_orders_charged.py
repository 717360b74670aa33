"""What was delivered is billed, one-time orders and standing orders alike: once, all of it, nothing else.

The policy row `charge_one_time_orders` is switched on, every delivered line without a charge gets one, and
the charges of the time before the day of change stand against `legacy` documents (see the importer).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from earlybird.billing.service import allocation, charges
from earlybird.importers.earlybird import masters, settle
from earlybird.infra.db import rows, value
from earlybird.kernel.ctx import Ctx
from earlybird.migrations.residue import Batch
from earlybird.territory import service as territory

NUMBER = 23
NAME = "one_time_orders_charged"
TITLE = "What was delivered is billed: once, all of it, nothing else"
TOUCHES = ("policies", "charges", "invoices", "invoice_lines", "adjustments", "payment_allocations")
WARNING = "Reverting leaves one-time deliveries out of future charging; issued documents stand."


CHUNK = 20_000


def phases(session: Session) -> list[list[int]]:
    """Switch the policy and sweep, charge in batches, then settle: a batch is how many lines to charge, or a mark."""
    waiting = value(session, "SELECT count(*) FROM delivery_event_lines") - value(
        session, "SELECT count(*) FROM charges"
    )
    return [[SWITCH], [CHUNK] * (1 + waiting // CHUNK), [SETTLE]]


SWITCH, SETTLE = -1, 0


def apply(session: Session, ctx: Ctx, batch: Batch, chunk: int) -> dict[str, int]:
    """Charge every delivered line once and settle the time before the day of change."""
    del batch
    if chunk == SWITCH:
        was_off = value(session, "SELECT value = 'false' FROM policies WHERE name = :name", {"name": charges.POLICY})
        territory.set_policy(session, ctx, charges.POLICY, value=True)
        return {"swept": charges.sweep(session)} if was_off else {}
    if chunk == SETTLE:
        return _settle(session, ctx)
    return {"charges": charges.charge_delivered(session, ctx, limit=chunk)}


def _settle(session: Session, ctx: Ctx) -> dict[str, int]:
    made: dict[str, int] = {}
    charges.charge_delivered(session, ctx)  # in a dry run the charges of the batches before were rolled back
    if value(session, "SELECT EXISTS (SELECT FROM legacy_parties)"):
        home = masters.home(session)
        made |= settle.settle(session, ctx, home)
        payers = [row["customer_id"] for row in rows(session, "SELECT customer_id FROM legacy_parties ORDER BY 1")]
        allocation.allocate_open(session, ctx, payers)
    return made


VERIFY = """
SELECT e.id, 'the delivered line is not charged' AS what FROM delivery_event_lines e
WHERE NOT EXISTS (SELECT FROM charges c WHERE c.event_line_id = e.id)
UNION ALL
SELECT l.id, 'the charges are not the price of what was delivered'
FROM delivery_lines dl
JOIN order_lines l ON l.id = dl.order_line_id
JOIN delivery_event_lines e ON e.delivery_line_id = dl.id
JOIN charges c ON c.event_line_id = e.id
GROUP BY l.id, l.unit_price, dl.id, dl.delivered_quantity
HAVING sum(c.amount_minor) <> round(dl.delivered_quantity * l.unit_price * 100)
"""


def verify(session: Session) -> list[dict[str, Any]]:
    """List delivered lines without a charge, and charges that are not the price of what was delivered."""
    return rows(session, VERIFY + " LIMIT 1000")
