"""Tables that other systems wrote: the old customer sheet, a wholesaler's invoices, a marketplace's orders."""

from __future__ import annotations

import csv
import lzma
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from sqlalchemy import Engine

from earlybird.importers import tables
from earlybird.infra import db
from earlybird.kernel.ctx import Ctx

Bring = Callable[..., Any]
SOAK = bool(os.environ.get("EARLYBIRD_SOAK"))
LINES, ORDERS = (10**9, 10**9) if SOAK else (6_000, 1_500)


def told(engine: Engine, sql: str) -> list[dict[str, Any]]:
    with db.rehearsal(engine) as session:
        return db.rows(session, sql)


HEAD = ("name", "phone", "area", "address", "delivery_boy", "marketing_boy", "shift", "status", "trial_start_date",
        "product_name", "product_price", "subscription_type", "default_qty_packets", "previous_balance", "notes",
        "map_link", *(f"day_{n}" for n in range(1, 32)))  # fmt: skip


def sheet(path: Path, *rows: dict[str, Any]) -> Path:
    book = Workbook()
    book.active.append(list(HEAD))
    for row in rows:
        book.active.append([row.get(name) for name in HEAD])
    book.save(path)
    return path


MEENA = {"name": "Meena", "phone": 9876543210.0, "area": "North", "address": "12 Temple Road", "delivery_boy": "Ravi",
         "marketing_boy": "Suresh", "shift": "Morning", "status": "active", "trial_start_date": 46027.0,
         "product_name": "Toned Milk", "product_price": 60.0, "subscription_type": "fixed_daily",
         "default_qty_packets": 2.0, "previous_balance": "₹1,250.50", "day_20": 0, "day_21": 3.0}  # fmt: skip
ASHA = {"name": "Asha", "phone": "98765 43211", "area": "North", "delivery_boy": "ravi", "previous_balance": -20,
        "trial_start_date": datetime(2026, 1, 5), "product_name": "Toned Milk",
        "subscription_type": "weekly_pattern:0,2,4", "default_qty_packets": 1, "shift": "evening"}  # fmt: skip


def test_the_old_sheet_makes_households_with_all_they_had(fresh: Engine, bring: Bring, tmp_path: Path) -> None:
    bring("products", "name,unit,pack_size,price\r\nToned Milk,L,0.5,62\r\n")
    bad = ({"name": "No area", "phone": 9876543212}, {**ASHA, "name": "Ghee", "product_name": "Ghee"})
    path = sheet(tmp_path / "old.xlsx", MEENA, ASHA, *bad)
    outcome = bring("customers", path, mapping="legacy-excel")
    assert [(r["line"], r["field"]) for r in outcome.rejections] == [(4, "area"), (5, "product_name")]
    assert told(fresh, "SELECT c.name, c.state, a.name AS area, d.name AS driver, m.name AS marketer FROM customers c "
        "JOIN areas a ON a.id = c.area_id JOIN users d ON d.id = c.driver_id LEFT JOIN users m ON m.id = c.marketer_id "
        "JOIN users l ON l.customer_id = c.id ORDER BY c.id") == [
        {"name": "Meena", "state": "active", "area": "North", "driver": "Ravi", "marketer": "Suresh"},
        {"name": "Asha", "state": "trial", "area": "North", "driver": "Ravi", "marketer": None},
    ]  # fmt: skip
    assert told(fresh, "SELECT quantity, pattern, CAST(weekdays AS text) AS weekdays, agreed_price, shift "
        "FROM subscription_versions ORDER BY quantity DESC") == [
        {"quantity": 1, "pattern": "daily", "weekdays": None, "agreed_price": 60, "shift": "morning"},
        {"quantity": Decimal("0.5"), "pattern": "weekly", "weekdays": "{0,2,4}", "agreed_price": None, "shift": "evening"},
    ]  # fmt: skip
    assert told(fresh, "SELECT CAST(service_on AS text) AS day, quantity FROM subscription_overrides ORDER BY 1") == [
        {"day": "2026-01-20", "quantity": 0},
        {"day": "2026-01-21", "quantity": Decimal("1.5")},
    ]
    assert told(fresh, "SELECT total_minor, CAST(issued_on AS text) AS day FROM invoices WHERE kind = 'opening' "
        "ORDER BY number") == [
        {"total_minor": 125050, "day": "2025-12-31"}, {"total_minor": -2000, "day": "2025-12-31"},
    ]  # fmt: skip
    assert told(fresh, "SELECT count(*) AS n FROM users WHERE name IN ('Ravi', 'Suresh') AND state = 'uninvited'") == [
        {"n": 2}
    ]
    before = told(fresh, "SELECT count(*) AS n FROM audit_entries")
    assert bring("customers", path, mapping="legacy-excel").counts["same"] == 2
    assert told(fresh, "SELECT count(*) AS n FROM audit_entries") == before
    later = sheet(
        tmp_path / "later.xlsx", {**MEENA, "default_qty_packets": 4, "day_21": 1}, {**ASHA, "previous_balance": 5}
    )
    changed = bring("customers", later, mapping="legacy-excel")
    assert (changed.counts["subscriptions_changed"], changed.counts["overrides_changed"]) == (1, 1)
    assert [r["field"] for r in changed.rejections] == ["previous_balance"]


def rows_of(path: Path) -> Iterator[dict[str, str]]:
    with lzma.open(path, "rt", encoding="utf-8", newline="") as text:
        yield from csv.DictReader(text)


def write(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as text:
        writer = csv.DictWriter(text, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def take(engine: Engine, ctx: Ctx, mapping: str, path: Path) -> dict[str, Any]:
    return tables.take(engine, ctx, tables.kind_of("orders", mapping), path).as_facts()


def test_a_wholesalers_invoices_come_in_to_the_penny(fresh: Engine, ctx: Ctx, shared: Path, tmp_path: Path) -> None:
    """Half a year in soak, a slice here, with zero prices, cancellations, adjustments, lines without customer."""
    source = shared / "online_retail" / "online_retail_2010-12_to_2011-05.csv.xz"
    found = [row for n, row in enumerate(rows_of(source)) if n < LINES]
    write(tmp_path / "retail.csv", found)
    pence = Decimal("0.01")
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for row in found:
        amount = (Decimal(row["UnitPrice"]) * Decimal(row["Quantity"])).quantize(pence, ROUND_HALF_UP)
        stays = Decimal(row["UnitPrice"]) == 0 and not row["CustomerID"]
        sums["kept" if stays else "credits" if amount < 0 else "orders"] += amount
    first = take(fresh, ctx, "online-retail", tmp_path / "retail.csv")
    assert first["refused"] == 0
    assert first["totals"] == {
        **{f"{name}_minor": int(sums[name] * 100) for name in ("orders", "credits", "kept")},
        "refused_minor": 0,
        "file_minor": int(sum(sums.values()) * 100),
        "difference_minor": 0,
        "currency": "GBP",
    }
    assert told(fresh, "SELECT sum(amount_minor)::bigint AS n FROM order_lines")[0]["n"] == int(sums["orders"] * 100)
    assert told(fresh, "SELECT sum(amount_minor)::bigint AS n FROM adjustments")[0]["n"] == int(sums["credits"] * 100)
    assert (
        first["rows"]
        == len(found)
        == sum(first["counts"][k] for k in ("lines_of_orders", "lines_of_credits")) + first["kept"]
    )
    again = take(fresh, ctx, "online-retail", tmp_path / "retail.csv")
    assert (again["created"], again["totals"]) == (0, first["totals"])


def test_orders_whose_payments_differ_are_found_and_no_others(
    fresh: Engine, ctx: Ctx, shared: Path, tmp_path: Path
) -> None:
    orders = list(rows_of(shared / "olist" / "olist_orders_dataset.csv.xz"))[:ORDERS]
    write(tmp_path / "olist_orders_dataset.csv", orders)
    ids = {row["order_id"] for row in orders}
    of_customers = {row["customer_id"] for row in orders}
    differ: dict[str, Decimal] = defaultdict(Decimal)
    for name in ("order_items", "order_payments", "customers"):
        rows = list(rows_of(shared / "olist" / f"olist_{name}_dataset.csv.xz"))
        rows = [
            row
            for row in rows
            if (row.get("order_id") in ids if name != "customers" else row["customer_id"] in of_customers)
        ]
        write(tmp_path / f"olist_{name}_dataset.csv", rows)
        for row in rows:
            if name == "order_items":
                differ[row["order_id"]] -= Decimal(row["price"]) + Decimal(row["freight_value"])
            elif name == "order_payments":
                differ[row["order_id"]] += Decimal(row["payment_value"])
    expected = {order: int(amount * 100) for order, amount in differ.items() if amount}
    assert expected
    first = take(fresh, ctx, "olist", tmp_path)
    assert {row["order"]: row["difference_minor"] for row in first["differences"]} == expected
    assert (first["created"], first["refused"], first["totals"]["difference_minor"]) == (len(orders), 0, 0)
    open_findings = "SELECT subject FROM findings WHERE check_name = 'olist_payments_differ' AND state = 'open'"
    assert {row["subject"] for row in told(fresh, open_findings)} == set(expected)
    assert told(fresh, "SELECT count(*) AS n FROM uncharged_lines") == [{"n": 0}]
    again = take(fresh, ctx, "olist", tmp_path)
    assert (again["created"], again["same"]) == (0, len(orders))
