"""What was delivered is billed, one-time orders and standing orders alike: once, all of it, nothing else.

The policy row `charge_one_time_orders` is switched on, every delivered line without a charge gets one, and
the charges of the time before the day of change stand against `legacy` documents (see the importer).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.billing.service import allocation, charges
from earlybird.importers.earlybird import masters, settle
from earlybird.infra.db import rows, run, value
from earlybird.kernel.ctx import Ctx
from earlybird.migrations import residue
from earlybird.migrations.cutting import UNIT, OneByOne, units
from earlybird.migrations.protocol import Batch, Stake

NUMBER = 23
NAME = "one_time_orders_charged"
TITLE = "What was delivered is billed: once, all of it, nothing else"
REASON = "The old bill forgot one-time orders and asked for what was never brought."
TOUCHES = (
    "policies",
    "uncharged_lines",
    "charges",
    "unbilled_charges",
    "invoices",
    "invoice_lines",
    "invoice_series",
    "adjustments",
    "journals",
    "postings",
    "payment_allocations",
    "legacy_bills",
)
WARNING = "Reverting leaves one-time deliveries out of future charging; documents that people were sent stand."
SWITCHES = {charges.POLICY: False}
PASSING = ("uncharged_lines",)

SWITCH, CHARGE, SETTLE = "switch", "charge", "settle"

EDGES = """
SELECT id FROM (SELECT id, row_number() OVER (ORDER BY id) AS place FROM delivery_event_lines l
                WHERE NOT EXISTS (SELECT FROM charges c WHERE c.event_line_id = l.id)) l
WHERE place % :size = 1 ORDER BY id
"""

WAITING = """
CREATE TEMP TABLE waiting ON COMMIT DROP AS
SELECT event_line_id FROM uncharged_lines
WHERE event_line_id >= :first AND (CAST(:beyond AS uuid) IS NULL OR event_line_id < :beyond)
ORDER BY event_line_id FOR UPDATE SKIP LOCKED
"""

PAYERS = """
SELECT p.customer_id, count(l.id) AS weight
FROM legacy_parties p LEFT JOIN delivery_event_lines l ON l.customer_id = p.customer_id
GROUP BY p.customer_id ORDER BY p.customer_id
"""

Chunk = tuple[str, list[UUID | None]]
"""SWITCH; CHARGE with the first line and the one that is no more of it; SETTLE with customers."""


def phases(session: Session) -> list[list[Chunk]]:
    """Switch the policy and sweep, charge the lines, then settle customer by customer: they share a series."""
    edges = [row["id"] for row in rows(session, EDGES, {"size": UNIT})]
    parts = itertools.pairwise([*edges, None])
    payers = units((row["customer_id"], row["weight"]) for row in rows(session, PAYERS))
    return [[(SWITCH, [])], [(CHARGE, list(part)) for part in parts], OneByOne((SETTLE, group) for group in payers)]


def join(chunks: Sequence[Chunk]) -> Chunk:
    """Return the lines, or the customers, of several chunks of a phase."""
    kind = chunks[0][0]
    if kind == CHARGE:
        return kind, [chunks[0][1][0], chunks[-1][1][1]]
    return kind, [customer for _, group in chunks for customer in group]


def apply(session: Session, ctx: Ctx, batch: Batch, chunk: Chunk) -> None:
    """Charge every delivered line once and settle the time before the day of change."""
    kind, told = chunk
    if kind == SWITCH:
        _switch(session, ctx, batch)
    elif kind == SETTLE:
        _settle(session, ctx, batch, [customer for customer in told if customer])
    else:
        _charge(session, ctx, batch, told)


def _charge(session: Session, ctx: Ctx, batch: Batch, told: Sequence[UUID | None]) -> None:
    run(session, WAITING, {"first": told[0], "beyond": told[1]})
    waiting = [row["event_line_id"] for row in rows(session, "SELECT event_line_id FROM waiting")]
    residue.deleted(
        session,
        batch,
        "uncharged_lines",
        "(SELECT event_line_id, jsonb_build_object('event_line_id', event_line_id) AS before FROM waiting) w",
        ("event_line_id",),
    )
    charges.charge_delivered(session, ctx, lines=waiting)
    made = "(SELECT c.id FROM charges c JOIN waiting w ON w.event_line_id = c.event_line_id) c"
    residue.inserted(session, batch, "charges", made)


def _switch(session: Session, ctx: Ctx, batch: Batch) -> None:
    was_off = value(session, "SELECT value = 'false' FROM policies WHERE name = :name", {"name": charges.POLICY})
    residue.policy(session, ctx, batch, charges.POLICY, value=True)
    if was_off:
        with residue.watch(session, batch, inserts={"uncharged_lines": "true"}):
            charges.sweep(session)


OF_THEM = "t.customer_id = ANY(CAST(:customers AS uuid[]))"
BOOKED = f"t.{{}} IN (SELECT journal_id FROM postings t WHERE {OF_THEM})"
WRITTEN = {
    "journals": BOOKED.format("id"),
    "postings": BOOKED.format("journal_id"),
    "adjustments": OF_THEM,
    "invoices": OF_THEM,
    "invoice_lines": f"t.invoice_id IN (SELECT id FROM invoices t WHERE {OF_THEM})",
    "payment_allocations": f"t.payment_id IN (SELECT id FROM payments t WHERE {OF_THEM})",
}
"""The rows of these customers that settling may add."""


def _settle(session: Session, ctx: Ctx, batch: Batch, customers: list[UUID]) -> None:
    settling = residue.watch(
        session,
        batch,
        inserts=WRITTEN,
        updates={"invoice_series": "true", "legacy_bills": OF_THEM},
        facts={"customers": customers},
    )
    with settling:
        settle.settle(session, ctx, masters.home(session), customers)
        allocation.allocate_open(session, ctx, customers)


NUMBERS = """
UPDATE invoice_series s SET next_number = n.number + 1
FROM (SELECT business_id, series, max(number) AS number FROM invoices GROUP BY business_id, series) n
WHERE n.business_id = s.business_id AND n.series = s.series AND s.next_number <= n.number
"""


def reverted(session: Session, ctx: Ctx) -> None:
    """Let no number that a standing document bears be given again, and nothing that stands charged wait."""
    del ctx
    run(session, NUMBERS)
    run(session, "DELETE FROM uncharged_lines u USING charges c WHERE c.event_line_id = u.event_line_id")


STAKES = """
SELECT l.currency, sum(round(dl.delivered_quantity * l.unit_price * 100))::bigint AS amount_minor
FROM delivery_lines dl JOIN order_lines l ON l.id = dl.order_line_id
WHERE l.source = 'one_time' AND dl.delivered_quantity > 0
  AND NOT EXISTS (
    SELECT FROM delivery_event_lines e JOIN charges c ON c.event_line_id = e.id
    JOIN invoice_lines i ON i.charge_id = c.id JOIN invoices v ON v.id = i.invoice_id AND v.kind <> 'legacy'
    WHERE e.delivery_line_id = dl.id)
GROUP BY l.currency ORDER BY l.currency
"""


def stakes(session: Session) -> list[Stake]:
    """Return what one-time deliveries are worth that stand on no bill of ours."""
    said = "of one-time deliveries would be left unbilled"
    return [Stake(row["amount_minor"], row["currency"], said) for row in rows(session, STAKES)]


VERIFY = """
SELECT e.id, 'the delivered line is not charged' AS what FROM delivery_event_lines e
WHERE NOT EXISTS (SELECT FROM charges c WHERE c.event_line_id = e.id)
  AND NOT EXISTS (SELECT FROM uncharged_lines w WHERE w.event_line_id = e.id)
  AND NOT EXISTS (SELECT FROM delivery_lines d JOIN order_lines l ON l.id = d.order_line_id
                  JOIN orders o ON o.id = l.order_id WHERE d.id = e.delivery_line_id AND o.paid_upstream)
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
    """List delivered lines without a charge that wait for none, and charges that are not the price of them."""
    return rows(session, VERIFY + " LIMIT 1000")
