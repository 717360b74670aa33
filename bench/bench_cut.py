"""Cutting a day of 20,000 stops into 200 rounds: the first time, again, and in the remembered order of the day before.

Beside it the bare INSERT of the same places. python bench/bench_cut.py [STOPS]
"""

from __future__ import annotations

import sys
import time
from datetime import date, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import measure

import make
from earlybird.infra.db import rows, run, transaction, value
from earlybird.kernel.ctx import SYSTEM, Ctx
from earlybird.routes.service import cutting
from make.month import NOW

DRIVERS = 200
DAYS = [date(2026, 1, 16) + timedelta(days=n) for n in range(3)]

SETUP = """
SELECT set_config('earlybird.logins_later', 'a bench', true);
INSERT INTO users (name, state) SELECT 'Driver ' || n, 'active' FROM generate_series(1, :drivers) n;
CREATE TEMP TABLE d ON COMMIT DROP AS
SELECT id, row_number() OVER (ORDER BY id) - 1 AS n FROM users WHERE name LIKE 'Driver %';
INSERT INTO customers (business_id, site_id, code, name, state)
SELECT :firm, :site, 'C-' || n, 'Household ' || n, 'active' FROM generate_series(1, :stops) n;
INSERT INTO addresses (customer_id, line1, is_default, latitude, longitude)
SELECT id, '12 Temple Road', true, 12.97 + (hashtext(code) % 1000) / 25000.0, 77.59 + (hashtext(name) % 1000) / 25000.0
FROM customers;
INSERT INTO orders (seller_id, site_id, customer_id, address_id, source, service_on, shift, state)
SELECT :firm, :site, c.id, a.id, 'subscription', CAST(:first AS date) + day, 'morning', 'planned'
FROM customers c JOIN addresses a ON a.customer_id = c.id, generate_series(0, :days - 1) day;
INSERT INTO deliveries (order_id, customer_id, planned_on, shift, driver_id)
SELECT o.id, o.customer_id, o.service_on, o.shift, d.id FROM orders o JOIN customers c ON c.id = o.customer_id
JOIN d ON d.n = substr(c.code, 3)::int % :drivers
"""

BARE = """INSERT INTO bare SELECT s.delivery_id, s.round_id, s.position, s.is_locked, s.is_held FROM round_stops s
JOIN rounds r ON r.id = s.round_id WHERE r.service_on = :on"""


def main() -> None:
    stops = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    ctx = Ctx(actor=SYSTEM, now=NOW, via="bench")
    with measure.server() as embedded, measure.database(embedded, "cutting") as engine:
        with transaction(engine) as session:
            firm = make.business(session)
            facts = {"firm": firm.id, "site": firm.site_id, "stops": stops, "drivers": DRIVERS, "first": DAYS[0],
                     "days": len(DAYS)}  # fmt: skip
            for statement in SETUP.split(";\n"):
                run(session, statement, {k: v for k, v in facts.items() if f":{k}" in statement})
        measure.execute(engine, "VACUUM ANALYZE", "CREATE TABLE bare (LIKE round_stops INCLUDING ALL)")
        for words, day in (("all doors new", DAYS[0]), ("again, nothing to do", DAYS[0]), ("remembered", DAYS[1]),
                           ("remembered", DAYS[2])):  # fmt: skip
            start = time.perf_counter()
            with transaction(engine) as session:
                done = cutting.cut(session, ctx, firm.site_id, day)
            print(f"{words:22} {time.perf_counter() - start:6.2f} s, {done.placed} stops placed")
            if day == DAYS[0]:
                with transaction(engine) as session:
                    for row in rows(session, "SELECT id FROM rounds"):
                        from earlybird.routes.service import standing

                        if not value(
                            session,
                            "SELECT count(*) FROM standing_stops s JOIN rounds r "
                            "ON r.standing_round_id = s.standing_round_id WHERE r.id = :r",
                            {"r": row["id"]},
                        ):
                            standing.remember(session, ctx, row["id"])
        start = time.perf_counter()
        with transaction(engine) as session:
            run(session, BARE, {"on": DAYS[2]})
        print(f"{'the bare insert':22} {time.perf_counter() - start:6.2f} s")
        start = time.perf_counter()
        cutting.cut_due(engine, ctx)
        print(f"{'looking for work':22} {time.perf_counter() - start:6.2f} s")


if __name__ == "__main__":
    main()
