"""A business taken over whose steps are still to be applied, of any size, written in whole sets."""

from __future__ import annotations

import measure
from sqlalchemy import Engine

DAYS = 500
"""Legacy deliveries of a customer: a standing order on most days, a one-time order on every fifth."""

ONE_TIME_EVERY = 5

MADE = """
SELECT set_config('earlybird.logins_later', 'login_to_customer opens them', true);
SELECT set_config('earlybird.history', 'yes', true);
INSERT INTO businesses (id, name, currency, country, zone, cutover_on) VALUES
    ('00000000-0000-0000-0000-000000000001', 'Bench Dairy', 'INR', 'IN', 'Asia/Kolkata', '2026-02-01');
INSERT INTO sites (id, business_id, kind, name, zone) VALUES
    ('00000000-0000-0000-0000-000000000002', '00000000-0000-0000-0000-000000000001', 'depot', 'Depot', 'Asia/Kolkata');
INSERT INTO units VALUES ('L', 'litre', 'volume');
INSERT INTO products (id, business_id, name, unit_code) VALUES
    ('00000000-0000-0000-0000-000000000003', '00000000-0000-0000-0000-000000000001', 'Milk', 'L');
INSERT INTO policies (name, value, set_at, set_by) VALUES
    ('charge_one_time_orders', 'false', now(), 'import'), ('check_quantities', 'false', now(), 'import');
CREATE TABLE bench_customer AS
    SELECT n, new_id() AS id, new_id() AS subscription_id FROM generate_series(1, {customers}) n;
INSERT INTO customers (id, business_id, site_id, code, name, state)
    SELECT id, '00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000002', 'C' || n,
           'Customer ' || n, 'active' FROM bench_customer;
INSERT INTO legacy_parties (source, party, kind, customer_id)
    SELECT 'earlybird', 'c' || n, 'customer', id FROM bench_customer;
INSERT INTO subscriptions (id, customer_id, starts_on, state)
    SELECT subscription_id, id, '2024-01-01', 'active' FROM bench_customer;
INSERT INTO subscription_versions (subscription_id, valid_from, product_id, quantity, pattern, agreed_price, shift)
    SELECT subscription_id, '2024-01-01', '00000000-0000-0000-0000-000000000003', 2, 'daily', 60, 'morning'
    FROM bench_customer;
INSERT INTO legacy_documents (id, source, collection, ident, key, line, digest, verdict, facts, run_id)
    SELECT subscription_id, 'earlybird', 'subscriptions_v2', 's' || n, 's' || n, n, '', 'imported', '{{}}', new_id()
    FROM bench_customer;
CREATE TABLE bench_told AS
    SELECT c.n, c.id AS customer_id, d AS day, CAST('2026-01-31' AS date) - d AS service_on,
           mod(d, {one_time_every}) = 0 AS is_one_time, new_id() AS order_id, new_id() AS legacy_id
    FROM bench_customer c CROSS JOIN generate_series(1, {days}) d;
INSERT INTO orders (id, seller_id, site_id, customer_id, source, service_on, shift, state)
    SELECT order_id, '00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000002', customer_id,
           'one_time', service_on, 'morning', 'placed' FROM bench_told WHERE is_one_time;
INSERT INTO order_lines (order_id, customer_id, service_on, shift, source, product_id, product_name, unit, quantity,
    base_quantity, unit_price, currency, amount_minor)
    SELECT order_id, customer_id, service_on, 'morning', 'one_time', '00000000-0000-0000-0000-000000000003', 'Milk',
           'L', 2, 2, 60, 'INR', 12000 FROM bench_told WHERE is_one_time;
INSERT INTO legacy_documents (id, source, collection, ident, key, line, digest, verdict, facts, run_id)
    SELECT order_id, 'earlybird', 'orders', concat_ws('-', 'o', n, day), concat_ws('-', 'o', n, day), n * {days} + day,
           '', 'imported', '{{"status": "delivered", "lines": [{{"delivered": "2"}}]}}', new_id()
    FROM bench_told WHERE is_one_time;
INSERT INTO legacy_deliveries (id, source, collection, key, customer_id, customer_key, order_key, service_on, status,
    told_at, line, is_early, speaks_morning, speaks_evening, method)
    SELECT legacy_id, 'earlybird', 'delivery_statuses', concat_ws('-', n, day), customer_id, 'c' || n,
           CASE WHEN is_one_time AND mod(day, 2) = 0 THEN concat_ws('-', 'o', n, day) END, service_on, 'delivered',
           service_on + time '06:00', n * {days} + day, false, NOT is_one_time, false, 'shared_link' FROM bench_told;
INSERT INTO legacy_bills (source, party, month, customer_id, delivered_minor, one_time_minor, first_view_minor,
    second_view_minor, paid_minor, currency)
    SELECT 'earlybird', 'c' || n, to_char(service_on, 'YYYY-MM'), customer_id, 0, 0,
           12000 * count(*) FILTER (WHERE NOT is_one_time), 0, 0, 'INR'
    FROM bench_told GROUP BY n, customer_id, to_char(service_on, 'YYYY-MM');
"""

PLANNED = """
SELECT set_config('earlybird.history', 'yes', true);
CREATE TABLE bench_planned AS
    SELECT g.n, new_id() AS order_id, new_id() AS delivery_id, c.id AS customer_id
    FROM generate_series(1, {count}) AS g (n) JOIN bench_customer c ON c.n = mod(g.n, {customers}) + 1;
INSERT INTO orders (id, seller_id, site_id, customer_id, source, service_on, shift, state)
    SELECT order_id, '00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000002', customer_id,
           'one_time', '2026-02-02', 'morning', 'planned' FROM bench_planned;
INSERT INTO order_lines (order_id, customer_id, service_on, shift, source, product_id, product_name, unit, quantity,
    base_quantity, unit_price, currency, amount_minor)
    SELECT order_id, customer_id, '2026-02-02', 'morning', 'one_time', '00000000-0000-0000-0000-000000000003', 'Milk',
           'L', 2, 2, 60, 'INR', 12000 FROM bench_planned;
INSERT INTO deliveries (id, order_id, customer_id, planned_on, shift, state)
    SELECT delivery_id, order_id, customer_id, '2026-02-02', 'morning', 'planned' FROM bench_planned;
INSERT INTO delivery_lines (delivery_id, order_line_id, customer_id, service_on, ordered_quantity)
    SELECT p.delivery_id, l.id, p.customer_id, '2026-02-02', l.quantity
    FROM bench_planned p JOIN order_lines l USING (order_id);
"""


def write(engine: Engine, lines: int, planned: int) -> None:
    """Write a business with `lines` legacy deliveries to be tied, and `planned` stops of a day that is on its way."""
    customers = max(lines // DAYS, 8)
    facts = {"customers": customers, "days": DAYS, "one_time_every": ONE_TIME_EVERY}
    with engine.begin() as connection:
        connection.exec_driver_sql(MADE.format(**facts))
    with engine.begin() as connection:
        connection.exec_driver_sql(PLANNED.format(count=planned, **facts))
    measure.execute(engine, "VACUUM ANALYZE", "CHECKPOINT")


def forget(engine: Engine) -> None:
    """Drop the tables the business was written with: they are not the product's, and a step that verifies says so."""
    with engine.begin() as connection:
        names = connection.exec_driver_sql(
            "SELECT string_agg(relname, ', ') FROM pg_class WHERE relkind = 'r' AND relname ~ '^(bench|bare)_'"
        ).scalar()
        connection.exec_driver_sql(f"DROP TABLE {names}")
