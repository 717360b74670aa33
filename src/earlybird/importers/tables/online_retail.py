"""The invoice lines of a wholesaler (UCI Online Retail): sales become orders, all that gives back a proposed credit.

One invoice is one piece. A line is unit price × quantity, rounded once, half up, to the penny. Sales were
invoiced where the table comes from, so their orders are paid upstream: delivered, and never billed here.
Credits wait for a person. What has neither price nor customer is a stock movement and is kept aside.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.billing.states import ADJUSTMENT, AdjustmentKind
from earlybird.importers.tables import cells, orders, people, products
from earlybird.importers.tables.columns import Column, Columns, Row
from earlybird.importers.tables.home import Home
from earlybird.importers.tables.kinds import Kind, Piece, Written, as_json
from earlybird.importers.tables.reading import Cell
from earlybird.infra.db import rows
from earlybird.kernel.clock import business_day
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.money import Money

NAME = "online-retail"
WALK_IN = "walk-in"
STOCK = "A stock movement: no price and no customer."
NOTHING = "Gives nothing back: no price."


def signed(places: int) -> cells.Read:
    """Return the reader of a number that may be below zero."""

    def read(cell: Cell, home: Home) -> Decimal:
        return cells.number(cell, home, places=places)

    return read


def customer(cell: Cell, home: Home) -> str:
    """Return a customer's number without the `.0` a spreadsheet gave it."""
    return cells.word(cell, home).removesuffix(".0")


COLUMNS = Columns(
    (
        Column("invoice", cells.word, "C… is a cancellation", required=True, also=("invoiceno", "invoice_no")),
        Column("stock_code", cells.word, "the product", required=True, also=("stockcode",)),
        Column("description", cells.text, "the product's name on that line"),
        Column("quantity", signed(3), "below zero gives back", required=True),
        Column("invoiced_at", cells.instant, "local time", required=True, also=("invoicedate", "invoice_date")),
        Column("price", signed(4), "pounds a piece", required=True, also=("unitprice", "unit_price")),
        Column("customer", customer, "none: the walk-in customer", also=("customerid", "customer_id")),
        Column("country", cells.text, "where the customer is"),
    )
)

CREDITS = """
INSERT INTO adjustments (id, business_id, customer_id, kind, amount_minor, currency, effective_on, reason, state,
                         state_at, made_at)
SELECT r.id, :business_id, r.customer_id, r.kind, r.amount_minor, :currency, r.effective_on, r.reason, :proposed, :now,
       :now
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (id uuid, customer_id uuid, kind text, amount_minor bigint,
    effective_on date, reason text)
ON CONFLICT (id) DO NOTHING RETURNING id
"""

SUMS = """
SELECT coalesce((SELECT sum(l.amount_minor) FROM order_keys k JOIN order_lines l ON l.order_id = k.order_id
                 WHERE k.source = :source AND k.kind = :kind AND k.key = ANY(CAST(:keys AS text[]))), 0)::bigint
           AS orders_minor,
       coalesce((SELECT sum(a.amount_minor) FROM adjustments a WHERE a.id = ANY(CAST(:credits AS uuid[]))), 0)::bigint
           AS credits_minor
"""


def measure(row: Row, home: Home) -> int:
    """Return what a line of the file is worth, in pence."""
    facts = row.facts
    if "price" not in facts or "quantity" not in facts:
        return 0
    return Money.of(facts["price"], facts["quantity"], home.currency).minor


def write(session: Session, ctx: Ctx, home: Home, pieces: Sequence[Piece]) -> Written:
    """Write the invoices of a chunk: orders and credits that are not there yet; sum up what stands for them."""
    done = Written()
    sorted_out = [_sort_out(piece, home, done) for piece in pieces]
    known = orders.find(session, home, [piece.facts["invoice"] for piece in pieces])
    fit = []
    for piece, sold, given in zip(pieces, *zip(*sorted_out, strict=True), strict=True):
        stands = known.get(piece.facts["invoice"])
        if sold and stands and stands["digest"] != _digest(sold):
            done.refuse(piece, "invoice", "An invoice of this number came in with other lines.")
            done.kept = {line: told for line, told in done.kept.items() if line not in done.refused}
        else:
            fit.append((piece, sold, given))
    moving = [row for _, sold, given in fit for row in (*sold, *given)]
    buyers = people.have(session, ctx, home, _buyers(moving))
    names: dict[str, str] = {}
    for row in moving:
        if not names.get(row.facts["stock_code"]):
            names[row.facts["stock_code"]] = row.facts.get("description", "").strip()
    shelf = products.have(session, ctx, home, names)
    made = [
        _order(home, piece, sold, buyers, shelf)
        for piece, sold, _ in fit
        if sold and piece.facts["invoice"] not in known
    ]
    orders.create_many(session, ctx, home, made)
    returned = [_credit(home, piece, given, buyers) for piece, _, given in fit if given]
    new_credits = _propose(session, ctx, home, returned)
    done.counts.update(
        rows(
            session,
            SUMS,
            {
                **home.keys,
                "keys": [piece.facts["invoice"] for piece, sold, _ in fit if sold],
                "credits": [str(row["id"]) for row in returned],
            },
        )[0]
    )
    done.counts["created"] += len(made) + new_credits
    done.counts["same"] += sum(1 for _, sold, _ in fit if sold) - len(made) + len(returned) - new_credits
    done.counts["lines_of_orders"] += sum(len(sold) for _, sold, _ in fit)
    done.counts["lines_of_credits"] += sum(len(given) for _, _, given in fit)
    done.counts["exact_duplicates"] += sum(_duplicates(piece) for piece, _, _ in fit)
    return done


def _sort_out(piece: Piece, home: Home, done: Written) -> tuple[list[Row], list[Row]]:
    """Part an invoice's lines into sold and given back; keep aside what is neither."""
    sold, given = [], []
    for row in piece.rows:
        facts = row.facts
        amount = measure(row, home)
        is_sale = facts["invoice"][0].isdigit() and facts["quantity"] > 0 and facts["price"] >= 0
        if facts["price"] == 0 and "customer" not in facts:
            done.kept[row.line] = (STOCK, amount)
        elif is_sale:
            sold.append(row)
        elif amount == 0:
            done.kept[row.line] = (NOTHING, amount)
        else:
            given.append(row)
    return sold, given


def _buyers(moving: Sequence[Row]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for row in moving:
        key = row.facts.get("customer", WALK_IN)
        name = f"Customer {key}" if key != WALK_IN else "Walk-in customer"
        country = row.facts.get("country") if key != WALK_IN else None
        found.setdefault(key, {"name": name, "kind": "business", "status": "active", "region": country})
    return found


def _order(
    home: Home, piece: Piece, sold: Sequence[Row], buyers: dict[str, UUID], shelf: dict[str, UUID]
) -> orders.Told:
    at: datetime = min(row.facts["invoiced_at"] for row in sold)
    facts = piece.facts
    return orders.Told(
        key=facts["invoice"],
        customer_id=buyers[facts.get("customer", WALK_IN)],
        digest=_digest(sold),
        lines=[
            orders.Line(
                shelf[row.facts["stock_code"]],
                row.facts["quantity"],
                row.facts["price"],
                name=row.facts.get("description") or None,
            )
            for row in sold
        ],
        service_on=business_day(at, home.zone),
        shift=None,
        status="delivered",
        placed_at=at,
        done_at=at,
        paid_upstream=True,
        said={"mapping": NAME},
    )


def _credit(home: Home, piece: Piece, given: Sequence[Row], buyers: dict[str, UUID]) -> dict[str, Any]:
    facts = piece.facts
    at: datetime = min(row.facts["invoiced_at"] for row in given)
    amount = sum(measure(row, home) for row in given)
    return {
        "id": made_of(at, f"{home.business_id} {NAME} {facts['invoice']}"),
        "customer_id": buyers[facts.get("customer", WALK_IN)],
        "kind": str(AdjustmentKind.credit if amount < 0 else AdjustmentKind.fee),
        "amount_minor": amount,
        "effective_on": business_day(at, home.zone),
        "reason": f"Online Retail {facts['invoice']}, {len(given)} lines",
    }


def _propose(session: Session, ctx: Ctx, home: Home, returned: Sequence[dict[str, Any]]) -> int:
    """Propose credits that are not there yet; return how many."""
    if not returned:
        return 0
    bound = {
        "business_id": home.business_id,
        "currency": home.currency,
        "now": ctx.now,
        "proposed": str(ADJUSTMENT.start),
        "rows": as_json(returned),
    }
    made = [row["id"] for row in rows(session, CREDITS, bound)]
    if made:
        audit.record_many(session, ctx, "adjustments.propose", "adjustment", made)
    return len(made)


def _digest(sold: Sequence[Row]) -> str:
    names = ("stock_code", "quantity", "price", "customer")
    return sha256(repr([[str(row.facts.get(name)) for name in names] for row in sold]).encode()).hexdigest()


def _duplicates(piece: Piece) -> int:
    """Count the lines that say exactly what another of the invoice says; they are lines all the same."""
    return len(piece.rows) - len(Counter(repr(row.facts) for row in piece.rows))


def made_of(at: datetime, name: str) -> UUID:
    """Return the same UUIDv7 for the same instant and name: the key of a row that has no other."""
    value = int(at.timestamp() * 1000) << 80 | int.from_bytes(sha256(name.encode()).digest()[:10], "big")
    value &= ~(0xF << 76) & ~(0b11 << 62)
    return UUID(int=value | 0x7 << 76 | 0b10 << 62)


def finish(session: Session, ctx: Ctx, home: Home, counts: Counter[str]) -> dict[str, Any]:
    """Return what stands in the database for the file: orders and returned, in pence."""
    del session, ctx, home
    return {"totals": {name: counts.pop(name, 0) for name in ("orders_minor", "credits_minor")}}


def identity(piece: Piece) -> tuple[object, ...]:
    """Return the invoice's number."""
    return ("invoice", piece.facts["invoice"])


KIND = Kind(
    "orders",
    COLUMNS,
    write,
    identity,
    together="invoice",
    finish=finish,
    measure=measure,
    currency="GBP",
    opens=("Online Retail", "GB", "Europe/London"),
)
