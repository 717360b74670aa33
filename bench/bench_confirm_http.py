"""Confirm over HTTP, one stop a request and rounds of 200, against `pgbench -c 8` calling a function that confirms one.

python bench/bench_confirm_http.py            1,600 single confirmations a side and round
EARLYBIRD_SOAK=1 python bench/bench_confirm_http.py      16,000

One web process, then two; every 200 stops have a driver with a token of their own, eight of whom tap at a time over
connections that a client process keeps open.
The function leaves the same rows and audit entries; all sides run with synchronous_commit on. Seconds are those of each
single request as its client sees them, and of each transaction as pgbench logs it.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import measure
from bench_confirm import prepare
from sqlalchemy import Engine, text

from earlybird.identity import tokens
from earlybird.identity.service import grants
from earlybird.infra.db import driver, transaction
from earlybird.infra.embedded import Embedded
from earlybird.infra.security import Keys
from earlybird.kernel.ctx import EVERYWHERE, Actor, Ctx

CLIENTS = int(os.environ.get("C", "16"))
"""How many connections to the web are open at a time; pgbench has 8 to the database."""

ROUND = 200
COUNT = int(os.environ.get("N", "1600"))
TARGETS = {"single, one process": 0.25, "single, two processes": 0.35, "rounds of 200": 1.4}
SIDES = (*TARGETS, "pgbench")
SLOWEST = 15
"""How many times pgbench's p99 a single confirmation's may be."""

NOW = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
SECRET = bytes(range(32))

SIGNED_IN = """
CREATE TABLE drivers AS SELECT k, new_id() AS id FROM (SELECT DISTINCT (n - 1) / 200 AS k FROM feed) blocks;
INSERT INTO users (id, name, email, state)
    SELECT id, 'Prakash', 'd' || k || '@example.com', 'active' FROM drivers;
INSERT INTO memberships (user_id, role) SELECT id, 'driver' FROM drivers;
INSERT INTO sessions (user_id, kind, token_hash, created_at, expires_at)
    SELECT id, 'app', 'none ' || k, '2026-01-15 12:00:00+00', '2026-01-16 12:00:00+00' FROM drivers;
UPDATE deliveries d SET driver_id = w.id FROM feed f JOIN drivers w ON w.k = (f.n - 1) / 200 WHERE f.delivery_id = d.id;
"""

SERVER = """
import sys
from datetime import datetime
import uvicorn
from earlybird.infra import db
from earlybird.infra.security import Keys
from earlybird.main import create_app, settle
engine = db.connect(sys.argv[1], pool_size=16)
now = datetime.fromisoformat(sys.argv[2])
app = create_app(engine, lambda: now, keys=Keys(bytes(range(32))))
settle()
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[3]), log_level="warning", access_log=False)
"""


def sign_in(engine: Engine) -> dict[UUID, str]:
    """Give every 200 of the planned stops to a driver of their own; return the drivers' tokens."""
    ctx = Ctx(actor=Actor(kind="cli", name="bench", role="admin", reaches=EVERYWHERE), now=NOW, via="cli")
    keys = Keys(SECRET)
    with transaction(engine) as session:
        grants.seed(session, ctx)
        driver(session).execute(SIGNED_IN.encode())
        people = session.execute(text("SELECT user_id, id FROM sessions")).all()
    measure.execute(engine, "VACUUM ANALYZE")
    return {
        user_id: tokens.issue(keys, NOW, user_id=user_id, session_id=session_id, role="driver", customer_id=None)
        for user_id, session_id in people
    }


def requests(engine: Engine, drivers: dict[UUID, str], first: int, *, is_round: bool) -> list[bytes]:
    """Return whole HTTP requests for the planned deliveries from `first` on, the drivers in turn."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT f.client_id, f.order_id, f.delivery_id, d.driver_id FROM feed f "
                "JOIN deliveries d ON d.id = f.delivery_id WHERE n >= :first AND n < :last ORDER BY n"
            ),
            {"first": first, "last": first + COUNT},
        ).all()
    said = {"device_at": "2026-01-15T06:30:00+05:30", "outcome": "delivered"}
    found = []

    def add(driver_id: UUID, path: str, facts: object) -> None:
        body = json.dumps(facts)
        found.append(
            f"POST /api/{path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {drivers[driver_id]}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
        )

    if is_round:
        for n in range(0, COUNT, ROUND):
            told = rows[n : n + ROUND]
            items = [{**said, "client_id": c, "kind": "confirm", "order_id": str(o)} for c, o, _, _ in told]
            add(told[0].driver_id, "sync", {"device_id": f"phone {told[0].driver_id}", "confirmations": items})
    else:
        for n in sorted(range(COUNT), key=lambda n: n % ROUND):
            client_id, _, delivery_id, driver_id = rows[n]
            add(driver_id, f"deliveries/{delivery_id}/confirm", {**said, "client_id": client_id})
    return found


async def send_all(ports: list[int], waiting: list[bytes]) -> tuple[float, list[float]]:
    """Send the requests over open connections; return the seconds it took and those of each request.

    Anything but 200 ends the bench.
    """
    each: list[float] = []
    waiting.reverse()

    async def client(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while waiting:
            begun = time.perf_counter()
            writer.write(waiting.pop())
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
            body = await reader.readexactly(length)
            each.append(time.perf_counter() - begun)
            if b" 200 " not in head or b"rejected" in body:
                raise SystemExit((head + body).decode())
        writer.close()

    start = time.perf_counter()
    await asyncio.gather(*(client(ports[n % len(ports)]) for n in range(CLIENTS)))
    return time.perf_counter() - start, each


def pgbench(embedded: Embedded, script: Path) -> tuple[float, list[float]]:
    """Let 8 clients confirm one at a time; return transactions per second and the seconds of each."""
    done = subprocess.run(
        [embedded.binaries().tool("pgbench"), "-n", "-c", "8", "-j", "2", "-t", str(COUNT // 8), "-M", "prepared",
         "-l", "--log-prefix", script.with_suffix(""), "-f", script, embedded.dsn("confirm")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    if not found:
        raise SystemExit(done.stderr)
    each = []
    for file in script.parent.glob(f"{script.stem}.[0-9]*"):
        each += [int(line.split()[2]) / 1e6 for line in file.read_text().splitlines()]
        file.unlink()
    return float(found[1]), each


def p99(seconds: list[float]) -> float:
    """Return the 99th percentile."""
    return sorted(seconds)[len(seconds) * 99 // 100]


@contextmanager
def serving(embedded: Embedded, count: int) -> Iterator[list[int]]:
    """Yield the ports of so many web processes on the database."""
    first = 18_200 + os.getpid() % 1000 * 2
    ports = [first + n for n in range(count)]
    started = [
        subprocess.Popen([sys.executable, "-c", SERVER, embedded.url("confirm"), NOW.isoformat(), str(port)])
        for port in ports
    ]
    try:
        yield ports
    finally:
        for web in started:
            web.terminate()
            web.wait()


def wait_for(port: int) -> None:
    """Wait until a web process answers."""

    async def ask() -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()

    for _ in range(600):
        try:
            asyncio.run(ask())
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("The web process does not answer.")


def main() -> int:
    """Print all sides in deliveries per second, their ratios and p99s; fail where one stays under its target."""
    speeds: dict[str, list[float]] = {side: [] for side in SIDES}
    slow: dict[str, list[float]] = {side: [] for side in SIDES}
    os.environ["EARLYBIRD_REQUESTS_PER_MINUTE"] = "100000000"
    with (
        measure.server() as embedded,
        measure.database(embedded, "confirm") as engine,
        tempfile.TemporaryDirectory() as folder,
    ):
        Path(folder).chmod(0o777)
        script = Path(folder) / "one.sql"
        script.write_text("SELECT confirm_one(nextval('turn'));\n", encoding="utf-8")
        prepare(engine, (len(SIDES) * measure.ROUNDS + 1) * COUNT)
        drivers = sign_in(engine)
        with serving(embedded, 2) as ports:
            for port in ports:
                wait_for(port)
            warm = requests(engine, drivers, len(SIDES) * measure.ROUNDS * COUNT + 1, is_round=False)
            asyncio.run(send_all(ports, warm[:400]))
            for n in range(measure.ROUNDS):
                turn = n % len(SIDES)
                for side in SIDES[turn:] + SIDES[:turn]:
                    first = (len(SIDES) * n + SIDES.index(side)) * COUNT + 1
                    measure.execute(engine, f"SELECT setval('turn', {first}, false)", "CHECKPOINT")
                    if side == "pgbench":
                        speed, each = pgbench(embedded, script)
                    else:
                        waiting = requests(engine, drivers, first, is_round=side.startswith("rounds"))
                        seconds, each = asyncio.run(send_all(ports if "two" in side else ports[:1], waiting))
                        speed = COUNT / seconds
                    speeds[side].append(speed)
                    slow[side].append(p99(each))
    table = measure.new_table(
        f"Confirm {COUNT:,} deliveries of 2 lines",
        "side",
        "deliveries/s",
        "range",
        "ratio",
        "target",
        "p99 ms",
        "times",
    )
    reached, tail = {}, {}
    for side in SIDES:
        reached[side] = statistics.median(a / b for a, b in zip(speeds[side], speeds["pgbench"], strict=True))
        tail[side] = statistics.median(a / b for a, b in zip(slow[side], slow["pgbench"], strict=True))
        table.add_row(
            side,
            f"{statistics.median(speeds[side]):,.0f}",
            f"{min(speeds[side]):,.0f}-{max(speeds[side]):,.0f}",
            f"{reached[side]:.2f}",
            str(TARGETS.get(side, "")),
            f"{statistics.median(slow[side]) * 1000:.0f}",
            f"{tail[side]:.1f}",
        )
    measure.show(table)
    print(f"p99 of single confirmations may be {SLOWEST} times that of pgbench")
    is_fast = all(reached[side] >= target for side, target in TARGETS.items())
    return 0 if is_fast and all(tail[side] <= SLOWEST for side in SIDES if side.startswith("single")) else 1


if __name__ == "__main__":
    sys.exit(main())
