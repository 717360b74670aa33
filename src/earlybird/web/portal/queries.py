"""One's own profile, stops and balance, over all slices; changes nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from earlybird.billing.queries.open import statement
from earlybird.infra.db import Session, rows
from earlybird.kernel.clock import business_day
from earlybird.subscriptions.queries import DUE

AHEAD_DAYS = 14
"""How far what is due is told."""

MOST = 5
"""How many stops are told, before and after."""

CUSTOMER = """
SELECT c.id, c.code, c.kind, c.name, c.phone, c.email, c.language, c.state, s.zone, b.currency, a.name AS area,
       concat_ws(', ', d.line1, d.line2, d.city, d.postal_code) AS address
FROM customers c JOIN sites s ON s.id = c.site_id JOIN businesses b ON b.id = c.business_id
LEFT JOIN areas a ON a.id = c.area_id
LEFT JOIN addresses d ON d.customer_id = c.id AND d.is_default AND d.archived_at IS NULL
WHERE c.id = :id"""

STOPS = """
SELECT d.id AS delivery_id, d.planned_on, d.shift, d.state,
       (SELECT coalesce(jsonb_agg(jsonb_build_object('product', o.product_name, 'unit', o.unit,
            'quantity', l.ordered_quantity::text, 'delivered_quantity', l.delivered_quantity::text) ORDER BY o.position,
            o.id), '[]')
        FROM delivery_lines l JOIN order_lines o ON o.id = l.order_line_id WHERE l.delivery_id = d.id) AS lines
FROM deliveries d WHERE d.customer_id = :id AND {which} LIMIT :most"""
NEXT = STOPS.format(
    which="d.planned_on >= :today AND d.state IN ('planned', 'out') ORDER BY d.planned_on, d.shift DESC, d.id"
)
LAST = STOPS.format(
    which="d.state IN ('delivered', 'partially_delivered', 'not_delivered') AND d.planned_on <= :today "
    "ORDER BY d.planned_on DESC, d.shift, d.id DESC"
)

COMING = f"""
SELECT NULL AS delivery_id, w.service_on AS planned_on, w.shift, 'due' AS state,
       jsonb_agg(jsonb_build_object('product', p.name, 'unit', p.unit_code, 'quantity', w.quantity::text,
                                    'delivered_quantity', NULL) ORDER BY p.name) AS lines
FROM ({DUE}) w JOIN products p ON p.id = w.product_id
WHERE w.customer_id = :id AND NOT EXISTS (
    SELECT FROM order_lines o WHERE o.subscription_id = w.subscription_id AND o.service_on = w.service_on
      AND o.shift = w.shift)
GROUP BY w.service_on, w.shift ORDER BY w.service_on, w.shift DESC LIMIT :most"""


def portrait(session: Session, customer_id: UUID, now: datetime) -> dict[str, Any]:
    """Return customer, next_deliveries, last_deliveries and balance of one customer.

    What is next are planned stops, then what standing orders make due within a fortnight and nobody planned yet.
    """
    customer = rows(session, CUSTOMER, {"id": customer_id})[0]
    today = business_day(now, customer.pop("zone"))
    currency = customer.pop("currency")
    facts = {"id": customer_id, "today": today, "most": MOST}
    due = {"first": today, "last": today + timedelta(days=AHEAD_DAYS), "site_id": None}
    coming = rows(session, NEXT, facts) + rows(session, COMING, facts | due)
    return {
        "customer": customer,
        "next_deliveries": sorted(coming, key=lambda stop: (stop["planned_on"], stop["shift"] != "morning"))[:MOST],
        "last_deliveries": rows(session, LAST, facts),
        "balance": {"currency": currency} | statement(session, customer_id),
    }
