"""What a round loads: products with packets and crates, by stop, empties to come back, what its customers owe."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.infra.db import rows
from earlybird.ledger import queries as ledger
from earlybird.ledger.states import Account
from earlybird.territory import queries as territory

PACKETS = "sum(ceil(k.ordered_quantity / p.pack_size))::int"

LINES = """
FROM round_stops s
JOIN deliveries d ON d.id = s.delivery_id AND d.state <> 'cancelled'
JOIN delivery_lines k ON k.delivery_id = d.id AND k.ordered_quantity > 0
JOIN order_lines l ON l.id = k.order_line_id
JOIN products p ON p.id = l.product_id
WHERE s.round_id = :round_id"""

PRODUCTS = f"""
SELECT l.product_id, min(l.product_name) AS product_name, l.unit, p.pack_size, sum(k.ordered_quantity) AS quantity,
       {PACKETS} AS packets
{LINES} GROUP BY l.product_id, l.unit, p.pack_size ORDER BY 2, l.product_id"""

STOPS = f"""
SELECT s.position, d.id AS delivery_id, c.id AS customer_id, c.name AS customer_name, k.packets, k.lines
FROM (
    SELECT s.position, d.id, d.customer_id, {PACKETS} AS packets,
           jsonb_agg(jsonb_build_object('product_name', l.product_name, 'unit', l.unit,
               'quantity', k.ordered_quantity::text, 'packets', ceil(k.ordered_quantity / p.pack_size)::int)
               ORDER BY l.position, l.id) AS lines
    {LINES} GROUP BY s.position, d.id) k
JOIN deliveries d ON d.id = k.id JOIN round_stops s ON s.delivery_id = d.id JOIN customers c ON c.id = d.customer_id
ORDER BY s.position"""

EMPTIES = """
SELECT m.container, sum(m.quantity)::int AS quantity FROM (
    SELECT m.customer_id, m.container, sum(m.quantity) AS quantity FROM container_movements m
    WHERE m.customer_id IN (SELECT d.customer_id FROM round_stops s JOIN deliveries d ON d.id = s.delivery_id
                            WHERE s.round_id = :round_id AND d.state <> 'cancelled')
    GROUP BY m.customer_id, m.container HAVING sum(m.quantity) > 0) m
GROUP BY m.container ORDER BY m.container"""


def packets(session: Session, round_id: UUID) -> dict[UUID, int]:
    """Return how many packets each delivery of a round takes."""
    return {
        row["id"]: row["packets"]
        for row in rows(session, f"SELECT d.id, {PACKETS} AS packets {LINES} GROUP BY d.id", {"round_id": round_id})
    }


def sheet(session: Session, round_id: UUID) -> dict[str, Any]:
    """Return what a round is to load and to bring back; money in minor units of the site's business."""
    facts = {"round_id": round_id}
    products = rows(session, PRODUCTS, facts)
    per_crate = int(territory.policy(session, "units_per_crate")["value"])
    stops = rows(session, STOPS, facts)
    total = sum(row["packets"] for row in products)
    head = rows(
        session,
        "SELECT b.currency, g.capacity FROM rounds r JOIN sites t ON t.id = r.site_id "
        "JOIN businesses b ON b.id = t.business_id LEFT JOIN standing_rounds g ON g.id = r.standing_round_id "
        "WHERE r.id = :round_id",
        facts,
    )[0]
    return {
        "round_id": round_id,
        "products": [row | {"crates": -(-row["packets"] // per_crate)} for row in products],
        "packets": total,
        "crates": -(-total // per_crate),
        "units_per_crate": per_crate,
        "capacity": head["capacity"],
        "is_over_capacity": head["capacity"] is not None and total > head["capacity"],
        "empties": rows(session, EMPTIES, facts),
        "cash_expected_minor": _owed(session, list({row["customer_id"] for row in stops})),
        "currency": head["currency"],
        "stops": stops,
    }


def _owed(session: Session, customers: list[UUID]) -> int:
    """Return what these customers owe in all, those who paid ahead left out."""
    owes = ledger.customer_balances(session, customers, Account.receivable)
    ahead = ledger.customer_balances(session, customers, Account.customer_advance)
    return sum(max(0, minor + ahead.get(customer, 0)) for customer, minor in owes.items())
