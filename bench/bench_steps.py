"""Steps on a generated business: against bare statements, beside people who confirm, and taken back in an emergency.

python bench/bench_steps.py [--lines 1000000] [--only rates|live|rollback]

Rates: rows per second of `apply` (residue, digests and check with it) and of `revert`, against one bare INSERT or
UPDATE of the same rows, and one bare DELETE or UPDATE back. Live: eight clients confirm through the product's own
door, in a process of their own, without and with a step on its way. Rollback: `earlybird rollback --to 19`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import measure
import taken_over
from sqlalchemy import Engine, text

from earlybird.backups.service import Terms
from earlybird.deploy import rollback
from earlybird.deploy.place import Place
from earlybird.infra.ports.files import FolderFiles
from earlybird.infra.security import Keys
from earlybird.kernel.ctx import EVERYWHERE, Actor, Ctx
from earlybird.migrations import service as steps
from earlybird.migrations.errors import StepPaused

NOW = datetime(2026, 2, 2, 3, tzinfo=UTC)
CTX = Ctx(actor=Actor(kind="system", name="bench", role="admin", reaches=EVERYWHERE), now=NOW, via="import")
LEAST, MOST, LONGEST_WAIT, EMERGENCY = 0.4, 2.0, 100.0, 300.0
MADE = {
    "19": ("orders", "order_lines"),
    "20": ("deliveries", "delivery_lines", "delivery_events", "delivery_event_lines"),
}

CLIENTS = """
import json, random, sys, threading, time
from datetime import datetime
from uuid import UUID
from earlybird.deliveries.schemas.told import Confirmation
from earlybird.deliveries.service import door
from earlybird.infra import db
from earlybird.kernel.ctx import EVERYWHERE, Actor, Ctx
url, now, seconds = sys.argv[1], datetime.fromisoformat(sys.argv[2]), float(sys.argv[3])
ids = sys.stdin.read().split()
engine = db.connect(url, pool_size=8)
ctx = Ctx(actor=Actor(kind="user", name="Asha", role="admin", reaches=EVERYWHERE), now=now, via="api")
took, failed = [], []
until = time.monotonic() + seconds
def client(number):
    for each in ids[number::8]:
        if time.monotonic() > until:
            return
        told = {"client_id": each, "kind": "confirm", "order_id": each, "outcome": "delivered", "device_at": now}
        began = time.perf_counter()
        with db.transaction(engine) as session:
            answer = door.confirm(session, ctx, Confirmation.model_validate(told)).answer
        took.append(time.perf_counter() - began)
        if answer != "accepted":
            failed.append(answer)
        time.sleep(0.1)
for client_of in [threading.Thread(target=client, args=(n,)) for n in range(8)]:
    client_of.start()
for thread in threading.enumerate():
    if thread is not threading.main_thread() and not thread.daemon:
        thread.join()
print(json.dumps({"took": took, "failed": failed}))
"""

WAITS = text(
    "SELECT coalesce(max(extract(epoch FROM clock_timestamp() - l.waitstart)) * 1000, 0) FROM pg_locks l "
    "JOIN pg_stat_activity a USING (pid) WHERE NOT l.granted AND a.application_name <> 'earlybird steps'"
)


def timed(work: Callable[[], object]) -> float:
    """Return the seconds a piece of work takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def apply(engine: Engine, name: str) -> int:
    """Apply a step; return how many rows it wrote."""
    return sum(steps.apply(engine, CTX, steps.find(name)).values())


def revert(engine: Engine, name: str) -> None:
    """Take a step back; it must be whole."""
    found = steps.revert(engine, CTX, steps.find(name), confirmed=steps.find(name).name, reason="measured")
    if not found.is_whole:
        raise SystemExit(f"Step {name} did not go back whole: {found.stands}")


def bare(engine: Engine, *statements: str) -> float:
    """Return the seconds of statements in one transaction, as the owner who may take back."""
    with engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL earlybird.step = '1'")
        return timed(lambda: [connection.exec_driver_sql(statement) for statement in statements])


def rates(engine: Engine, rounds: int) -> bool:
    """Measure steps 19, 20 and 22 there and back against the bare statements of the same rows."""
    table = measure.new_table(
        "Steps against bare statements", "step", "rows", "rows/s", "apply / bare", "revert / bare"
    )
    good = True
    for name in ("19", "20", "22"):
        found: dict[str, list[float]] = {"apply": [], "revert": [], "bare": [], "bare back": []}
        count = 0
        for n in range(rounds):
            began = time.perf_counter()
            count = apply(engine, name) or count
            found["apply"].append(time.perf_counter() - began)
            if n == 0:
                _keep(engine, name)
            found["revert"].append(timed(lambda name=name: revert(engine, name)))
            there, back = _bare(name)
            found["bare"].append(bare(engine, *there))
            found["bare back"].append(bare(engine, *back))
            with engine.begin() as connection:  # so that each round does the work anew, and does not put back
                connection.exec_driver_sql(
                    f"DELETE FROM step_residue WHERE step_id = (SELECT id FROM steps WHERE number = {name})"
                )
            measure.execute(engine, "VACUUM ANALYZE", "CHECKPOINT")
        one, other = measure.ratio(found, "apply", "bare"), measure.ratio(found, "revert", "bare back")
        good &= one >= LEAST and other >= LEAST
        speed = count / statistics.median(found["apply"])
        table.add_row(name, f"{count:,}", f"{speed:,.0f}", f"{one:.2f}", f"{other:.2f}")
        apply(engine, name)
        measure.execute(engine, "VACUUM ANALYZE")
    measure.show(table)
    return good


def _keep(engine: Engine, name: str) -> None:
    """Keep the rows a step wrote, for the bare statements."""
    with engine.begin() as connection:
        if name == "22":
            connection.exec_driver_sql("CREATE TABLE bare_state AS SELECT id, state, state_at FROM orders o "
                                       "WHERE state = 'delivered'")  # fmt: skip
            connection.exec_driver_sql("ALTER TABLE bare_state ADD PRIMARY KEY (id)")
            return
        for table in MADE[name]:
            connection.exec_driver_sql(
                f"CREATE TABLE bare_{table} AS SELECT t.* FROM {table} t WHERE id IN (SELECT unnest(ids) "
                f"FROM step_residue WHERE table_name = '{table}' AND verb = 'insert')"
            )


def _bare(name: str) -> tuple[list[str], list[str]]:
    """Return the statements that write a step's rows, and those that take them away."""
    if name == "22":
        put = "UPDATE orders o SET state = {}, state_at = b.state_at FROM bare_state b WHERE b.id = o.id"
        before = "CASE o.source WHEN 'one_time' THEN 'placed' ELSE 'planned' END"
        return [put.format("b.state")], [put.format(before)]
    there = [f"INSERT INTO {table} SELECT * FROM bare_{table}" for table in MADE[name]]
    back = [f"DELETE FROM {table} t USING bare_{table} b WHERE b.id = t.id" for table in MADE[name][::-1]]
    if name == "20":  # the work list that a trigger fills has no foreign key
        back.append("DELETE FROM uncharged_lines u USING bare_delivery_event_lines b WHERE b.id = u.event_line_id")
    return there, back


class Waits:
    """Looks every few milliseconds how long somebody else waits for a lock."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.longest = engine, 0.0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()

    def _look(self) -> None:
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            while not self.over.wait(0.005):
                self.longest = max(self.longest, float(connection.execute(WAITS).scalar() or 0))


def confirming(url: str, seconds: float, ids: list[str]) -> list[float]:
    """Let eight clients confirm for so long; return how long each confirmation took."""
    words = [sys.executable, "-c", CLIENTS, url, NOW.isoformat(), str(seconds)]
    done = subprocess.run(words, input="\n".join(ids), capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    if told["failed"]:
        raise SystemExit(f"Refused: {told['failed'][:3]}")
    return sorted(told["took"])


def live(engine: Engine, url: str, rounds: int) -> bool:
    """Measure confirmations without and with step 20 on its way, in turns."""
    with engine.connect() as connection:
        ids = [str(row[0]) for row in connection.execute(text("SELECT order_id FROM bench_planned ORDER BY n"))]
    share = len(ids) // (2 * rounds)
    calm: list[float] = []
    busy: list[float] = []
    longest = 0.0
    for n in range(rounds):
        calm += confirming(url, 8, ids[2 * n * share : (2 * n + 1) * share])
        over = threading.Event()

        def there_and_back(over: threading.Event = over) -> None:
            with suppress(StepPaused):
                while not over.is_set():
                    (revert if _stands(engine, "20") else apply)(engine, "20")

        runner = threading.Thread(target=there_and_back)
        with Waits(engine) as waits:
            runner.start()
            busy += confirming(url, 8, ids[(2 * n + 1) * share : 2 * (n + 1) * share])
            over.set()
            with engine.begin() as connection:
                connection.exec_driver_sql("UPDATE steps SET wish = 'pause' WHERE state = 'applying'")
            runner.join()
        longest = max(longest, waits.longest)
    if not _stands(engine, "20"):
        apply(engine, "20")
    table = measure.new_table("Eight clients confirm", "", "confirmations", "p50 ms", "p99 ms")
    for name, took in (("no step", calm), ("step 20 there and back", busy)):
        cuts = statistics.quantiles(took, n=100)
        table.add_row(name, f"{len(took):,}", f"{cuts[49] * 1000:.1f}", f"{cuts[98] * 1000:.1f}")
    measure.show(table)
    ratio = statistics.quantiles(busy, n=100)[98] / statistics.quantiles(calm, n=100)[98]
    print(
        f"p99 {ratio:.2f} times (at most {MOST}); longest lock wait seen {longest:.0f} ms (at most {LONGEST_WAIT:.0f})"
    )
    return ratio <= MOST and longest <= LONGEST_WAIT


def _stands(engine: Engine, name: str) -> bool:
    return any(row["state"] == "applied" for row in steps.listing(engine) if str(row["number"]) == name)


def emergency(engine: Engine) -> bool:
    """Take every step back in an emergency; each phase timed."""
    began = time.perf_counter()
    taken_over.forget(engine)
    for step in steps.STEPS:
        steps.apply(engine, CTX, step)
    print(f"all steps applied in {time.perf_counter() - began:.0f} s")
    with tempfile.TemporaryDirectory() as folder:
        keys = Keys.random()
        place = Place(
            home=Path(folder) / "backups",
            files=FolderFiles(Path(folder) / "files"),
            checkpoint_file=Path(folder) / "checkpoints.jsonl",
            keys=keys,
            key=keys,
            terms=Terms(is_production=False, fresh_hours=24),
        )
        report = rollback.Report(lambda phase: print("…", phase, flush=True))
        down = rollback.wanted(engine, "19")
        rollback.run(engine, CTX, place, down, reason="measured", patience=5, report=report)
    table = measure.new_table("rollback --to 19", "phase", "seconds", "rows")
    for phase in report.phases:
        table.add_row(phase.name, f"{phase.seconds:.1f}", f"{sum(phase.result.get('rows', {}).values()):,}")
    whole = sum(phase.seconds for phase in report.phases)
    table.add_row("all", f"{whole:.1f}", "")
    measure.show(table)
    return whole <= EMERGENCY


def main() -> int:
    """Print what was measured; fail under the targets."""
    told = argparse.ArgumentParser()
    told.add_argument("--lines", type=int, default=1_000_000 if measure.SOAK else 100_000)
    told.add_argument("--rounds", type=int, default=3)
    told.add_argument("--only", choices=("rates", "live", "rollback"))
    wanted = told.parse_args()
    good = True
    with measure.server() as embedded, measure.database(embedded, "steps") as engine:
        took = timed(lambda: taken_over.write(engine, wanted.lines, planned=40_000))
        print(f"{wanted.lines:,} legacy deliveries written in {took:.0f} s", flush=True)
        if wanted.only in (None, "rates"):
            good &= rates(engine, wanted.rounds)
        if wanted.only in (None, "live"):
            for name in ("19", "20"):
                if not _stands(engine, name):
                    apply(engine, name)
            good &= live(engine, embedded.url("steps"), wanted.rounds)
        if wanted.only in (None, "rollback"):
            good &= emergency(engine)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
