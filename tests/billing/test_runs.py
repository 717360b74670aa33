"""Bill runs and payment files through the real command line: twice, at once, interrupted, rehearsed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

import make
from conftest import NOW, scratch
from earlybird.billing.service import charges
from earlybird.catalog.models import Product
from earlybird.cli import bill as commands
from earlybird.cli import pay
from earlybird.cli.charge import charge_all
from earlybird.infra import db
from earlybird.infra.db import rehearsal, rows, transaction, value
from earlybird.infra.embedded import Embedded
from earlybird.kernel.clock import Month
from earlybird.kernel.ctx import Ctx
from make.delivered import customers_many, delivered, delivered_many

CLI = Callable[..., subprocess.CompletedProcess[str]]
JANUARY = Month(2026, 1)


def month(engine: Engine, count: int = 12, last: int = 3) -> make.Firm:
    """So many households that got milk and ghee on the first days of January."""
    with transaction(engine) as session:
        firm = make.business(session, rounds_to_major=True)
        make.product(session, firm, "Milk", "61.25")
        make.product(session, firm, "Ghee", "523.10", tax="0.05")
        customers_many(session, firm, count)
        delivered_many(session, firm, date(2026, 1, 1), date(2026, 1, last))
    return firm


def picture(engine: Engine) -> list[list[dict[str, Any]]]:
    """All that was charged, billed and booked, without ids and instants."""
    with rehearsal(engine) as session:
        return [
            rows(session, sql)
            for sql in (
                (
                    "SELECT c.code, h.service_on, h.quantity, h.amount_minor FROM charges h "
                    "JOIN customers c ON c.id = h.customer_id ORDER BY 1, 2, 4"
                ),
                (
                    "SELECT c.code, i.kind, series, number, i.state, period_from, issued_on, due_on, subtotal_minor, "
                    "tax_minor, rounding_minor, total_minor, carried_minor FROM invoices i "
                    "JOIN customers c ON c.id = i.customer_id ORDER BY 3, 4"
                ),
                (
                    "SELECT i.series, i.number, l.service_on, description, quantity, unit_price, amount_minor, l.tax_minor "
                    "FROM invoice_lines l JOIN invoices i ON i.id = l.invoice_id ORDER BY 1, 2, 3, 4"
                ),
                (
                    "SELECT i.number, component, rate, base_minor, t.tax_minor FROM invoice_taxes t "
                    "JOIN invoices i ON i.id = t.invoice_id ORDER BY 1, 2"
                ),
                (
                    "SELECT i.number, account, c.code, amount_minor FROM postings p LEFT JOIN invoices i "
                    "ON i.journal_id = p.journal_id LEFT JOIN customers c ON c.id = p.customer_id ORDER BY 1, 2, 4"
                ),
                "SELECT series, next_number FROM invoice_series",
                "SELECT count(*) FROM uncharged_lines UNION ALL SELECT count(*) FROM unbilled_charges",
            )
        ]


def test_a_run_bills_once_and_a_rehearsal_bills_nothing(fresh: Engine, earlybird: CLI) -> None:
    month(fresh)
    rehearsed = earlybird("bill", "run", "--month", "2026-01", "--dry-run", "--json")
    assert rehearsed.returncode == 0, rehearsed.stderr
    empty = picture(fresh)
    assert empty[0] == empty[1] == []
    done = earlybird("bill", "run", "--month", "2026-01", "--json", "--chunk", "5")
    assert done.returncode == 0, done.stderr

    def essence(answer: str) -> list[tuple[Any, ...]]:
        told = orjson.loads(answer)
        return [(row["number"], row["customer"], row["total_minor"]) for row in told["documents"]]

    assert essence(rehearsed.stdout) == essence(done.stdout)
    assert len(essence(done.stdout)) == 12
    before = picture(fresh)
    again = earlybird("bill", "run", "--month", "2026-01")
    assert (again.returncode, again.stdout) == (0, "2026-01: 0 documents issued, nothing.\n")
    assert picture(fresh) == before


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--month", "2026-02"), 1, "not begun"),
        ((), 2, "--month"),
    ],
)
def test_a_wrong_run_says_why(fresh: Engine, earlybird: CLI, words: tuple[str, ...], code: int, message: str) -> None:
    with transaction(fresh) as session:
        make.business(session)
    done = earlybird("bill", "run", *words)
    assert done.returncode == code
    assert message in done.stderr


def test_four_at_once_charge_and_bill_as_one(server: Embedded, fresh: Engine, ctx: Ctx) -> None:
    month(fresh, 30)
    with scratch(server) as url:
        alone = db.connect(url)
        month(alone, 30)
        commands.bill(alone, ctx, JANUARY, None)
        expected = picture(alone)
        alone.dispose()

    def one(n: int) -> int:
        charge_all(fresh, ctx)
        return len(commands.bill(fresh, ctx, JANUARY, None, size=4 + n))

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(one, range(4))) == 30
    found = picture(fresh)
    assert [sorted(map(str, part)) for part in found[:1]] == [sorted(map(str, part)) for part in expected[:1]]
    assert sorted(row["number"] for row in found[1]) == list(range(1, 31))
    assert {(row["code"], row["total_minor"]) for row in found[1]} == {
        (row["code"], row["total_minor"]) for row in expected[1]
    }
    assert found[5:] == expected[5:]


def test_chargers_at_once_charge_each_fact_once(fresh: Engine, ctx: Ctx) -> None:
    month(fresh, 20, 5)

    def one(_: int) -> int:
        done = 0
        while True:
            with transaction(fresh) as session:
                count = charges.charge_delivered(session, ctx, limit=7)
            done += count
            if not count:
                return done

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(one, range(4))) == 200
    with rehearsal(fresh) as session:
        assert value(session, "SELECT count(*) FROM charges") == 200


def test_a_run_killed_in_the_middle_goes_on_to_the_same_end(server: Embedded, tmp_path: Path) -> None:
    words = ["bill", "run", "--month", "2026-01", "--chunk", "4"]
    pictures = []
    for killed in (False, True):
        with scratch(server) as url:
            engine = db.connect(url)
            month(engine)
            command = [sys.executable, "-m", "earlybird", *words]
            environment = {**os.environ, "EARLYBIRD_DATABASE_URL": url, "EARLYBIRD_NOW": NOW.isoformat()}
            if killed:
                with psycopg.connect(url.replace("+psycopg", "")) as blocker:
                    blocker.execute("SELECT FROM customers WHERE code = 'C-000006' FOR UPDATE")
                    run = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, cwd=tmp_path)
                    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as watcher:
                        while not watcher.execute(
                            "SELECT pg_sleep(0.05), pid FROM pg_stat_activity WHERE %s = ANY(pg_blocking_pids(pid))",
                            [blocker.info.backend_pid],
                        ).fetchone():
                            assert run.poll() is None
                    run.send_signal(signal.SIGKILL)
                    run.wait()
                half = picture(engine)
                assert [row["number"] for row in half[1]] == [1, 2, 3, 4]
            done = subprocess.run(command, env=environment, check=False, capture_output=True, cwd=tmp_path)
            assert done.returncode == 0, done.stderr
            pictures.append(picture(engine))
            engine.dispose()
    assert pictures[0] == pictures[1]
    assert len(pictures[0][1]) == 12


def test_a_fact_committed_late_is_charged_late(fresh: Engine, ctx: Ctx) -> None:
    """What a long transaction writes before others and commits after them: no order of ids is relied on."""
    firm = month(fresh, 1, 1)
    with Session(fresh) as slow, slow.begin():
        customer: Any = value(slow, "SELECT id FROM customers")
        product = slow.query(Product).filter_by(name="Milk").one()
        delivered(slow, firm, customer, product, on=date(2026, 1, 9))
        with transaction(fresh) as session:
            delivered(session, firm, customer, product, on=date(2026, 1, 10))
        assert charge_all(fresh, ctx) == 3
    assert charge_all(fresh, ctx) == 1


PAYMENTS = """{"client_id":"p1","customer":"C-000001","amount":"100.00","currency":"INR","method":"UPI","received_on":"2026-01-10"}
{"client_id":"p2","customer":"C-000002","amount_minor":2500,"currency":"INR","method":"cash","received_on":"2026-01-11"}
{"reverse":"p2","reason":"bounced"}
not json
{"client_id":"p3","customer":"C-999","amount":"5","currency":"INR","method":"upi","received_on":"2026-01-11"}
"""


def test_a_payment_file_twice_changes_nothing_more(fresh: Engine, earlybird: CLI, tmp_path: Path) -> None:
    month(fresh, 3)
    (tmp_path / "p.jsonl").write_bytes(PAYMENTS.encode() + b'{"client_id":"\xe9"}\n')
    counts = []
    for _ in range(2):
        done = earlybird("pay", "--file", "p.jsonl", "--json")
        assert done.returncode == 1, done.stderr
        told = orjson.loads(done.stdout)
        counts.append([told[name] for name in ("recorded", "reversed", "repeated", "rejected")])
        assert [(row["line"], row["field"]) for row in told["rejections"]] == [(4, None), (5, "customer"), (6, None)]
    assert counts == [[2, 1, 0, 3], [0, 0, 3, 3]]
    with rehearsal(fresh) as session:
        assert rows(session, "SELECT account, sum(amount_minor)::int AS m FROM postings GROUP BY 1 ORDER BY 1") == [
            {"account": "bank", "m": 10000},
            {"account": "customer_advance", "m": -10000},
            {"account": "depot_cash", "m": 0},
        ]
        assert value(session, "SELECT count(*) FROM payment_rejections") == 3


def test_payments_come_as_csv_too(fresh: Engine, earlybird: CLI, tmp_path: Path) -> None:
    month(fresh, 3)
    with transaction(fresh) as session:
        session.execute(
            text("INSERT INTO customer_keys SELECT 'old', 'id', '7', id FROM customers WHERE code = 'C-000002'")
        )
    (tmp_path / "p.csv").write_text(
        "client_id,customer,customer_source,customer_kind,customer_key,amount,currency,method,received_on,reverse,reason\n"
        "p1,C-000001,,,,12.50,INR,upi,2026-01-10,,\n"
        "p2,,old,id,7,7,INR,cash,2026-01-10,,\n"
        ",,,,,,,,,p1,mistyped\n"
    )
    rehearsed = earlybird("pay", "--file", "p.csv", "--dry-run")
    assert rehearsed.stdout == "2 recorded, 1 reversed, 0 repeated, 0 rejected.\nA dry run: nothing was kept.\n"
    assert earlybird("pay", "--file", "p.csv").stdout == "2 recorded, 1 reversed, 0 repeated, 0 rejected.\n"


def test_two_at_once_record_each_payment_once(fresh: Engine, ctx: Ctx) -> None:
    month(fresh, 20)
    commands.bill(fresh, ctx, JANUARY, None)
    given = [
        {"client_id": f"p{n}", "customer": f"C-{1 + n % 20:06d}", "amount_minor": 5000 + n, "currency": "INR",
         "method": "upi", "received_on": "2026-01-10"}
        for n in range(200)
    ]  # fmt: skip
    told = [(n, orjson.dumps(row).decode(), row) for n, row in enumerate(given, 1)]
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: pay.take(fresh, iter(told), dry_run=False), range(4)))
    assert sum(outcome.recorded for outcome in done) == 200
    assert sum(outcome.repeated for outcome in done) == 600
    with rehearsal(fresh) as session:
        assert value(session, "SELECT sum(amount_minor) FROM payments") == sum(5000 + n for n in range(200))
        assert value(session, "SELECT -sum(amount_minor) FROM postings WHERE account = 'bank'") == -sum(
            5000 + n for n in range(200)
        )


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [("none.jsonl", None, 2), ("bad.csv", b"a,b\n1,2\n", 2)],
)
def test_a_file_that_cannot_be_read_is_said_so(
    fresh: Engine, earlybird: CLI, tmp_path: Path, name: str, content: bytes | None, code: int
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    done = earlybird("pay", "--file", name)
    assert (done.returncode, done.stdout) == (code, "")
    assert name in done.stderr
