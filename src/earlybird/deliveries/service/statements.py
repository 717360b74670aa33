"""The statements of the plan: its bench of temporary tables, and how it brings orders and stops up to what is due."""

from __future__ import annotations

from earlybird.catalog.queries import amount_minor, price_in_force
from earlybird.orders.queries import ADDRESS, code
from earlybird.subscriptions.queries import DUE
from earlybird.territory.queries import AREA_DRIVERS

TABLES = """
CREATE TEMP TABLE IF NOT EXISTS plan_lines (
    line_id uuid, was_in uuid, differs boolean, subscription_id uuid, customer_id uuid, door uuid, address_id uuid,
    shift text, version_id uuid, override_id uuid, price_id uuid, rule text, product_id uuid, product_name text,
    unit text, tax_class_id uuid, quantity numeric, base_quantity numeric, unit_price numeric, currency text,
    amount_minor bigint, driver_id uuid, driver_rank int) ON COMMIT DROP;
CREATE TEMP TABLE IF NOT EXISTS plan_stops (
    order_id uuid, is_known boolean, delivery_id uuid, is_placed boolean, customer_id uuid, door uuid, address_id uuid,
    shift text, driver_id uuid, address jsonb) ON COMMIT DROP;
CREATE TEMP TABLE IF NOT EXISTS plan_touched (order_id uuid) ON COMMIT DROP;
CREATE TEMP TABLE IF NOT EXISTS plan_open (order_id uuid PRIMARY KEY) ON COMMIT DROP;
TRUNCATE plan_lines, plan_stops, plan_touched, plan_open"""
"""The day on the bench. `door` is the address, or the customer where no address is known.

`was_in` is the order a known line stands in, `plan_touched` the known orders that something is to be
changed in, `plan_open` those of them that are under lock and neither out nor confirmed.
"""

DUE_LINES = f"""
INSERT INTO plan_lines
SELECT coalesce(known.id, new_id()), known.order_id,
       known.id IS NOT NULL AND price.unit_price IS NOT NULL AND (
           known.cancelled_at IS NOT NULL
           OR (known.subscription_version_id, known.override_id, known.price_id, known.rule, known.product_id,
               known.quantity, known.base_quantity, known.unit_price, known.currency)
           IS DISTINCT FROM (d.version_id, d.override_id, price.price_id, d.rule, d.product_id,
               d.quantity, d.base_quantity, price.unit_price, coalesce(price.currency, d.currency))),
       d.subscription_id, d.customer_id, coalesce(d.address_id, home.id, d.customer_id),
       coalesce(d.address_id, home.id), d.shift, d.version_id, d.override_id, price.price_id, d.rule,
       d.product_id, p.name, p.unit_code, p.tax_class_id, d.quantity, d.base_quantity, price.unit_price,
       coalesce(price.currency, d.currency),
       {amount_minor("d.quantity", "price.unit_price", "coalesce(price.currency, d.currency)")},
       coalesce(d.override_driver_id, d.version_driver_id, d.customer_driver_id, served.driver_id),
       CASE WHEN d.override_driver_id IS NOT NULL THEN 1 WHEN d.version_driver_id IS NOT NULL THEN 2
            WHEN d.customer_driver_id IS NOT NULL THEN 3 ELSE 4 END
FROM ({DUE}) d
CROSS JOIN LATERAL (SELECT p.name, p.unit_code, p.tax_class_id FROM products p WHERE p.id = d.product_id OFFSET 0) p
LEFT JOIN addresses home ON home.customer_id = d.customer_id AND home.is_default AND home.archived_at IS NULL
LEFT JOIN ({AREA_DRIVERS}) served ON served.area_id = d.area_id AND served.shift = d.shift
{price_in_force("d.product_id", "d.customer_id", ":service_on", "d.agreed_price")}
LEFT JOIN LATERAL (
    SELECT l.id, l.order_id, l.cancelled_at, l.cancelled_by, l.subscription_version_id, l.override_id, l.price_id,
           l.rule, l.product_id, l.quantity, l.base_quantity, l.unit_price, l.currency,
           o.state = 'cancelled' AND l.cancelled_at IS NULL AS is_dead
    FROM order_lines l JOIN orders o ON o.id = l.order_id
    WHERE l.subscription_id = d.subscription_id AND l.service_on = d.service_on AND l.shift = d.shift LIMIT 1
) known ON true
WHERE known.id IS NULL OR known.cancelled_by = 'plan' OR known.cancelled_at IS NULL AND NOT known.is_dead"""
"""What is due, priced, with its driver; a line that a person cancelled, alone or with its order, stays away.

OFFSET and LIMIT hold the look-ups to one index probe a line, however few lines PostgreSQL expects.
"""

STANDING_STOPS = f"""
INSERT INTO plan_stops
SELECT coalesce(o.id, new_id()), o.id IS NOT NULL, coalesce(v.id, new_id()), false, w.customer_id, w.door,
       w.address_id, w.shift, w.driver_id, CASE WHEN a.id IS NOT NULL THEN {ADDRESS} END
FROM (
    SELECT DISTINCT ON (customer_id, shift, door) customer_id, shift, door, address_id, driver_id FROM plan_lines
    WHERE unit_price IS NOT NULL ORDER BY customer_id, shift, door, driver_id IS NULL, driver_rank, subscription_id
) w
LEFT JOIN addresses a ON a.id = w.address_id
LEFT JOIN LATERAL (
    SELECT o.id FROM orders o
    WHERE o.customer_id = w.customer_id AND o.service_on = :service_on AND o.shift = w.shift
      AND o.address_id IS NOT DISTINCT FROM w.address_id AND o.source = 'subscription' LIMIT 1
) o ON true
LEFT JOIN deliveries v ON v.order_id = o.id AND v.attempt = 1"""
"""One stop per customer, shift and door; where its lines name several drivers, the most particular one's."""

ONE_TIME_STOPS = f"""
INSERT INTO plan_stops
SELECT o.id, true, coalesce(v.id, new_id()), o.state = 'placed', o.customer_id, o.id, o.address_id, o.shift,
       coalesce(o.driver_id, c.driver_id, served.driver_id), coalesce(o.address, {ADDRESS})
FROM orders o
JOIN customers c ON c.id = o.customer_id
LEFT JOIN addresses a ON a.id = o.address_id OR o.address_id IS NULL AND a.customer_id = o.customer_id
      AND a.is_default AND a.archived_at IS NULL
LEFT JOIN ({AREA_DRIVERS}) served ON served.area_id = c.area_id AND served.shift = o.shift
LEFT JOIN deliveries v ON v.order_id = o.id AND v.attempt = 1
WHERE o.service_on = :service_on AND o.site_id = :site_id AND o.source = 'one_time'
  AND o.state IN ('placed', 'planned')"""

ONE_TIME_LINES = """
INSERT INTO plan_lines (line_id, was_in, differs, customer_id, door, shift, quantity, unit_price)
SELECT l.id, l.order_id, false, s.customer_id, s.door, s.shift, l.quantity, l.unit_price
FROM plan_stops s JOIN order_lines l ON l.order_id = s.order_id
WHERE s.door = s.order_id AND l.cancelled_at IS NULL"""

STOP_OF_LINE = "s.customer_id = l.customer_id AND s.shift IS NOT DISTINCT FROM l.shift AND s.door = l.door"

NO_LONGER_DUE = """
SELECT l.id, l.order_id FROM orders o JOIN order_lines l ON l.order_id = o.id
WHERE o.service_on = :service_on AND o.site_id = :site_id AND o.source = 'subscription'
  AND o.state IN ('placed', 'planned', 'out') AND l.cancelled_at IS NULL
  AND NOT EXISTS (SELECT FROM plan_lines due WHERE due.line_id = l.id)"""

HELD = "coalesce((SELECT h.is_held OR h.is_locked FROM round_stops h WHERE h.delivery_id = v.id), false)"
"""Whether a person gave the stop `v` to its driver: the plan leaves it there. One index probe, never a whole table."""

TOUCHED = f"""
INSERT INTO plan_touched
SELECT unnest(ARRAY[l.was_in, s.order_id]) FROM plan_lines l JOIN plan_stops s ON {STOP_OF_LINE}
WHERE s.is_known AND l.unit_price IS NOT NULL AND (l.was_in IS NULL OR l.differs OR l.was_in <> s.order_id
    OR NOT EXISTS (SELECT FROM delivery_lines dl WHERE dl.order_line_id = l.line_id AND dl.delivery_id = s.delivery_id))
UNION SELECT l.was_in FROM plan_lines l JOIN plan_stops s ON {STOP_OF_LINE}
WHERE l.was_in IS NOT NULL AND NOT s.is_known
UNION SELECT gone.order_id FROM ({NO_LONGER_DUE}) gone
UNION SELECT s.order_id FROM plan_stops s JOIN orders o ON o.id = s.order_id
LEFT JOIN deliveries v ON v.id = s.delivery_id
WHERE s.is_known AND o.state IN ('placed', 'planned')
  AND (v.id IS NULL OR s.is_placed OR v.state = 'planned' AND v.driver_id IS DISTINCT FROM s.driver_id AND NOT {HELD}
       OR o.address IS DISTINCT FROM s.address OR o.site_id <> :site_id)
UNION SELECT v.order_id FROM deliveries v JOIN orders o ON o.id = v.order_id
WHERE v.planned_on = :service_on AND o.site_id = :site_id AND v.state = 'planned' AND o.state = 'cancelled'"""

LOCKED_ORDERS = """
SELECT count(*) FROM (
    SELECT FROM orders o WHERE o.id IN (SELECT order_id FROM plan_touched) ORDER BY o.id FOR NO KEY UPDATE OF o) l"""

LOCKED_DELIVERIES = """
SELECT count(*) FROM (
    SELECT FROM deliveries v WHERE v.order_id IN (SELECT order_id FROM plan_touched)
    ORDER BY v.order_id, v.attempt FOR NO KEY UPDATE OF v) l"""

OPEN = """
INSERT INTO plan_open
SELECT DISTINCT o.id FROM plan_touched t JOIN orders o ON o.id = t.order_id
WHERE o.state IN ('placed', 'planned', 'cancelled') AND NOT EXISTS (
    SELECT FROM deliveries v WHERE v.order_id = o.id AND (
        v.attempt > 1 OR v.state NOT IN ('planned', 'cancelled')
        OR EXISTS (SELECT FROM delivery_events e WHERE e.delivery_id = v.id)))"""

NEW_ORDERS = f"""
INSERT INTO orders (id, seller_id, site_id, customer_id, address_id, address, code, source, service_on, shift, state,
                    state_at, placed_at)
SELECT s.order_id, :business_id, :site_id, s.customer_id, s.address_id, s.address, {code("s.order_id")},
       'subscription', :service_on, s.shift, 'planned', :now, :now
FROM plan_stops s WHERE NOT s.is_known"""

NEW_LINES = f"""
INSERT INTO order_lines (id, order_id, customer_id, service_on, shift, source, subscription_id,
    subscription_version_id, override_id, price_id, rule, product_id, product_name, unit, quantity, base_quantity,
    unit_price, currency, amount_minor, tax_class_id, planned_at)
SELECT l.line_id, s.order_id, l.customer_id, :service_on, l.shift, 'subscription', l.subscription_id,
       l.version_id, l.override_id, l.price_id, l.rule, l.product_id, l.product_name, l.unit, l.quantity,
       l.base_quantity, l.unit_price, l.currency, l.amount_minor, l.tax_class_id, :now
FROM plan_lines l JOIN plan_stops s ON {STOP_OF_LINE}
LEFT JOIN plan_open o ON o.order_id = s.order_id
WHERE l.was_in IS NULL AND l.unit_price IS NOT NULL AND (NOT s.is_known OR o.order_id IS NOT NULL)"""

ADJUSTED_LINES = f"""
UPDATE order_lines k SET order_id = s.order_id, subscription_version_id = l.version_id, override_id = l.override_id,
    price_id = l.price_id, rule = l.rule, product_id = l.product_id, product_name = l.product_name, unit = l.unit,
    quantity = l.quantity, base_quantity = l.base_quantity, unit_price = l.unit_price, currency = l.currency,
    amount_minor = l.amount_minor, tax_class_id = l.tax_class_id, cancelled_at = NULL, cancelled_by = NULL,
    planned_at = :now
FROM plan_lines l JOIN plan_stops s ON {STOP_OF_LINE}
LEFT JOIN plan_open o ON o.order_id = s.order_id
WHERE k.id = l.line_id AND (l.differs OR l.was_in <> s.order_id) AND l.unit_price IS NOT NULL
  AND (k.cancelled_at IS NULL OR k.cancelled_by = 'plan')
  AND l.was_in IN (SELECT order_id FROM plan_open) AND (NOT s.is_known OR o.order_id IS NOT NULL)
RETURNING k.id"""

CANCELLED_LINES = f"""
UPDATE order_lines SET cancelled_at = :now, cancelled_by = 'plan'
WHERE id IN (SELECT gone.id FROM ({NO_LONGER_DUE}) gone JOIN plan_open USING (order_id)) RETURNING id"""

EMPTIED_ORDERS = """
SELECT o.id FROM plan_open t JOIN orders o ON o.id = t.order_id
WHERE o.source = 'subscription' AND o.state IN ('placed', 'planned')
  AND NOT EXISTS (SELECT FROM order_lines l WHERE l.order_id = o.id AND l.cancelled_at IS NULL)"""

REVIVED_ORDERS = """
SELECT o.id FROM plan_open t JOIN orders o ON o.id = t.order_id
WHERE o.source = 'subscription' AND o.state = 'cancelled' AND EXISTS (
    SELECT FROM order_lines l JOIN plan_lines due ON due.line_id = l.id
    WHERE l.order_id = o.id AND l.cancelled_at IS NULL)"""

ADDRESSES = """
UPDATE orders o SET address = s.address, site_id = :site_id
FROM plan_stops s JOIN plan_open t ON t.order_id = s.order_id
WHERE o.id = s.order_id AND (o.address IS DISTINCT FROM s.address OR o.site_id <> :site_id)"""
"""Where an order goes, and which site brings it since its customer moved."""

NEW_DELIVERIES = """
INSERT INTO deliveries (id, order_id, customer_id, planned_on, shift, driver_id, attempt, state, state_at)
SELECT s.delivery_id, s.order_id, s.customer_id, :service_on, s.shift, s.driver_id, 1, 'planned', :now
FROM plan_stops s LEFT JOIN plan_open t ON t.order_id = s.order_id
WHERE NOT s.is_known OR t.order_id IS NOT NULL AND NOT EXISTS (SELECT FROM deliveries v WHERE v.id = s.delivery_id)"""

DRIVERS = f"""
UPDATE deliveries v SET driver_id = s.driver_id FROM plan_stops s JOIN plan_open t ON t.order_id = s.order_id
WHERE v.id = s.delivery_id AND v.driver_id IS DISTINCT FROM s.driver_id AND NOT {HELD}"""

FALLEN_DELIVERIES = """
SELECT v.id FROM plan_open t JOIN orders o ON o.id = t.order_id JOIN deliveries v ON v.order_id = o.id
WHERE v.state = :has AND o.state = :wants"""

NEW_DELIVERY_LINES = f"""
INSERT INTO delivery_lines (delivery_id, order_line_id, customer_id, service_on, ordered_quantity)
SELECT s.delivery_id, l.line_id, l.customer_id, :service_on, l.quantity
FROM plan_lines l JOIN plan_stops s ON {STOP_OF_LINE}
LEFT JOIN plan_open t ON t.order_id = s.order_id
LEFT JOIN plan_open before ON before.order_id = l.was_in
WHERE l.unit_price IS NOT NULL
  AND (NOT s.is_known OR t.order_id IS NOT NULL) AND (l.was_in IS NULL OR before.order_id IS NOT NULL)
  AND NOT (s.is_known AND EXISTS (
      SELECT FROM delivery_lines k WHERE k.delivery_id = s.delivery_id AND k.order_line_id = l.line_id))"""

DELIVERY_QUANTITIES = """
UPDATE delivery_lines k SET ordered_quantity = w.quantity FROM (
    SELECT k.id, CASE WHEN l.cancelled_at IS NULL AND l.order_id = t.order_id THEN l.quantity ELSE 0 END AS quantity
    FROM plan_open t JOIN deliveries v ON v.order_id = t.order_id JOIN delivery_lines k ON k.delivery_id = v.id
    JOIN order_lines l ON l.id = k.order_line_id) w
WHERE k.id = w.id AND k.ordered_quantity <> w.quantity"""
"""A line that was cancelled, or moved to another door, is owed nothing at this one."""

TOTALS = """
SELECT count(*) FILTER (WHERE attempt = 1) AS orders, count(*) AS stops, coalesce(sum(lines), 0)::bigint AS lines,
       coalesce(sum(amount_minor), 0)::bigint AS amount_minor, count(*) FILTER (WHERE driver_id IS NULL) AS unassigned
FROM (
    SELECT v.attempt, v.driver_id, count(*) AS lines, sum(l.amount_minor) AS amount_minor
    FROM deliveries v JOIN orders o ON o.id = v.order_id
    JOIN delivery_lines k ON k.delivery_id = v.id JOIN order_lines l ON l.id = k.order_line_id
    WHERE v.planned_on = :service_on AND o.site_id = :site_id AND v.state <> 'cancelled'
      AND l.cancelled_at IS NULL AND l.order_id = o.id
    GROUP BY v.id) stop"""

RUN = """
INSERT INTO plan_runs (site_id, service_on, first_planned_at, planned_at, line_count)
VALUES (:site_id, :service_on, :now, :now, :lines)
ON CONFLICT (site_id, service_on) DO UPDATE SET planned_at = excluded.planned_at, line_count = excluded.line_count"""

ASKED = "SELECT id FROM replan_requests WHERE site_id = :site_id AND service_on = :service_on"
"""What asks for this plan. Whatever those asked for is committed, so that every later statement sees it."""

ANSWERED = "DELETE FROM replan_requests WHERE id = ANY(CAST(:asked AS uuid[]))"
