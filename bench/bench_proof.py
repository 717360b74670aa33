"""The leakage proof of a month, both directions, against inserting that month's bills: at most a third.

The baseline is the bare aggregate-and-insert of invoices and their lines into the same tables, with the same keys,
indexes and triggers. python bench/bench_proof.py [CUSTOMERS]
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from sqlalchemy.orm import Session

from earlybird import schema
from earlybird.infra import db
from earlybird.infra.embedded import Embedded
from earlybird.kernel.ctx import SYSTEM, Ctx
from earlybird.reconcile import leakage
from make.month import NOW, month

BILLS = """
CREATE TEMP TABLE bare ON COMMIT DROP AS
SELECT new_id() AS id, customer_id, sum(amount_minor)::bigint AS amount FROM charges
WHERE service_on < '2026-01-01' GROUP BY customer_id
"""
INVOICES = """
INSERT INTO invoices (id, business_id, customer_id, kind, series, number, state, period_from, period_to,
    subtotal_minor, tax_minor, rounding_minor, total_minor, carried_minor, currency)
SELECT b.id, c.business_id, b.customer_id, 'invoice', 'BARE', row_number() OVER (), 'issued', '2025-12-01',
       '2025-12-31', b.amount, 0, 0, b.amount, 0, 'INR' FROM bare b JOIN customers c ON c.id = b.customer_id
"""
LINES = """
INSERT INTO invoice_lines (invoice_id, charge_id, service_on, description, quantity, amount_minor, tax_minor)
SELECT b.id, h.id, h.service_on, 'Milk', h.quantity, h.amount_minor, 0
FROM bare b JOIN charges h USING (customer_id) WHERE h.service_on < '2026-01-01'
"""


def invoice(session: Session) -> None:
    for statement in (BILLS, INVOICES, LINES):
        db.run(session, statement)


def prove(session: Session) -> None:
    lines = leakage.prove(session, Ctx(actor=SYSTEM, now=NOW, via="bench"))
    if any(line.over_minor for line in lines):
        raise SystemExit("The proof is wrong: nothing was over-billed.")


def seconds(engine: db.Engine, work: Callable[[Session], None]) -> float:
    with engine.connect() as connection, Session(connection) as session:
        db.run(session, "SET LOCAL synchronous_commit = on")
        start = time.perf_counter()
        work(session)
        took = time.perf_counter() - start
        session.rollback()
    return took


def main(customers: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        embedded = Embedded(Path(folder))
        with embedded.running():
            engine = db.connect(embedded.url())
            schema.upgrade(engine)
            with db.transaction(engine) as session:
                month(session, customers)
            with engine.connect() as connection:
                connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("VACUUM ANALYZE")
            with db.transaction(engine) as session:
                # The baseline bills what the factory billed: take those bills away, guards down.
                db.run(session, "SET LOCAL session_replication_role = replica")
                for table in ("invoice_taxes", "payment_allocations", "invoice_lines", "invoices"):
                    db.run(session, f"DELETE FROM {table}")
                count = db.value(session, "SELECT count(*) FROM charges WHERE service_on < '2026-01-01'")
            pairs = [(seconds(engine, invoice), seconds(engine, prove)) for _ in range(5)]
            engine.dispose()
    bare, proof = median(p[0] for p in pairs), median(p[1] for p in pairs)
    print(f"{count} lines: bare invoicing {bare:.2f} s, proof {proof:.2f} s, ratio {proof / bare:.2f} (reach ≤ 0.33)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000)
