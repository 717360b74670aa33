"""Taking a business over: the report is the reference's, whatever the decay, and every way there ends the same."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from conftest import NOW, SOAK, scratch
from earlybird import schema
from earlybird.importers import earlybird as legacy
from earlybird.infra import db
from earlybird.infra.embedded import Embedded
from earlybird.kernel.ctx import Actor, Ctx
from earlybird.migrations import service as steps
from earlybird.reconcile import service as proof
from importers import canonical, oracle
from make import decay, dump

CHECKER = dump.SHARED / "legacy" / "check_earlybird_truth.py"
TRUTH = dump.SHARED / "legacy" / "earlybird" / "truth.json.gz"

IMPORTER = Ctx(actor=Actor(kind="system", name="import", role="admin"), now=NOW, via="import")
SEEDS = range(400) if SOAK else range(5)
HOUSEHOLDS = 3
"""A seed whose dump has something of everything and takes a second."""

Command = Callable[..., subprocess.CompletedProcess[str]]


def link(engine: Engine) -> None:
    for step in steps.STEPS:
        if not step.is_structural:
            steps.apply(engine, IMPORTER, step)


def take_over(engine: Engine, folder: Path, *, linked: bool = True) -> dict[str, Any]:
    taken = legacy.take_over(engine, IMPORTER, folder, link=(lambda: link(engine)) if linked else None)
    return legacy.report(engine, taken)


def wrong(engine: Engine) -> list[str]:
    """What the proof calls an error."""
    with db.rehearsal(engine) as session:
        return [f"{a.check.name}: {list(a.found)[:2]}" for a in proof.ask(session, IMPORTER) if a.is_error]


def test_the_sample_is_taken_over_as_the_reference_reads_it_and_as_it_truly_was(
    earlybird: Command, fresh: Engine, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    done = earlybird("import", "earlybird", str(dump.SAMPLE), "--report", str(report))
    assert done.returncode == 0, done.stderr
    found = json.loads(report.read_text())
    assert oracle.differences(oracle.report_of(dump.SAMPLE), oracle.comparable(found)) == []
    assert wrong(fresh) == []
    if not TRUTH.exists():
        pytest.skip(f"the truth of the sample is not at {TRUTH}; everything else held")
    judged = subprocess.run(
        [sys.executable, str(CHECKER), str(TRUTH), str(report), "--money"], capture_output=True, text=True, check=False
    )
    assert judged.returncode == 0, judged.stdout


@pytest.mark.parametrize("seed", SEEDS)
def test_a_decayed_dump_is_taken_over_as_the_reference_reads_it(seed: int, fresh: Engine, tmp_path: Path) -> None:
    folder = decay.write(seed, tmp_path / "dump")
    found = take_over(fresh, folder)
    assert oracle.differences(oracle.report_of(folder), oracle.comparable(found)) == []
    assert wrong(fresh) == []


@pytest.fixture
def another(server: Embedded) -> Iterator[Engine]:
    """A second database beside `fresh`."""
    with scratch(server) as url:
        engine = db.connect(url)
        yield engine
        engine.dispose()


@pytest.fixture
def some(tmp_path: Path) -> Path:
    """A decayed dump."""
    return decay.write(HOUSEHOLDS, tmp_path / "dump")


def test_the_same_dump_again_changes_nothing_and_two_at_once_are_as_one(
    fresh: Engine, some: Path, tmp_path: Path, fresh_url: str, another: Engine
) -> None:
    first = take_over(fresh, some)
    whole = canonical.state(fresh)
    assert take_over(fresh, some) == first
    assert canonical.unlike(whole, canonical.state(fresh)) == {}
    both = [importing(str(another.url.render_as_string(hide_password=False)), some) for _ in range(2)]
    assert [process.wait(120) for process in both] == [0, 0]
    assert canonical.unlike(whole, canonical.state(another)) == {}
    assert wrong(another) == []


def importing(url: str, folder: Path) -> subprocess.Popen[bytes]:
    """The real command, running."""
    return subprocess.Popen(
        [sys.executable, "-m", "earlybird", "import", "earlybird", str(folder)],
        env=os.environ | {"EARLYBIRD_DATABASE_URL": url, "EARLYBIRD_NOW": NOW.isoformat()},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_steps_one_by_one_change_what_their_plan_said_and_end_where_the_import_ends(
    fresh: Engine, another: Engine, some: Path
) -> None:
    whole_report = take_over(fresh, some)
    bare_report = take_over(another, some, linked=False)
    assert bare_report["links"]["deliveries_to_orders"] == {}
    for step in steps.STEPS:
        before = canonical.state(another)
        planned = steps.plan(another, IMPORTER, step)
        assert canonical.unlike(before, canonical.state(another)) == {}, step.name
        if step.is_structural:
            continue
        assert steps.apply(another, IMPORTER, step) == planned.rows, step.name
        assert not any(steps.plan(another, IMPORTER, step).rows.values()), step.name
    assert canonical.unlike(canonical.state(fresh), canonical.state(another)) == {}
    with db.rehearsal(another) as session:
        taken = {name: counts.as_report() for name, counts in last_counts(session).items()}
    assert oracle.differences(oracle.comparable(whole_report), oracle.comparable(legacy.report(another, taken))) == []


def last_counts(session: Any) -> Any:
    from earlybird.importers.earlybird import intake

    return intake.counts_of_run(session, db.value(session, "SELECT id FROM import_runs ORDER BY id DESC LIMIT 1"))


KILLED = """
import itertools, os, signal, sys
from datetime import datetime
from pathlib import Path
from sqlalchemy import Engine, event
from earlybird import schema
from earlybird.importers import earlybird as legacy
from earlybird.infra import db
from earlybird.kernel.ctx import Actor, Ctx
from earlybird.migrations import service as steps

url, folder, now, last, victim = sys.argv[1:]
ctx = Ctx(actor=Actor(kind="system", name="import", role="admin"), now=datetime.fromisoformat(now), via="import")
engine = db.connect(url)
count = itertools.count(1)

@event.listens_for(engine, "before_cursor_execute")
def kill(*_):
    if next(count) == int(last):
        os.kill(int(victim) or os.getpid(), signal.SIGKILL)

legacy.take_over(engine, ctx, Path(folder), link=lambda: [steps.apply(engine, ctx, step) for step in steps.STEPS if not step.is_structural])
print(next(count) - 1)
"""


def killed_at(statement: int, url: str, folder: Path, victim: int = 0) -> subprocess.CompletedProcess[str]:
    """Take over until the given statement, and there kill the process, or the server's first process."""
    words = (url, str(folder), NOW.isoformat(), str(statement), str(victim))
    return subprocess.run([sys.executable, "-c", KILLED, *words], capture_output=True, text=True, check=False)


def plain(engine: Engine) -> str:
    return str(engine.url.render_as_string(hide_password=False))


def test_killed_at_any_statement_and_repeated_it_ends_the_same(fresh: Engine, server: Embedded, some: Path) -> None:
    whole = killed_at(0, plain(fresh), some)
    statements, wanted = int(whole.stdout), canonical.state(fresh)
    instants = random.Random(7)
    for _ in range(50 if SOAK else 2):
        instant = instants.randrange(2, statements)
        with scratch(server) as url:
            assert killed_at(instant, url, some).returncode == -signal.SIGKILL, instant
            engine = db.connect(url)
            take_over(engine, some)
            assert canonical.unlike(wanted, canonical.state(engine)) == {}, instant
            assert wrong(engine) == [], instant
            engine.dispose()


@pytest.mark.soak
def test_the_server_killed_at_any_statement_and_the_import_repeated_it_ends_the_same(
    fresh: Engine, some: Path, tmp_path: Path
) -> None:
    statements = int(killed_at(0, plain(fresh), some).stdout)
    wanted = canonical.state(fresh)
    tmp_path.chmod(0o711)
    instants = random.Random(11)
    own = Embedded(tmp_path / "own")
    try:
        for _ in range(10):
            with own.running():
                engine = db.connect(own.url())
                with engine.connect() as connection:
                    connection.exec_driver_sql("DROP SCHEMA public CASCADE")
                    connection.exec_driver_sql("CREATE SCHEMA public")
                    connection.commit()
                schema.upgrade(engine)
                engine.dispose()
                postmaster = int((own.pgdata / "postmaster.pid").read_text().split()[0])
                ended = killed_at(instants.randrange(2, statements), own.url(), some, postmaster)
                assert ended.returncode == 1, ended.stderr
            with own.running():
                engine = db.connect(own.url())
                take_over(engine, some)
                assert canonical.unlike(wanted, canonical.state(engine)) == {}
                assert wrong(engine) == []
                engine.dispose()
    finally:
        own.destroy()


PLANTED = {
    "order_to_standing_order": "UPDATE order_lines SET subscription_id = NULL WHERE id = (SELECT min(id::text)::uuid "
    "FROM order_lines WHERE source = 'subscription')",
    "delivery_to_order": "UPDATE legacy_deliveries SET order_id = (SELECT o.id FROM orders o JOIN legacy_parties p "
    "ON p.customer_id = o.customer_id AND p.kind = 'customer' WHERE o.customer_id <> legacy_deliveries.customer_id "
    "AND o.source = 'one_time' LIMIT 1) WHERE id = (SELECT min(id::text)::uuid FROM legacy_deliveries "
    "WHERE customer_id IS NOT NULL AND user_id IS NULL AND order_id IS NULL)",
    "login_to_customer": "UPDATE users SET customer_id = NULL WHERE id = (SELECT min(u.id::text)::uuid FROM users u "
    "JOIN customers c ON c.id = u.customer_id WHERE c.archived_at IS NULL)",
    "order_state": "UPDATE orders SET state = 'placed' WHERE id = (SELECT min(id::text)::uuid FROM orders "
    "WHERE state = 'delivered')",
    "one_time_orders_charged": "UPDATE order_lines SET unit_price = unit_price + 1 WHERE id = (SELECT min(l.id::text)::uuid "
    "FROM order_lines l JOIN delivery_lines d ON d.order_line_id = l.id WHERE d.delivered_quantity > 0)",
    "quantities_on_lines": "UPDATE order_lines SET quantity = 0.001 WHERE id = (SELECT min(l.id::text)::uuid "
    "FROM order_lines l JOIN delivery_lines d ON d.order_line_id = l.id WHERE d.delivered_quantity > 1)",
    "roles_from_the_table": "DELETE FROM grants WHERE role = 'driver' AND action = 'rounds.drive'",
    "who_confirmed": "UPDATE delivery_events SET told = NULL WHERE id = (SELECT min(id::text)::uuid "
    "FROM delivery_events WHERE actor_kind = 'legacy' AND told ? 'method')",
    "confirmation_dates": "UPDATE policies SET value = 'false' WHERE name = 'check_dates'",
    "one_kind_of_id": "UPDATE order_keys SET key = key || 'x' WHERE (source, kind, key) IN "
    "(SELECT source, kind, key FROM order_keys WHERE kind = 'id' LIMIT 1)",
}


PLANTED_ELSEWHERE = {"references_held", "fields_held", "hot_indexes"}
"""What holds no row back but constraints and indexes: tests/migrations."""


def test_a_field_changed_behind_a_step_is_found_by_its_check(fresh: Engine, some: Path) -> None:
    take_over(fresh, some)
    for step in steps.STEPS:
        assert steps.verify(fresh, step) == [], step.name
        if step.is_structural or step.name in PLANTED_ELSEWHERE:
            continue
        with db.rehearsal(fresh) as session:
            db.run(session, "SET LOCAL session_replication_role = replica")
            assert db.run(session, PLANTED[step.name]) == 1, step.name
            assert step.verify(session), step.name


def ask(engine: Engine, sql: str) -> list[dict[str, Any]]:
    with db.rehearsal(engine) as session:
        return db.rows(session, sql)


def small(folder: Path, *, later: bool) -> Path:
    """A household with a standing order, or how the next dump tells it."""
    rows = [
        {"_id": dump.oid(900 + n), "id": f"row-{n}", "customer_id": "cst-1", "delivery_date": f"2026-01-{n:02}",
         "status": "not_delivered" if later and n == 2 else "delivered", "updated_at": f"2026-01-{n:02}T07:00:00"}
        for n in range(1, 9 if later else 5)
    ]  # fmt: skip
    products = [{"id": "milk", "name": "Milk", "unit": "L", "default_price": 60 if later else 50}]
    customers = [
        {"_id": dump.oid(1), "id": "cst-1", "name": "Asha N" if later else "Asha", "phone": "9000000001",
         "notes": "Gate 2" if later else "Gate 1", "status": "active"},
        {"_id": dump.oid(2), "id": "cst-2", "name": "Ravi", "phone": "9000000002", "status": "active"},
    ]  # fmt: skip
    subscription = {"id": "sub-1", "customer_id": "cst-1", "product_id": "milk", "mode": "fixed_daily",
                    "default_qty": 2 if later else 1, "status": "active", "created_at": "2025-12-01"}  # fmt: skip
    if later:
        subscription["pause_intervals"] = [{"start": "2026-01-07", "end": "2026-01-07"}]
    return dump.write(
        folder,
        products=products,
        customers_v2=customers[:1] if later else customers,
        subscriptions_v2=[{"_id": dump.oid(50)} | subscription],
        delivery_statuses=rows,
        payment_transactions=[{"_id": dump.oid(70), "id": "pay-1", "customer_id": "cst-1", "amount": 70 if later else 50,
                               "month": "2026-01", "payment_date": "2026-01-04"}],
    )  # fmt: skip


def test_a_later_dump_brings_its_differences_and_lists_what_stands_or_was_changed_here(
    fresh: Engine, tmp_path: Path
) -> None:
    take_over(fresh, small(tmp_path / "old", later=False))
    with db.transaction(fresh) as session:
        db.run(session, "UPDATE customers SET notes = 'Ring twice' WHERE name = 'Asha'")
    found = take_over(fresh, small(tmp_path / "new", later=True))
    assert found["collections"]["delivery_statuses"]["imported"] == 8
    assert ask(fresh, "SELECT name, notes FROM customers ORDER BY name") == [
        {"name": "Asha N", "notes": "Ring twice"},
        {"name": "Ravi", "notes": None},
    ]
    lines = ask(fresh, "SELECT service_on::text AS day, quantity::float AS n, amount_minor AS paise FROM order_lines "
                       "ORDER BY service_on")  # fmt: skip
    assert [(line["day"][-2:], line["n"], line["paise"]) for line in lines] == [
        *((day, 1.0, 5000) for day in ("01", "02", "03", "04")),
        *((day, 2.0, 12000) for day in ("05", "06", "08")),
    ]
    assert ask(fresh, "SELECT amount_minor FROM payments") == [{"amount_minor": 5000}]
    listed = ask(fresh, "SELECT check_name, subject, severity, facts FROM findings WHERE check_name LIKE 'legacy_%' "
                        "AND state = 'open' ORDER BY 1, 2")  # fmt: skip
    kept = {(row["check_name"], row["subject"]): row["facts"] for row in listed}
    hexes = {n: f"{n:024x}" for n in (1, 2, 70, 902)}
    assert kept == {
        ("legacy_document_changed", f"customers_v2/{hexes[1]}/notes"):
            {"before": "Gate 1", "after": "Gate 2", "here": "Ring twice"},
        ("legacy_document_changed", f"delivery_statuses/{hexes[902]}/status"):
            {"before": "delivered", "after": "not_delivered", "here": None},
        ("legacy_document_changed", f"payment_transactions/{hexes[70]}/amount_minor"):
            {"before": "5000", "after": "7000", "here": None},
        ("legacy_document_gone", f"customers_v2/{hexes[2]}"): {},
    }  # fmt: skip
    assert {row["severity"] for row in listed} == {"warning"}
    whole = canonical.state(fresh)
    take_over(fresh, tmp_path / "new")
    assert canonical.unlike(whole, canonical.state(fresh)) == {}
    assert wrong(fresh) == []


def test_a_dry_run_reports_and_keeps_nothing(earlybird: Command, fresh: Engine, tmp_path: Path) -> None:
    empty = canonical.state(fresh)
    folder = small(tmp_path / "dump", later=False)
    done = earlybird("import", "earlybird", str(folder), "--dry-run", "--report", str(tmp_path / "r.json"))
    assert done.returncode == 0, done.stderr
    assert canonical.unlike(empty, canonical.state(fresh)) == {}
    found = json.loads((tmp_path / "r.json").read_text())
    assert oracle.differences(oracle.report_of(folder), oracle.comparable(found)) == []


@pytest.mark.parametrize(("made", "said"), [(None, "folder"), ("empty", "no"), ("utf16", "UTF-16")])
def test_a_folder_that_is_no_dump_is_refused_with_the_reason(
    earlybird: Command, fresh: Engine, tmp_path: Path, made: str | None, said: str
) -> None:
    folder = tmp_path / "dump"
    if made:
        folder.mkdir()
    if made == "utf16":
        (folder / "orders.json").write_bytes('{"id": "a"}\n{"id": "b"}\n'.encode("utf-16"))
    done = earlybird("import", "earlybird", str(folder))
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert ask(fresh, "SELECT count(*) AS n FROM legacy_documents") == [{"n": 0}]
