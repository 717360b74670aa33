"""Order to cash per order, against Tryton 8 doing sale → shipment → posted invoice on the same PostgreSQL.

python bench/bench_tryton.py            Tryton gets an environment of its own in a temporary folder; without it: skipped

Each of our orders writes an order with three priced lines, a delivery with its event at the door, three
charges, an invoice of its own with number, lines and journal, and is settled by a payment.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, date, datetime
from pathlib import Path
from urllib.parse import quote

import measure
from sqlalchemy import Engine, text

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import orjson

import make
from earlybird.billing import queries
from earlybird.billing.service import charges, invoices, payments
from earlybird.infra.db import transaction, value
from earlybird.infra.embedded import Embedded
from earlybird.kernel.clock import Month
from earlybird.kernel.ctx import Actor, Ctx
from make.business import Firm
from make.delivered import customers_many, delivered_many

MODULES = ("trytond", "trytond_sale", "trytond_account_invoice_stock", "proteus", "psycopg[binary,pool]")
SIDE = Path(__file__).parent / "tryton_side.py"
TRYTON_ORDERS = 5
OURS = 2_000
TARGET = 500
MONTH = Month(2026, 1)
CTX = Ctx(actor=Actor(kind="system", name="bench", role="system"), now=datetime(2026, 2, 1, 4, tzinfo=UTC), via="cli")


def installed(home: Path) -> Path | None:
    """Make Tryton's environment; None, with the reason on standard error, where it cannot be had."""
    python = home / "venv" / "bin" / "python"
    try:
        subprocess.run([sys.executable, "-m", "venv", home / "venv"], check=True, capture_output=True, timeout=120)
        subprocess.run(
            [python, "-m", "pip", "-q", "install", *MODULES], check=True, capture_output=True, text=True, timeout=300
        )
    except (subprocess.SubprocessError, OSError) as failure:
        print(f"SKIPPED: Tryton cannot be installed here: {failure}", file=sys.stderr)
        return None
    return python


def tryton(embedded: Embedded, home: Path, python: Path) -> float | None:
    """Return Tryton's median seconds per order; None, with the reason, where its own set-up fails."""
    settings = home / "tryton.conf"
    url = embedded.url("postgres").replace("+psycopg", "")
    user = url.split("://", 1)[1].split("@", 1)[0]
    folder = quote(str(embedded.socket_dir), safe="")
    settings.write_text(f"[database]\nuri = postgresql://{user}@{folder}/\n", encoding="utf-8")
    secret = home / "secret"
    secret.write_text("bench", encoding="utf-8")
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE tryton")
    setup = [python.parent / "trytond-admin", "-c", settings, "-d", "tryton", "--all", "--email", "a@example.com", "-u",
             "sale", "account_invoice_stock", "--activate-dependencies"]  # fmt: skip
    try:
        subprocess.run(
            setup, check=True, capture_output=True, text=True, timeout=400,
            env={**os.environ, "TRYTONPASSFILE": str(secret)},
        )  # fmt: skip
        done = subprocess.run(
            [python, SIDE, settings, str(TRYTON_ORDERS)], check=True, capture_output=True, text=True, timeout=300,
            env={**os.environ, "TRYTOND_CONFIG": str(settings)},
        )  # fmt: skip
    except subprocess.SubprocessError as failure:
        print(f"SKIPPED: Tryton does not run here: {failure}\n{getattr(failure, 'stderr', '')}", file=sys.stderr)
        return None
    return float(json.loads(done.stdout.splitlines()[-1])["median"])


def ours(engine: Engine, n: int) -> float:
    """Return our seconds per order, one order a customer, for the n-th day of the month."""
    with engine.connect() as connection:
        firm_id, site_id = connection.execute(text("SELECT business_id, id FROM sites")).one()
    firm = Firm(firm_id, site_id, "Asia/Kolkata", "INR")
    start = time.perf_counter()
    with transaction(engine) as session:
        delivered_many(session, firm, date(2026, 1, n), date(2026, 1, n))
    with transaction(engine) as session:
        charges.charge_delivered(session, CTX)
    with transaction(engine) as session:
        payers = queries.payers_to_bill(session, firm.id, since=date.min, through=MONTH.last)
        issued = invoices.run_month(session, CTX, firm.id, MONTH, payers)
    given = [
        {"client_id": f"{n}-{row['customer']}", "customer": row["customer"], "amount_minor": row["total_minor"],
         "currency": "INR", "method": "upi", "received_on": date(2026, 2, 1)}
        for row in issued
    ]  # fmt: skip
    with transaction(engine) as session:
        payments.receive(session, CTX, [(k, orjson.dumps(row).decode(), row) for k, row in enumerate(given)])
    taken = time.perf_counter() - start
    with transaction(engine) as session:
        owed = value(session, "SELECT sum(amount_minor) FROM postings WHERE account = 'receivable'")
    if owed:
        raise SystemExit(f"{owed} were left to pay: that is not order to cash.")
    return taken / OURS


def main() -> int:
    """Print both sides and the ratio; fail under the target, skip loudly without Tryton."""
    home = Path(tempfile.mkdtemp(prefix="earlybird-tryton-"))
    try:
        python = installed(home)
        if python is None:
            return 0
        with measure.server() as embedded:
            theirs = tryton(embedded, home, python)
            if theirs is None:
                return 0
            with measure.database(embedded, "ours") as engine:
                with transaction(engine) as session:
                    firm = make.business(session)
                    for name in ("Milk", "Curd", "Ghee"):
                        make.product(session, firm, name, "23.80")
                    customers_many(session, firm, OURS)
                measure.execute(engine, "VACUUM ANALYZE")
                mine = statistics.median(ours(engine, n) for n in range(1, 1 + measure.ROUNDS))
        table = measure.new_table("Order to cash", "side", "ms per order", "ratio (≥ 500)")
        table.add_row("Tryton 8, sale → shipment → invoice", f"{theirs * 1000:,.0f}", "")
        table.add_row("earlybird, order → door → invoice → paid", f"{mine * 1000:.2f}", f"{theirs / mine:,.0f}")
        measure.show(table)
        return int(theirs / mine < TARGET)
    finally:
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
