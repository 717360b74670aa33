"""Confirming a delivery moves the order: orders stand where their stops say; those nobody spoke of stay placed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.infra.db import rows
from earlybird.kernel.ctx import Ctx
from earlybird.migrations import residue
from earlybird.migrations.cutting import units
from earlybird.migrations.protocol import Batch
from earlybird.orders.states import MACHINE

NUMBER = 22
NAME = "order_state"
TITLE = "Confirming a delivery moves the order"
REASON = "An order that was delivered and still stands as placed is delivered again, or never billed."
TOUCHES = ("orders",)
WARNING = "Reverting puts back only the states this step moved."

VERBS = {"delivered": "deliver", "partially_delivered": "deliver_partly", "not_delivered": "fail"}

# The latest attempt that was told decides; parts of earlier attempts count.
BEHIND = """
SELECT o.id, w.wanted FROM orders o
JOIN (
    SELECT d.order_id AS id,
           CASE WHEN bool_or(d.state = 'delivered') THEN 'delivered'
                WHEN bool_or(d.state = 'partially_delivered') THEN 'partially_delivered'
                ELSE 'not_delivered' END AS wanted
    FROM deliveries d
    WHERE d.state IN ('delivered', 'partially_delivered', 'not_delivered') AND d.customer_id = ANY(:customers)
    GROUP BY d.order_id
) w ON w.id = o.id
WHERE o.state <> w.wanted AND o.state <> 'cancelled'
ORDER BY o.id
"""


CUSTOMERS = """
SELECT p.customer_id, count(d.id) AS weight
FROM legacy_parties p LEFT JOIN deliveries d ON d.customer_id = p.customer_id
GROUP BY p.customer_id ORDER BY p.customer_id
"""


def phases(session: Session) -> list[list[list[UUID]]]:
    """Return the customers that legacy rows speak of, in groups."""
    return [units((row["customer_id"], row["weight"]) for row in rows(session, CUSTOMERS))]


def join(chunks: Sequence[list[UUID]]) -> list[UUID]:
    """Return the customers of several groups."""
    return [customer for chunk in chunks for customer in chunk]


def apply(session: Session, ctx: Ctx, batch: Batch, chunk: list[UUID]) -> None:
    """Move these customers' orders that stand behind their stops along their machine."""
    behind = rows(session, BEHIND, {"customers": chunk})
    if not behind:
        return
    residue.states(session, batch, "orders", [row["id"] for row in behind])
    for wanted, verb in VERBS.items():
        ids = [row["id"] for row in behind if row["wanted"] == wanted]
        audit.move_many(session, ctx, "orders", MACHINE, verb, ids, reason=TITLE)


VERIFY = """
SELECT d.order_id AS id, 'the order does not stand where its stop does' AS what
FROM deliveries d JOIN orders o ON o.id = d.order_id
WHERE d.attempt = (SELECT max(attempt) FROM deliveries x WHERE x.order_id = d.order_id)
  AND d.state IN ('delivered', 'partially_delivered', 'not_delivered') AND o.state <> d.state
  AND d.attempt = 1
"""


def verify(session: Session) -> list[dict[str, Any]]:
    """List orders with a single stop whose state is not the stop's."""
    return rows(session, VERIFY + " LIMIT 1000")
