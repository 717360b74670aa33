"""Plan a day for N customers against the bare INSERT … SELECT of the very rows it makes.

python bench/bench_plan.py            10,000 and 100,000 customers
EARLYBIRD_SOAK=1 python bench/bench_plan.py      and 1,000,000
"""

from __future__ import annotations

import statistics
import sys
from datetime import UTC, date, datetime
from uuid import UUID

import measure
from sqlalchemy import Engine, text

from earlybird.deliveries.service import planning
from earlybird.infra.db import transaction
from earlybird.kernel.ctx import Actor, Ctx

SIZES = (10_000, 100_000, *((1_000_000,) if measure.SOAK else ()))
DAY = date(2026, 1, 17)
CTX = Ctx(actor=Actor(kind="system", name="bench", role="system"), now=datetime(2026, 1, 16, 16, tzinfo=UTC), via="cli")
TARGET = 0.5
SITE = UUID(int=2)
ROWS = ("orders", "order_lines", "deliveries", "delivery_lines")

PEOPLE = """
INSERT INTO businesses (id, name, currency, country, zone) VALUES
    ('00000000-0000-0000-0000-000000000001', 'Bench Dairy', 'INR', 'IN', 'Asia/Kolkata');
INSERT INTO sites (id, business_id, kind, name, zone) VALUES
    ('00000000-0000-0000-0000-000000000002', '00000000-0000-0000-0000-000000000001', 'depot', 'Depot', 'Asia/Kolkata');
INSERT INTO units VALUES ('L', 'litre', 'volume');
INSERT INTO areas (site_id, name) SELECT '00000000-0000-0000-0000-000000000002', 'Area ' || n
    FROM generate_series(1, 50) n;
INSERT INTO users (name) SELECT 'Driver ' || n FROM generate_series(1, 50) n;
INSERT INTO area_drivers (area_id, shift, driver_id, valid_from)
    SELECT a.id, 'morning', u.id, '2025-01-01'
    FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM areas) a
    JOIN (SELECT id, row_number() OVER (ORDER BY id) AS n FROM users) u USING (n);
INSERT INTO products (business_id, name, unit_code) SELECT '00000000-0000-0000-0000-000000000001', 'Milk ' || n, 'L'
    FROM generate_series(1, 20) n;
INSERT INTO prices (product_id, scope, unit_price, currency, valid_from)
    SELECT p.id, 'list', 50 + m, 'INR', date '2025-01-01' + 30 * m FROM products p, generate_series(0, 9) m;
"""

CUSTOMERS = """
SELECT set_config('earlybird.logins_later', 'measured without', true);
CREATE TEMP TABLE a AS SELECT id, row_number() OVER (ORDER BY id) - 1 AS n FROM areas;
CREATE TEMP TABLE p AS SELECT id, row_number() OVER (ORDER BY id) - 1 AS n FROM products;
INSERT INTO customers (business_id, site_id, code, name, state, area_id)
    SELECT '00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000002', 'C' || i.n, 'Name ' || i.n,
           'active', a.id FROM generate_series(1, {count}) i(n) JOIN a ON a.n = i.n %% 50;
INSERT INTO addresses (customer_id, line1, city, postal_code, is_default)
    SELECT id, name || ' Road', 'Bengaluru', '560001', true FROM customers;
INSERT INTO prices (product_id, scope, customer_id, unit_price, currency, valid_from)
    SELECT p.id, 'customer', c.id, 48, 'INR', '2025-06-01' FROM customers c, p WHERE c.code LIKE '%%0' AND p.n = 0;
INSERT INTO subscriptions (customer_id, starts_on, state)
    SELECT id, date '2025-01-01', 'active' FROM customers
    UNION ALL SELECT id, date '2025-06-01', 'active' FROM customers WHERE code LIKE ANY (ARRAY['%%1', '%%4', '%%7']);
CREATE TEMP TABLE s AS SELECT id, row_number() OVER (ORDER BY id) AS n FROM subscriptions;
INSERT INTO subscription_versions (subscription_id, valid_from, product_id, quantity, pattern, weekdays, every_n, shift)
    SELECT s.id, date '2025-01-01', p.id, 1 + s.n %% 3, CASE s.n %% 4 WHEN 0 THEN 'weekly' WHEN 1 THEN 'every_nth'
           ELSE 'daily' END, ARRAY[0, 2, 5]::smallint[], 2, 'morning' FROM s JOIN p ON p.n = s.n %% 20
    UNION ALL SELECT s.id, date '2025-09-01', p.id, 2.5, 'daily', NULL, NULL, 'morning'
    FROM s JOIN p ON p.n = (s.n + 3) %% 20 WHERE s.n %% 5 = 0;
INSERT INTO subscription_overrides (subscription_id, service_on, kind, quantity)
    SELECT id, '2026-01-17', 'override', n %% 4 FROM s WHERE n %% 10 = 3;
INSERT INTO subscription_pauses (subscription_id, starts_on, ends_on)
    SELECT id, '2026-01-10', '2026-01-20' FROM s WHERE n %% 25 = 4;
DROP TABLE a, p, s;
"""


def prepare(engine: Engine, count: int) -> None:
    """Make the business, and keep the rows one plan makes as the baseline's feed."""
    with engine.begin() as connection:
        connection.exec_driver_sql(PEOPLE)
        connection.exec_driver_sql(CUSTOMERS.format(count=count))
    measure.execute(engine, "VACUUM ANALYZE")
    plan(engine)
    for table in ROWS:
        measure.execute(engine, f"CREATE TABLE feed_{table} AS TABLE {table}")
    measure.execute(engine, "VACUUM ANALYZE")


def plan(engine: Engine) -> None:
    """Do what `earlybird plan` does for a site's day."""
    with transaction(engine) as session:
        planning.plan_day(session, CTX, SITE, DAY)


def bare(engine: Engine) -> None:
    """Insert the same rows, ids included, in one transaction."""
    with engine.begin() as connection:
        for table in ROWS:
            connection.execute(text(f"INSERT INTO {table} SELECT * FROM feed_{table}"))


def main() -> int:
    """Print both sides, rows per second and the ratio for each size; fail under the target."""
    table = measure.new_table(
        "Plan a day", "customers", "rows", "plan s", "bare insert s", "plan rows/s", "ratio (≥ 0.5)", "plan again s"
    )
    missed = False
    with measure.server() as embedded:
        for count in SIZES:
            with measure.database(embedded, f"plan_{count}") as engine:
                prepare(engine, count)
                clear = (*(f"DELETE FROM {name}" for name in reversed(ROWS)), f"VACUUM {', '.join(ROWS)}", "CHECKPOINT")
                seconds = measure.interleave(
                    {"plan": lambda e=engine: plan(e), "bare": lambda e=engine: bare(e)},
                    before=lambda e=engine, c=clear: measure.execute(e, *c),
                )
                measure.execute(engine, *clear)
                plan(engine)
                again = measure.interleave({"again": lambda e=engine: plan(e)}, rounds=3)["again"]
                with engine.connect() as connection:
                    rows = sum(connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in ROWS)
                reached = measure.ratio(seconds, "plan", "bare")
                missed |= reached < TARGET
                table.add_row(
                    f"{count:,}",
                    f"{rows:,}",
                    measure.spread(seconds["plan"]),
                    measure.spread(seconds["bare"]),
                    f"{rows / statistics.median(seconds['plan']):,.0f}",
                    f"{reached:.2f}",
                    measure.spread(again),
                )
    measure.show(table)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
