"""Orders of a marketplace (Olist, Brazil): a folder of its tables; items and freight become lines, payments money.

One order is one piece; it stands in `olist_orders_dataset.csv`, its items and payments in files beside
it. Amounts are reais with at most two decimals, so nothing is rounded. A payment keeps the order's key as
its reference; orders whose payments differ from their lines are listed, and kept as findings.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.audit.states import Severity
from earlybird.billing.service import charges, payments
from earlybird.importers.errors import TableUnreadable
from earlybird.importers.tables import cells, orders, people, products
from earlybird.importers.tables.columns import Column, Columns, Problem, Row
from earlybird.importers.tables.home import Home
from earlybird.importers.tables.kinds import Kind, Piece, Written
from earlybird.importers.tables.reading import Cell, open_table
from earlybird.infra.db import rows, value
from earlybird.kernel.clock import business_day
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.money import scale

NAME = "olist"
FREIGHT = "freight"
DIFFERS = "olist_payments_differ"

FILES = {
    "orders": ("order_id", "customer_id", "order_status", "order_purchase_timestamp", "order_approved_at",
               "order_delivered_customer_date"),
    "order_items": ("order_id", "order_item_id", "product_id", "price", "freight_value"),
    "order_payments": ("order_id", "payment_sequential", "payment_type", "payment_value"),
    "customers": ("customer_id", "customer_unique_id", "customer_zip_code_prefix", "customer_city", "customer_state"),
}  # fmt: skip
"""The files of a folder, without `olist_` and `_dataset.csv`, and the columns wanted of each."""


def parts(cell: Cell, home: Home) -> list[list[str]]:
    """Return the rows of another file that belong to the order."""
    found: list[list[str]] = orjson.loads(cells.text(cell, home))
    return found


COLUMNS = Columns(
    (
        Column("order_id", cells.word, "the order", required=True),
        Column("customer", parts, "its customer's row", required=True),
        Column("order_status", cells.word, "delivered, shipped, canceled …", required=True),
        Column("bought_at", cells.instant, "local time", required=True),
        Column("approved_at", cells.instant, "when the payment was approved"),
        Column("delivered_at", cells.instant, "when it was at the door"),
        Column("items", parts, "its items' rows", required=True),
        Column("payments", parts, "its payments' rows"),
    )
)


@dataclass
class Folder:
    """The tables of a folder, read as one table of orders."""

    path: Path
    digest: str
    count: int
    header: list[str]
    joined: dict[str, dict[str, list[list[str]]]]
    notes: list[str] = field(default_factory=list)
    reader: object = None

    def rows(self) -> Iterator[tuple[int, list[Cell]]]:
        """Yield the orders with the rows that belong to each; a line is one of the orders' file."""
        table, places = _opened(self.path, "orders")
        for line, found in table.rows():
            order, customer, status, bought, approved, delivered = (_at(found, place) for place in places)
            yield (
                line,
                [
                    order,
                    _shown(self.joined["customers"].get(customer, [])),
                    status,
                    bought,
                    approved,
                    delivered,
                    _shown(self.joined["order_items"].get(order, [])),
                    _shown(self.joined["order_payments"].get(order, [])),
                ],
            )


def open_folder(path: Path) -> Folder:
    """Open the folder (or one of its files); items, payments and customers are held by their order."""
    folder = path if path.is_dir() else path.parent
    digest = sha256()
    joined: dict[str, dict[str, list[list[str]]]] = {}
    table, _ = _opened(folder, "orders")
    digest.update(table.digest.encode())
    for name in ("order_items", "order_payments", "customers"):
        other, places = _opened(folder, name)
        digest.update(other.digest.encode())
        by_order = joined.setdefault(name, {})
        for _, found in other.rows():
            key, *rest = (_at(found, place) for place in places)
            by_order.setdefault(key, []).append(rest)
    return Folder(folder, digest.hexdigest(), table.count, [column.name for column in COLUMNS.all], joined)


def _opened(folder: Path, name: str) -> tuple[Any, list[int]]:
    wanted = FILES[name]
    for ending in ("csv", "csv.xz", "csv.gz"):
        path = folder / f"olist_{name}_dataset.{ending}"
        if path.exists():
            table = open_table(path, set(wanted))
            lacking = [column for column in wanted if column not in table.header]
            if lacking:
                raise TableUnreadable(f"Column {lacking[0]!r} is missing in {path.name}.", field=lacking[0])
            return table, [table.header.index(column) for column in wanted]
    raise TableUnreadable(f"There is no olist_{name}_dataset.csv in {folder.name}.")


def _at(found: Sequence[Cell], place: int) -> str:
    return str(found[place]) if place < len(found) and found[place] is not None else ""


def _shown(found: Sequence[Sequence[str]]) -> str:
    return orjson.dumps(found).decode() if found else ""


def judge(row: Row, home: Home) -> Problem | None:
    """Read items and payments as they are; the order is refused with the first that cannot be."""
    facts = row.facts
    lines = []
    for _, product, price, freight in sorted(facts["items"], key=lambda item: int(item[0])):
        lines.append((cells.word(product, home), cells.price(price, home), cells.price(freight, home)))
    facts["lines"] = lines
    facts["paid"] = [
        (cells.word(number, home), cells.word(kind, home), cells.amount(amount, home))
        for number, kind, amount in sorted(facts.get("payments", []))
    ]
    return None


def measure(row: Row, home: Home) -> int:
    """Return what the items and their freight sum to, in centavos."""
    return int(
        sum((price + freight for _, price, freight in row.facts.get("lines", [])), Decimal(0)) * scale(home.currency)
    )


def write(session: Session, ctx: Ctx, home: Home, pieces: Sequence[Piece]) -> Written:
    """Write the orders of a chunk with their customers, products and payments; what is there stays."""
    done = Written()
    known = orders.find(session, home, [piece.facts["order_id"] for piece in pieces])
    fit = []
    for piece in pieces:
        stands = known.get(piece.facts["order_id"])
        if stands and stands["digest"] != _digest(piece):
            done.refuse(piece, "order_id", "An order of this id came in with other lines.")
        else:
            fit.append(piece)
    buyers = people.have(session, ctx, home, {row["key"]: row for row in map(_buyer, fit)})
    names = {FREIGHT: "Freight"} | {
        product: f"Product {product[:8]}" for piece in fit for product, _, _ in piece.facts["lines"]
    }
    shelf = products.have(session, ctx, home, names)
    new = [piece for piece in fit if piece.facts["order_id"] not in known]
    orders.create_many(session, ctx, home, [_order(home, piece, buyers, shelf) for piece in new])
    given = [told for piece in fit for told in _payments(home, piece, buyers, done)]
    outcome = payments.receive(session, ctx, given)
    for rejected in outcome.rejected:
        done.refused[rejected["line"]] = Problem(f"payments: {rejected['field']}", rejected["rule"])
    bound = {**home.keys, "keys": [piece.facts["order_id"] for piece in fit]}
    done.counts["orders_minor"] += int(value(session, SUM_OF_LINES, bound))
    done.counts["payments"] += len(given)
    done.counts["created"] += len(new)
    done.counts["same"] += len(fit) - len(new)
    return done


SUM_OF_LINES = """
SELECT coalesce(sum(l.amount_minor), 0)::bigint FROM order_keys k JOIN order_lines l ON l.order_id = k.order_id
WHERE k.source = :source AND k.kind = :kind AND k.key = ANY(CAST(:keys AS text[]))
"""


def _buyer(piece: Piece) -> dict[str, Any]:
    unique, postal_code, city, state = piece.facts["customer"][0]
    return {
        "key": unique,
        "name": f"Customer {unique[:8]}",
        "status": "active",
        "city": city,
        "region": state,
        "postal_code": postal_code.zfill(5),
    }


def _order(home: Home, piece: Piece, buyers: dict[str, Any], shelf: dict[str, Any]) -> orders.Told:
    facts = piece.facts
    done_at: datetime = facts.get("delivered_at") or facts.get("approved_at") or facts["bought_at"]
    is_done = facts["order_status"] == "delivered"
    lines = []
    for product, price, freight in facts["lines"]:
        lines.append(orders.Line(shelf[product], Decimal(1), price))
        if freight:
            lines.append(orders.Line(shelf[FREIGHT], Decimal(1), freight))
    return orders.Told(
        key=facts["order_id"],
        customer_id=buyers[facts["customer"][0][0]],
        digest=_digest(piece),
        lines=lines,
        service_on=business_day(done_at, home.zone) if is_done else None,
        shift=None,
        status="delivered" if is_done else "cancelled" if facts["order_status"] == "canceled" else "placed",
        placed_at=facts["bought_at"],
        done_at=done_at,
        said={"mapping": NAME, "status": facts["order_status"]},
    )


def _payments(
    home: Home, piece: Piece, buyers: dict[str, Any], done: Written
) -> Iterator[tuple[int, str, dict[str, Any]]]:
    facts = piece.facts
    paid_on: date = business_day(facts.get("approved_at") or facts["bought_at"], home.zone)
    for number, kind, amount in facts["paid"]:
        if amount == 0:
            done.counts["payments_of_nothing"] += 1
            continue
        told = {
            "client_id": f"{NAME}/{facts['order_id']}/{number}",
            "customer": buyers[facts["customer"][0][0]],
            "amount": str(amount),
            "currency": home.currency,
            "method": kind,
            "received_on": paid_on,
            "reference": facts["order_id"],
        }
        yield piece.line, orjson.dumps(told, default=str).decode(), told


def _digest(piece: Piece) -> str:
    facts = piece.facts
    return sha256(repr((facts["customer"], facts["lines"], facts["order_status"])).encode()).hexdigest()


COMPARED = """
WITH items AS (
    SELECT k.key, o.customer_id, sum(l.amount_minor)::bigint AS items_minor
    FROM order_keys k JOIN orders o ON o.id = k.order_id JOIN order_lines l ON l.order_id = o.id
    WHERE k.source = :source AND k.kind = :kind AND k.facts->>'mapping' = 'olist'
    GROUP BY k.key, o.customer_id
), paid AS (
    SELECT reference AS key, sum(amount_minor)::bigint AS paid_minor FROM payments
    WHERE business_id = :business_id AND client_id LIKE 'olist/%' AND state = 'recorded'
    GROUP BY reference
)
SELECT key AS order, customer_id, items_minor, coalesce(paid_minor, 0) AS paid_minor,
       coalesce(paid_minor, 0) - items_minor AS difference_minor
FROM items LEFT JOIN paid USING (key)
WHERE items_minor <> coalesce(paid_minor, 0)
ORDER BY key
"""

PAID = """
SELECT coalesce(sum(amount_minor), 0)::bigint FROM payments
WHERE business_id = :business_id AND client_id LIKE 'olist/%' AND state = 'recorded'
"""


def finish(session: Session, ctx: Ctx, home: Home, counts: Counter[str]) -> dict[str, Any]:
    """Charge what was delivered; list the orders whose payments differ from their lines, as findings too."""
    while charges.charge_delivered(session, ctx):
        pass
    found = rows(session, COMPARED, home.keys)
    told = [
        {
            "subject": row["order"],
            "title": f"Order {row['order']} has lines of {row['items_minor']} and payments of {row['paid_minor']}",
            "severity": str(Severity.warning),
            "money_minor": row["difference_minor"],
            "currency": home.currency,
            "customer_id": str(row["customer_id"]),
            "facts": {name: row[name] for name in ("items_minor", "paid_minor")},
        }
        for row in found
    ]
    audit.report_many(session, ctx, DIFFERS, told)
    audit.resolve_unseen(session, ctx, DIFFERS, [row["order"] for row in found])
    counts["payments_differ"] = len(found)
    return {
        "totals": {"orders_minor": counts.pop("orders_minor", 0)},
        "paid_minor": value(session, PAID, home.keys),
        "differences": found,
    }


def identity(piece: Piece) -> tuple[object, ...]:
    """Return the order's id."""
    return ("order", piece.facts["order_id"])


KIND = Kind(
    "orders",
    COLUMNS,
    write,
    identity,
    judge=judge,
    finish=finish,
    measure=measure,
    currency="BRL",
    opens=("Olist", "BR", "America/Sao_Paulo"),
    source=open_folder,
)
