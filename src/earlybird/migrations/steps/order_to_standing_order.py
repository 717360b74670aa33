"""Every order from a standing order names it: the visits that legacy rows prove become orders with lines.

For each visit whose last word says delivered, the standing orders due that day (whatever their status
says today) become the lines of one order, each naming the standing order, the version and the rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.billing.rules import minor_scale
from earlybird.infra.db import analyze, rows, run, value
from earlybird.kernel.ctx import Ctx
from earlybird.migrations import residue
from earlybird.migrations.cutting import units
from earlybird.migrations.protocol import Batch, Stake

NUMBER = 19
NAME = "order_to_standing_order"
TITLE = "Every order from a standing order names it"
REASON = "Without the link nobody can say why a line was due, and planning twice makes it twice."
TOUCHES = ("orders", "order_lines")
WARNING = "Reverting takes back the lines this step made; where a delivery hangs on one, it only loses the link."
LOOSENS = {"order_lines": ("subscription_id", "subscription_version_id", "override_id")}

CUSTOMERS = """
SELECT customer_id, count(*) AS weight FROM legacy_deliveries
WHERE customer_id IS NOT NULL AND (speaks_morning OR speaks_evening)
  AND status IN ('delivered', 'partially_delivered') GROUP BY customer_id ORDER BY customer_id
"""

DUE = """
CREATE TEMP TABLE due_line ON COMMIT DROP AS
WITH word AS (
    SELECT l.customer_id, l.service_on, v.visit, l.id AS legacy_delivery_id, l.driver_id
    FROM legacy_deliveries l
    CROSS JOIN LATERAL (VALUES ('morning', l.speaks_morning), ('evening', l.speaks_evening)) AS v(visit, speaks)
    WHERE v.speaks AND l.status IN ('delivered', 'partially_delivered') AND l.customer_id = ANY(:customers)
), period AS (
    SELECT s.customer_id, s.starts_on, s.stops_on, v.*,
           CASE v.shift WHEN 'evening' THEN 'evening' ELSE 'morning' END AS visit,
           lead(v.valid_from) OVER (PARTITION BY v.subscription_id ORDER BY v.valid_from) AS next_from
    FROM subscriptions s
    JOIN legacy_documents d ON d.id = s.id AND d.facts->>'auto_start' IS DISTINCT FROM 'false'
    JOIN subscription_versions v ON v.subscription_id = s.id
    WHERE s.customer_id = ANY(:customers)
), due AS (
    SELECT w.customer_id, w.service_on, w.visit, w.driver_id, p.subscription_id, p.id AS version_id, p.product_id,
           p.agreed_price, coalesce(i.id, o.id) AS override_id, p.quantity AS base_quantity,
           CASE WHEN i.id IS NOT NULL THEN i.quantity
                WHEN o.id IS NOT NULL THEN o.quantity
                WHEN p.pattern = 'weekly' THEN
                    CASE WHEN extract(isodow FROM w.service_on)::int - 1 = ANY(p.weekdays) THEN p.quantity ELSE 0 END
                WHEN p.pattern = 'one_time' THEN CASE WHEN w.service_on <= p.until_on THEN p.quantity ELSE 0 END
                WHEN p.pattern = 'daily' THEN p.quantity ELSE 0 END AS quantity,
           CASE WHEN i.id IS NOT NULL THEN 'irregular' WHEN o.id IS NOT NULL THEN 'override' ELSE p.pattern END AS rule
    FROM word w
    JOIN period p ON p.customer_id = w.customer_id AND p.visit = w.visit
         AND w.service_on >= p.starts_on AND (p.stops_on IS NULL OR w.service_on < p.stops_on)
         AND w.service_on >= p.valid_from AND (p.next_from IS NULL OR w.service_on < p.next_from)
    LEFT JOIN subscription_overrides i ON i.subscription_id = p.subscription_id AND i.service_on = w.service_on
         AND i.kind = 'irregular' AND i.superseded_at IS NULL
    LEFT JOIN subscription_overrides o ON o.subscription_id = p.subscription_id AND o.service_on = w.service_on
         AND o.kind = 'override' AND o.superseded_at IS NULL
    WHERE NOT EXISTS (
        SELECT FROM subscription_pauses q WHERE q.subscription_id = p.subscription_id AND q.cancelled_at IS NULL
          AND w.service_on >= q.starts_on AND (q.ends_on IS NULL OR w.service_on <= q.ends_on))
)
SELECT new_id() AS id, d.*,
       row_number() OVER (PARTITION BY customer_id, service_on, visit ORDER BY subscription_id)::int AS position
FROM due d
WHERE quantity > 0
  AND NOT EXISTS (SELECT FROM order_lines l WHERE l.subscription_id = d.subscription_id
                  AND l.service_on = d.service_on AND l.shift = d.visit)
"""

PRICE = """
CREATE TEMP TABLE line_price ON COMMIT DROP AS
SELECT d.customer_id, d.product_id, d.service_on, p.id AS price_id, p.unit_price, p.scope
FROM (SELECT DISTINCT customer_id, product_id, service_on FROM due_line) d
JOIN LATERAL (
    SELECT id, unit_price, scope FROM prices p
    WHERE p.product_id = d.product_id AND p.valid_from <= d.service_on
      AND (p.customer_id IS NULL OR p.customer_id = d.customer_id)
    ORDER BY p.scope = 'customer' DESC, p.valid_from DESC LIMIT 1) p ON true
"""

ORDERS = """
CREATE TEMP TABLE made_order ON COMMIT DROP AS
SELECT new_id() AS id, customer_id, service_on, visit, min(driver_id::text)::uuid AS driver_id
FROM due_line d
WHERE NOT EXISTS (SELECT FROM orders o WHERE o.source = 'subscription' AND o.customer_id = d.customer_id
                  AND o.service_on = d.service_on AND o.shift = d.visit AND o.address_id IS NULL)
GROUP BY customer_id, service_on, visit
"""

KEEP_ORDERS = """
INSERT INTO orders (id, seller_id, site_id, customer_id, source, service_on, shift, driver_id, state, state_at,
                    placed_at)
SELECT m.id, c.business_id, c.site_id, m.customer_id, 'subscription', m.service_on, m.visit, m.driver_id, 'planned',
       :now, :now
FROM made_order m JOIN customers c ON c.id = m.customer_id
"""

KEEP_LINES = """
INSERT INTO order_lines (id, order_id, position, customer_id, service_on, shift, source, subscription_id,
    subscription_version_id, override_id, price_id, rule, product_id, product_name, unit, quantity, base_quantity,
    unit_price, currency, amount_minor, planned_at)
SELECT d.id, o.id, d.position, d.customer_id, d.service_on, d.visit, 'subscription', d.subscription_id, d.version_id,
       d.override_id, y.price_id, d.rule, d.product_id, x.name, x.unit_code, d.quantity, d.base_quantity, y.unit_price,
       b.currency, round(d.quantity * y.unit_price * 100)::bigint, :now
FROM due_line d
JOIN orders o ON o.source = 'subscription' AND o.customer_id = d.customer_id AND o.service_on = d.service_on
             AND o.shift = d.visit AND o.address_id IS NULL
JOIN businesses b ON b.id = o.seller_id
JOIN products x ON x.id = d.product_id
LEFT JOIN line_price p ON p.customer_id = d.customer_id AND p.product_id = d.product_id
                      AND p.service_on = d.service_on
CROSS JOIN LATERAL (
    SELECT CASE WHEN p.scope = 'customer' THEN p.unit_price ELSE coalesce(d.agreed_price, p.unit_price, 0) END
               AS unit_price,
           CASE WHEN p.scope = 'customer' OR d.agreed_price IS NULL THEN p.price_id END AS price_id) y
"""


def phases(session: Session) -> list[list[list[UUID]]]:
    """Return the customers with a proven visit, in groups."""
    return [units((row["customer_id"], row["weight"]) for row in rows(session, CUSTOMERS))]


def join(chunks: Sequence[list[UUID]]) -> list[UUID]:
    """Return the customers of several groups."""
    return [customer for chunk in chunks for customer in chunk]


def apply(session: Session, ctx: Ctx, batch: Batch, chunk: list[UUID]) -> None:
    """Make the orders and lines of these customers' proven visits; what is there already stays as it is."""
    facts = {"customers": chunk, "now": ctx.now}
    run(session, DUE, facts)
    if not value(session, "SELECT count(*) FROM due_line"):
        return
    analyze(session, "due_line")
    run(session, PRICE, facts)
    run(session, ORDERS, facts)
    residue.inserted(session, batch, "orders", "made_order")
    residue.inserted(session, batch, "order_lines", "due_line")
    run(session, KEEP_ORDERS, facts)
    run(session, KEEP_LINES, facts)


STAKES = f"""
SELECT l.currency, sum(round(d.delivered_quantity * l.unit_price * {minor_scale("l.currency")}))::bigint AS amount_minor
FROM delivery_lines d JOIN order_lines l ON l.id = d.order_line_id
WHERE l.source = 'subscription' AND d.delivered_quantity > 0 AND EXISTS (
    SELECT FROM delivery_events e WHERE e.delivery_id = d.delivery_id AND e.via = 'import')
GROUP BY l.currency ORDER BY l.currency
"""


def stakes(session: Session) -> list[Stake]:
    """Return what the taken-over deliveries of standing orders are worth."""
    said = "of deliveries would name no standing order"
    return [Stake(row["amount_minor"], row["currency"], said) for row in rows(session, STAKES)]


VERIFY = """
SELECT l.id, 'the line names no standing order' AS what FROM order_lines l
WHERE l.source = 'subscription' AND l.subscription_id IS NULL
UNION ALL
SELECT l.id, 'the standing order is another customer''s' FROM order_lines l
JOIN subscriptions s ON s.id = l.subscription_id WHERE s.customer_id <> l.customer_id
UNION ALL
SELECT l.id, 'the version is another standing order''s' FROM order_lines l
JOIN subscription_versions v ON v.id = l.subscription_version_id WHERE v.subscription_id <> l.subscription_id
"""


def verify(session: Session) -> list[dict[str, Any]]:
    """List lines from standing orders that name none, another customer's, or a foreign version."""
    return rows(session, VERIFY + " LIMIT 1000")
