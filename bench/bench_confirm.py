"""Confirm rounds of 200 stops from a file against `pgbench -c 8` calling a function that confirms one.

python bench/bench_confirm.py            20,000 deliveries a side and round
EARLYBIRD_SOAK=1 python bench/bench_confirm.py      100,000

Every side writes the event with its words, a line event per line, the delivered quantities and both
states, with synchronous_commit on. A lone confirmation leaves the three audit entries it leaves in
the product, a chunk its three; the bare function leaves none and bounds what a database alone can do.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import measure
from sqlalchemy import Engine, text

from earlybird.cli import confirm
from earlybird.infra.embedded import Embedded

STOPS = 200
COUNT = 100_000 if measure.SOAK else 20_000
TARGET = 1.4

PEOPLE = """
SELECT set_config('earlybird.logins_later', 'measured without', true);
INSERT INTO businesses (id, name, currency, country, zone) VALUES
    ('00000000-0000-0000-0000-000000000001', 'Bench Dairy', 'INR', 'IN', 'Asia/Kolkata');
INSERT INTO sites (id, business_id, kind, name, zone) VALUES
    ('00000000-0000-0000-0000-000000000002', '00000000-0000-0000-0000-000000000001', 'depot', 'Depot', 'Asia/Kolkata');
INSERT INTO units VALUES ('L', 'litre', 'volume');
INSERT INTO products (id, business_id, name, unit_code)
    SELECT new_id(), '00000000-0000-0000-0000-000000000001', 'Milk ' || n, 'L' FROM generate_series(1, 2) n;
INSERT INTO customers (business_id, site_id, code, name, state)
    SELECT '00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000002', 'C' || n, 'Customer ' || n,
           'active' FROM generate_series(1, 10000) n;
"""

PLANNED = """
CREATE TABLE feed AS SELECT n, 'p-' || n AS client_id, new_id() AS event_id, new_id() AS order_id,
    new_id() AS delivery_id, c.id AS customer_id
    FROM generate_series(1, {count}) n
    JOIN (SELECT id, row_number() OVER (ORDER BY id) AS k FROM customers) c ON c.k = n %% 10000 + 1;
ALTER TABLE feed ADD PRIMARY KEY (n);
INSERT INTO orders (id, seller_id, site_id, customer_id, source, service_on, shift, state)
    SELECT order_id, '00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000002', customer_id,
           'one_time', '2026-01-15', 'morning', 'planned' FROM feed;
INSERT INTO order_lines (order_id, customer_id, service_on, shift, source, product_id, product_name, unit, quantity,
    base_quantity, unit_price, currency, amount_minor)
    SELECT order_id, customer_id, '2026-01-15', 'morning', 'one_time', p.id, p.name, 'L', 2, 2, 60, 'INR', 12000
    FROM feed CROSS JOIN products p;
INSERT INTO deliveries (id, order_id, customer_id, planned_on, shift, state)
    SELECT delivery_id, order_id, customer_id, '2026-01-15', 'morning', 'planned' FROM feed;
INSERT INTO delivery_lines (delivery_id, order_line_id, customer_id, service_on, ordered_quantity)
    SELECT f.delivery_id, l.id, f.customer_id, '2026-01-15', l.quantity
    FROM feed f JOIN order_lines l USING (order_id);
CREATE SEQUENCE turn;
"""

CONFIRM_ONE = """
CREATE FUNCTION confirm_bare(turn bigint) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    f feed;
    o orders;
    d deliveries;
    at timestamptz := '2026-01-15 01:00:00+00';
    short boolean;
BEGIN
    SELECT * INTO f FROM feed WHERE n = turn;
    SELECT * INTO o FROM orders WHERE id = f.order_id FOR NO KEY UPDATE;
    SELECT * INTO d FROM deliveries WHERE order_id = o.id ORDER BY attempt DESC LIMIT 1;
    IF o.state = 'cancelled' OR abs(at::date - d.planned_on) > 1
       OR EXISTS (SELECT FROM delivery_events WHERE client_id = f.client_id OR delivery_id = d.id) THEN
        RETURN 'refused';
    END IF;
    INSERT INTO delivery_events (id, client_id, delivery_id, customer_id, service_on, kind, device, device_seq,
        device_at, received_at, actor_kind, actor_name, authority, via, told)
    SELECT f.event_id, f.client_id, d.id, d.customer_id, d.planned_on, 'confirm', 'phone', turn %% 200, at, now(),
        'user', 'Prakash', 3, 'file', jsonb_build_object('lines', jsonb_object_agg(l.id, l.ordered_quantity::text),
        'answer', 'accepted', 'outcome', 'delivered', 'digest', encode(sha256(f.client_id::bytea), 'hex'))
    FROM delivery_lines l WHERE l.delivery_id = d.id;
    INSERT INTO delivery_event_lines (event_id, delivery_line_id, customer_id, service_on, revision, delta_quantity)
    SELECT f.event_id, l.id, l.customer_id, l.service_on, 1, l.ordered_quantity - l.delivered_quantity
    FROM delivery_lines l WHERE l.delivery_id = d.id;
    UPDATE delivery_lines SET delivered_quantity = ordered_quantity WHERE delivery_id = d.id;
    SELECT bool_or(delivered_quantity < ordered_quantity) INTO short FROM delivery_lines WHERE delivery_id = d.id;
    UPDATE deliveries SET state = 'delivered', state_at = now() WHERE id = d.id AND NOT short;
    UPDATE orders SET state = 'delivered', state_at = now() WHERE id = o.id AND NOT short;
    RETURN 'delivered';
END $$;

CREATE FUNCTION confirm_one(turn bigint) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text := confirm_bare(turn);
BEGIN
    INSERT INTO audit_entries (at, actor_kind, actor_name, role, via, trace_id, action, entity, entity_id,
        before, after)
    SELECT now(), 'user', 'Prakash', 'driver', 'file', md5(f.client_id), a.action, a.entity, a.entity_id,
        CASE WHEN a.entity <> 'delivery_event' THEN '{"state": "planned"}'::jsonb END,
        jsonb_build_object('state', answer)
    FROM feed f CROSS JOIN LATERAL (VALUES ('deliveries.confirm', 'delivery_event', f.event_id),
        ('delivery.deliver', 'delivery', f.delivery_id), ('order.deliver', 'order', f.order_id))
        AS a(action, entity, entity_id) WHERE f.n = turn;
    RETURN answer;
END $$;
"""


def prepare(engine: Engine, count: int) -> None:
    """Plan as many deliveries as all rounds of both sides confirm."""
    with engine.begin() as connection:
        for statement in (PEOPLE, PLANNED.format(count=count), CONFIRM_ONE):
            connection.exec_driver_sql(statement)
    measure.execute(engine, "VACUUM ANALYZE", "CHECKPOINT")


def write(engine: Engine, file: Path, first: int) -> None:
    """Write the rounds' confirmations as a driver's devices would."""
    with engine.connect() as connection, file.open("w", encoding="utf-8") as out:
        for n, client_id, order_id in connection.execute(
            text("SELECT n, client_id, order_id FROM feed WHERE n >= :first ORDER BY n LIMIT :count"),
            {"first": first, "count": COUNT},
        ):
            line = {
                "client_id": client_id, "kind": "confirm", "order_id": str(order_id), "outcome": "delivered",
                "device": f"phone-{n // STOPS}", "device_seq": n % STOPS, "device_at": "2026-01-15T06:30:00+05:30",
                "actor": {"kind": "user", "name": "Prakash"},
            }  # fmt: skip
            out.write(json.dumps(line) + "\n")


def take(engine: Engine, file: Path) -> None:
    """Do what `earlybird confirm --file` does once it has its database."""
    tally = confirm.Tally(file.stat().st_size)
    with file.open("rb") as source:
        confirm.take(engine, source, tally, dry_run=False)
    if tally.summary()["outcomes"] != {"delivered": COUNT}:
        raise SystemExit(f"Not all were delivered: {tally.summary()}")


def pgbench(embedded: Embedded, script: Path) -> float:
    """Let 8 clients confirm one at a time; return transactions per second without connecting."""
    done = subprocess.run(
        [embedded.binaries().tool("pgbench"), "-n", "-c", "8", "-j", "2", "-t", str(COUNT // 8), "-M", "prepared",
         "-f", script, embedded.dsn("confirm")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    if not found:
        raise SystemExit(done.stderr)
    return float(found[1])


def paired(found: dict[str, list[float]], name: str) -> float:
    """Return the median over the rounds of how much faster the file was than `name` in the same round."""
    return statistics.median(ours / theirs for ours, theirs in zip(found["file"], found[name], strict=True))


def main() -> int:
    """Print both sides in deliveries per second and their ratio; fail under the target."""
    os.environ["EARLYBIRD_NOW"] = "2026-01-15T12:00:00+00:00"
    found: dict[str, list[float]] = {"file": [], "one": [], "bare": []}
    with (
        measure.server() as embedded,
        measure.database(embedded, "confirm") as engine,
        tempfile.TemporaryDirectory() as folder,
    ):
        Path(folder).chmod(0o755)
        scripts = {}
        for name in ("one", "bare"):
            scripts[name] = Path(folder) / f"{name}.sql"
            scripts[name].write_text(f"SELECT confirm_{name}(nextval('turn'));\n", encoding="utf-8")
        prepare(engine, 3 * measure.ROUNDS * COUNT)
        for n in range(measure.ROUNDS):
            file = Path(folder) / f"{n}.jsonl"
            write(engine, file, 3 * n * COUNT + 1)
            measure.execute(engine, f"SELECT setval('turn', {(3 * n + 1) * COUNT})", "CHECKPOINT")
            sides = ["file", "one", "bare"]
            for side in sides[n % 3 :] + sides[: n % 3]:
                if side == "file":
                    seconds = measure.interleave({"file": lambda f=file: take(engine, f)}, rounds=1)["file"][0]
                    found["file"].append(COUNT / seconds)
                else:
                    found[side].append(pgbench(embedded, scripts[side]))
        table = measure.new_table(f"Confirm {COUNT:,} deliveries of 2 lines", "side", "deliveries/s", "range", "ratio")
        middle = {name: statistics.median(speeds) for name, speeds in found.items()}
        for name, said in (
            ("file", "file, chunks of 500, one process"),
            ("one", "pgbench -c 8, one at a time"),
            ("bare", "pgbench -c 8, one at a time, no audit"),
        ):
            speeds = found[name]
            table.add_row(
                said,
                f"{middle[name]:,.0f}",
                f"{min(speeds):,.0f}-{max(speeds):,.0f}",
                f"{paired(found, name):.2f}",
            )
        measure.show(table)
        reached = paired(found, "one")
        print(f"ratio {reached:.2f} (target {TARGET})")
    return 0 if reached >= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
