"""Invoice a month against the bare aggregate-and-insert of the very rows it makes; and charge it.

python bench/bench_bill.py            2,000 customers × 30 days × 2 lines
EARLYBIRD_SOAK=1 python bench/bench_bill.py      and 133,000 customers: 8 million lines
"""

from __future__ import annotations

import statistics
import sys
import time
from datetime import UTC, date, datetime
from pathlib import Path

import measure
from sqlalchemy import Engine, text

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import make
from earlybird.billing import queries
from earlybird.billing.service import charges, invoices
from earlybird.infra.db import transaction
from earlybird.kernel.clock import Month
from earlybird.kernel.ctx import Actor, Ctx
from make.delivered import customers_many, delivered_many

SIZES = (2_000, *((133_000,) if measure.SOAK else ()))
CHUNK = 10_000
MONTH = Month(2026, 1)
CTX = Ctx(actor=Actor(kind="system", name="bench", role="system"), now=datetime(2026, 2, 1, 4, tzinfo=UTC), via="cli")
TARGET = 0.5
MADE = ("journals", "postings", "invoices", "invoice_lines", "invoice_taxes")


def prepare(engine: Engine, count: int) -> tuple[make.Firm, float]:
    """Deliver a month, charge it, bill it once, and keep the rows as the baseline's feed; time the charging."""
    with transaction(engine) as session:
        firm = make.business(session, rounds_to_major=True)
        make.product(session, firm, "Milk", "61.25")
        make.product(session, firm, "Ghee", "523.10", tax="0.05")
        customers_many(session, firm, count)
    for day in range(1, 31):
        with transaction(engine) as session:
            delivered_many(session, firm, date(2026, 1, day), date(2026, 1, day))
    measure.execute(engine, "VACUUM ANALYZE")
    start = time.perf_counter()
    while True:
        with transaction(engine) as session:
            if not charges.charge_delivered(session, CTX, limit=200_000):
                break
    charging = time.perf_counter() - start
    measure.execute(engine, "VACUUM ANALYZE")
    bill(engine, firm)
    for table in MADE:
        measure.execute(engine, f"CREATE TABLE feed_{table} AS TABLE {table}")
    return firm, charging


def bill(engine: Engine, firm: make.Firm) -> None:
    """Do what `earlybird bill run` does once everything is charged."""
    with transaction(engine) as session:
        payers = queries.payers_to_bill(session, firm.id, since=date.min, through=MONTH.last)
    for start in range(0, len(payers), CHUNK):
        with transaction(engine) as session:
            invoices.run_month(session, CTX, firm.id, MONTH, payers[start : start + CHUNK])


def bare(engine: Engine) -> None:
    """Aggregate and insert the same rows, ids included, in one transaction."""
    columns = (
        "id, business_id, customer_id, kind, series, number, state, state_at, period_from, period_to, issued_on, "
        "issued_at, due_on, subtotal_minor, tax_minor, rounding_minor, total_minor, carried_minor, currency, "
        "corrects_id, journal_id, reason"
    )
    summed = columns.replace("subtotal_minor, tax_minor", "s.net, s.tax")
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO journals SELECT * FROM feed_journals"))
        connection.execute(text("INSERT INTO postings SELECT * FROM feed_postings"))
        connection.execute(
            text(
                f"INSERT INTO invoices ({columns}) SELECT {summed} FROM feed_invoices i JOIN (SELECT invoice_id, "
                "sum(amount_minor - tax_minor) AS net, sum(tax_minor) AS tax FROM feed_invoice_lines "
                "GROUP BY invoice_id) s ON s.invoice_id = i.id"
            )
        )
        connection.execute(text("INSERT INTO invoice_lines SELECT * FROM feed_invoice_lines"))
        connection.execute(text("INSERT INTO invoice_taxes SELECT * FROM feed_invoice_taxes"))


def clear(engine: Engine) -> None:
    """Put everything back to the evening before the bill run."""
    measure.execute(
        engine,
        "SET session_replication_role = replica",
        f"TRUNCATE {', '.join(MADE)}, invoice_series, payments, payment_allocations, unbilled_charges",
        "INSERT INTO unbilled_charges SELECT customer_id, service_on, id FROM charges",
        "SET session_replication_role = origin",
        f"VACUUM ANALYZE {', '.join(MADE)}, unbilled_charges",
        "CHECKPOINT",
    )


def main() -> int:
    """Print both sides and the ratio for each size; fail under the target."""
    table = measure.new_table(
        "Invoice a month", "customers", "lines", "bill s", "bare s", "lines/s", "ratio (≥ 0.5)", "charge s"
    )
    missed = False
    with measure.server() as embedded:
        for count in SIZES:
            with measure.database(embedded, f"bill_{count}") as engine:
                firm, charging = prepare(engine, count)
                seconds = measure.interleave(
                    {"bill": lambda e=engine, f=firm: bill(e, f), "bare": lambda e=engine: bare(e)},
                    before=lambda e=engine: clear(e),
                )
                with engine.connect() as connection:
                    lines = connection.execute(text("SELECT count(*) FROM feed_invoice_lines")).scalar_one()
                reached = measure.ratio(seconds, "bill", "bare")
                missed |= reached < TARGET
                table.add_row(
                    f"{count:,}",
                    f"{lines:,}",
                    measure.spread(seconds["bill"]),
                    measure.spread(seconds["bare"]),
                    f"{lines / statistics.median(seconds['bill']):,.0f}",
                    f"{reached:.2f}",
                    f"{charging:.1f}",
                )
    measure.show(table)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
