"""What customers are told of orders, rounds, doors and pauses: the words' facts, dates as 2026-01-19."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.infra.db import rows
from earlybird.kernel.money import Money
from earlybird.orders.queries import code

ITEMS = (
    "string_agg(trim_scale({quantity})::text || ' ' || {line}.unit || ' ' || {line}.product_name, ', ' "
    "ORDER BY {line}.position, {line}.id)"
)
"""What a list of lines holds, in one line: 1.5 L Toned Milk, 0.5 kg Paneer."""

SETTLED = """NOT EXISTS (SELECT FROM delivery_events e WHERE e.delivery_id = f.subject_id
             AND e.received_at > :settled_at)"""
"""Over a fact `f`: nothing new was said of the delivery since `:settled_at`, so its outcome stands."""

OUTCOMES = "('delivered', 'partially_delivered', 'not_delivered')"


def orders(session: Session, ids: Sequence[UUID]) -> list[dict[str, Any]]:
    """Return what is told of orders by hand that stand and have a service date."""
    found = rows(
        session,
        f"""
        SELECT o.id, o.customer_id, o.placed_at AS happened_at, coalesce(o.code, {code("o.id")}) AS order,
               o.service_on AS date, sum(l.amount_minor)::bigint AS minor, min(l.currency) AS currency,
               {ITEMS.format(quantity="l.quantity", line="l")} AS items
        FROM orders o JOIN order_lines l ON l.order_id = o.id AND l.cancelled_at IS NULL
        WHERE o.id = ANY(:ids) AND o.state <> 'cancelled' AND o.service_on IS NOT NULL GROUP BY o.id
        """,
        {"ids": list(ids)},
    )
    return [row | {"amount": Money(row.pop("minor"), row.pop("currency"))} for row in found]


def on_their_way(session: Session, rounds: Sequence[UUID]) -> list[dict[str, Any]]:
    """Return what is told of the stops still to come of rounds that are out."""
    return rows(
        session,
        f"""
        SELECT d.id, d.customer_id, r.state_at AS happened_at, d.planned_on AS date,
               {ITEMS.format(quantity="l.quantity", line="l")} AS items
        FROM rounds r JOIN round_stops s ON s.round_id = r.id
        JOIN deliveries d ON d.id = s.delivery_id AND d.state IN ('planned', 'out')
        JOIN order_lines l ON l.order_id = d.order_id AND l.cancelled_at IS NULL AND l.quantity > 0
        WHERE r.id = ANY(:ids) AND r.state = 'out' GROUP BY r.id, d.id
        """,
        {"ids": list(rounds)},
    )


def doors(session: Session, ids: Sequence[UUID]) -> list[dict[str, Any]]:
    """Return how deliveries came out (`outcome`, by which `event_id`), but for what was told last of them."""
    return rows(
        session,
        f"""
        SELECT d.id, d.customer_id, d.state AS outcome, e.id AS event_id, e.received_at AS happened_at,
               d.planned_on AS date, i.items
        FROM deliveries d
        JOIN LATERAL (SELECT id, received_at FROM delivery_events e WHERE e.delivery_id = d.id
                      ORDER BY received_at DESC, id DESC LIMIT 1) e ON true
        JOIN LATERAL (
            SELECT {ITEMS.format(quantity="q.quantity", line="l")} AS items
            FROM delivery_lines dl JOIN order_lines l ON l.id = dl.order_line_id
            CROSS JOIN LATERAL (SELECT CASE d.state WHEN 'not_delivered' THEN dl.ordered_quantity
                                            ELSE dl.delivered_quantity END AS quantity) q
            WHERE dl.delivery_id = d.id AND q.quantity > 0
        ) i ON i.items IS NOT NULL
        LEFT JOIN LATERAL (SELECT kind FROM messages m WHERE m.subject_id = d.id AND m.kind IN {OUTCOMES}
                           ORDER BY m.id DESC LIMIT 1) m ON true
        WHERE d.id = ANY(:ids) AND d.state IN {OUTCOMES} AND m.kind IS DISTINCT FROM d.state
        """,
        {"ids": list(ids)},
    )


PAUSE = """
SELECT p.id, s.customer_id, p.starts_on, p.ends_on, p.cancelled_at IS NOT NULL AS is_cancelled, p.made_at,
       coalesce((SELECT d.name FROM subscription_versions v JOIN products d ON d.id = v.product_id
                 WHERE v.subscription_id = s.id ORDER BY v.valid_from DESC LIMIT 1), '') AS item,
       m.kind AS told, m.facts ->> 'until' AS told_until
FROM subscription_pauses p JOIN subscriptions s ON s.id = p.subscription_id
LEFT JOIN LATERAL (SELECT kind, facts FROM messages m WHERE m.subject_id = p.id ORDER BY m.id DESC LIMIT 1) m ON true
WHERE p.id = ANY(:ids) ORDER BY p.id"""


def pauses(session: Session, ids: Sequence[UUID]) -> list[dict[str, Any]]:
    """Return pauses of standing orders as they stand, with what was told last of each."""
    return rows(session, PAUSE, {"ids": list(ids)})


def paused_customers(session: Session, ids: Sequence[UUID]) -> list[dict[str, Any]]:
    """Return customers who are paused as a whole, or active again, with what they have standing orders for."""
    return rows(
        session,
        """
        SELECT c.id, c.state, c.state_at, coalesce(c.state_from, CAST(c.state_at AT TIME ZONE t.zone AS date)) AS since,
               string_agg(DISTINCT d.name, ', ') AS items
        FROM customers c JOIN sites t ON t.id = c.site_id
        JOIN subscriptions s ON s.customer_id = c.id AND s.state = 'active'
        JOIN LATERAL (SELECT product_id FROM subscription_versions v WHERE v.subscription_id = s.id
                      ORDER BY v.valid_from DESC LIMIT 1) v ON true
        JOIN products d ON d.id = v.product_id
        WHERE c.id = ANY(:ids) AND c.state IN ('paused', 'active') GROUP BY c.id, t.zone
        """,
        {"ids": list(ids)},
    )
