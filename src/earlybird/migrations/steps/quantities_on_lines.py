"""Quantities are real: no line was delivered beyond what was ordered, and from now on none can be.

Where the old system told more delivered than ordered, the order line is raised to what was delivered;
its first quantity stays in `base_quantity`. The policy row `check_quantities` is switched on.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from earlybird.infra.db import rows, run
from earlybird.kernel.ctx import Ctx
from earlybird.migrations import residue
from earlybird.migrations.protocol import Batch, Kind

NUMBER = 26
NAME = "quantities_on_lines"
TITLE = "Quantities are real, line by line"
REASON = "More delivered than ordered is either a slip of the finger or something nobody asked for; both are billed."
KIND = Kind.enforces
TOUCHES = ("order_lines", "policies")
WARNING = "Reverting lets confirmations exceed what was ordered again."
SWITCHES = {"check_quantities": False}

BEYOND = """
CREATE TEMP TABLE beyond ON COMMIT DROP AS
SELECT l.id, sum(d.delivered_quantity) AS delivered, l.quantity
FROM delivery_lines d JOIN order_lines l ON l.id = d.order_line_id
GROUP BY l.id, l.quantity HAVING sum(d.delivered_quantity) > l.quantity
"""

RAISE = """
UPDATE order_lines l SET quantity = b.delivered, amount_minor = round(b.delivered * l.unit_price * 100)::bigint
FROM beyond b WHERE b.id = l.id
"""


def phases(session: Session) -> list[list[None]]:
    """Return the one batch: few lines break the rule."""
    del session
    return [[None]]


def apply(session: Session, ctx: Ctx, batch: Batch, chunk: None) -> None:
    """Raise the lines that were delivered beyond their order, and hold new confirmations to the rule."""
    del chunk
    run(session, BEYOND)
    residue.updated(
        session,
        batch,
        "order_lines",
        "(SELECT l.id, jsonb_build_object('quantity', l.quantity, 'amount_minor', l.amount_minor) AS before "
        "FROM order_lines l JOIN beyond b ON b.id = l.id) l",
    )
    residue.policy(session, ctx, batch, "check_quantities", value=True)
    run(session, RAISE)


VERIFY = """
SELECT l.id, 'more was delivered than ordered' AS what FROM order_lines l
WHERE l.quantity < (SELECT coalesce(sum(d.delivered_quantity), 0) FROM delivery_lines d WHERE d.order_line_id = l.id)
"""


def verify(session: Session) -> list[dict[str, Any]]:
    """List order lines with more delivered than ordered."""
    return rows(session, VERIFY + " LIMIT 1000")
