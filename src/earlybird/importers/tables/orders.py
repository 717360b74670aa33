"""Orders as a table: one row per line, rows of one `key` make an order.

What is still to come is placed before its cut-off, as by hand. What was delivered comes in as what it
is: an order, its stop, and what was handed over, told by the import; it is charged like any other
delivery, unless it was paid upstream. Days before the day of change come in as paid upstream only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.catalog import queries as catalog
from earlybird.importers.tables import cells, parties
from earlybird.importers.tables.columns import Column, Columns, Problem, Row
from earlybird.importers.tables.home import Home
from earlybird.importers.tables.kinds import Export, Kind, Piece, Written, as_json
from earlybird.importers.tables.products import Shelf
from earlybird.infra.db import rows, run
from earlybird.kernel import ids
from earlybird.kernel.clock import at_local
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.errors import Failure
from earlybird.orders import queries
from earlybird.orders.errors import BeforeTakeOver
from earlybird.subscriptions.service import check_cutoff
from earlybird.territory.states import Shift

DONE = ("delivered", "partially_delivered", "not_delivered")

COLUMNS = Columns(
    (
        Column("key", cells.word, "names the order; its lines have it in common", required=True,
               also=("order", "order_id", "order_key", "external_id")),
        Column("customer", cells.word, "key or code of the customer", required=True, also=("customer_key",)),
        Column("service_on", cells.day, "day it comes to the door; none for an order without", also=("date",)),
        Column("shift", cells.one_of(*Shift), "morning (default) or evening"),
        Column("product", cells.word, "key or name of the product", required=True, also=("product_key",)),
        Column("quantity", cells.some, "in the product's unit", required=True),
        Column("delivered", cells.quantity, "how much was handed over; default all of a delivered order"),
        Column("price", cells.price, "unit price, major units; else the price in force", also=("unit_price",)),
        Column("status", cells.one_of("placed", "cancelled", *DONE, also={"planned": "placed", "out": "placed"}),
               "placed (default), delivered, partially_delivered, not_delivered, cancelled", also=("state",)),
        Column("paid_upstream", cells.yes, "yes: paid elsewhere, never billed here"),
        Column("placed_at", cells.instant, "when it was taken; default now"),
        Column("note", cells.text, "for whoever packs or brings it"),
        Column("source", cells.one_of("one_time", "subscription"), "one_time (default); the plan makes the others"),
    )
)  # fmt: skip

KNOWN = """
SELECT k.key, k.order_id, k.facts->>'digest' AS digest FROM order_keys k
WHERE k.source = :source AND k.kind = :kind AND k.key = ANY(CAST(:keys AS text[]))
UNION ALL
SELECT o.code, o.id, NULL FROM orders o
WHERE o.code = ANY(CAST(:keys AS text[])) AND o.seller_id = :business_id
"""

ORDERS = """
INSERT INTO orders (id, seller_id, site_id, customer_id, address_id, code, source, service_on, shift, state, state_at,
                    placed_at, note, paid_upstream)
SELECT r.id, :business_id, c.site_id, c.id, d.id, r.code, 'one_time', r.service_on, r.shift, r.status, :now,
       r.placed_at, r.note, r.paid_upstream
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (id uuid, code text, customer_id uuid, service_on date, shift text,
    status text, placed_at timestamptz, note text, paid_upstream boolean)
JOIN customers c ON c.id = r.customer_id
LEFT JOIN addresses d ON d.customer_id = c.id AND d.is_default AND d.archived_at IS NULL
"""

KEYS = """
INSERT INTO order_keys (source, kind, key, order_id, facts)
SELECT :source, :kind, r.key, r.id, r.said
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (id uuid, key text, said jsonb)
"""

LINES = f"""
INSERT INTO order_lines (id, order_id, position, customer_id, service_on, shift, source, price_id, product_id,
    product_name, unit, quantity, base_quantity, unit_price, currency, amount_minor, tax_class_id, cancelled_at,
    cancelled_by, planned_at)
SELECT l.id, o.id, l.position, o.customer_id, o.service_on, o.shift, 'one_time', l.price_id, p.id,
       coalesce(l.name, p.name), p.unit_code, l.quantity, l.quantity, l.price, :currency,
       {catalog.amount_minor("l.quantity", "l.price", ":currency")}, p.tax_class_id,
       CASE WHEN o.state = 'cancelled' THEN CAST(:now AS timestamptz) END,
       CASE WHEN o.state = 'cancelled' THEN 'person' END, :now
FROM jsonb_to_recordset(CAST(:lines AS jsonb)) AS l (id uuid, order_id uuid, position smallint, product_id uuid,
    name text, quantity numeric, price numeric, price_id uuid)
JOIN orders o ON o.id = l.order_id
JOIN products p ON p.id = l.product_id
"""

STOPS = """
INSERT INTO deliveries (id, order_id, customer_id, planned_on, shift, state, state_at)
SELECT r.stop_id, r.id, r.customer_id, r.service_on, r.shift, r.status, :now
FROM jsonb_to_recordset(CAST(:stops AS jsonb)) AS r (id uuid, stop_id uuid, customer_id uuid, service_on date,
    shift text, status text)
"""

STOP_LINES = """
INSERT INTO delivery_lines (id, delivery_id, order_line_id, customer_id, service_on, ordered_quantity,
                            delivered_quantity)
SELECT l.stop_line_id, l.stop_id, l.id, l.customer_id, l.service_on, l.quantity, l.delivered
FROM jsonb_to_recordset(CAST(:lines AS jsonb)) AS l (id uuid, stop_line_id uuid, stop_id uuid, customer_id uuid,
    service_on date, quantity numeric, delivered numeric)
WHERE l.stop_id IS NOT NULL
"""

EVENTS = """
INSERT INTO delivery_events (id, client_id, delivery_id, customer_id, service_on, kind, device_at, received_at,
    actor_kind, actor_id, actor_name, authority, via)
SELECT r.event_id, concat('order ', r.id), r.stop_id, r.customer_id, r.service_on, 'confirm', r.done_at, :now,
       :actor_kind, :actor_id, :actor_name, 4, 'import'
FROM jsonb_to_recordset(CAST(:stops AS jsonb)) AS r (id uuid, event_id uuid, stop_id uuid, customer_id uuid,
    service_on date, done_at timestamptz)
"""

EVENT_LINES = """
INSERT INTO delivery_event_lines (event_id, delivery_line_id, customer_id, service_on, revision, delta_quantity)
SELECT l.event_id, l.stop_line_id, l.customer_id, l.service_on, 1, l.delivered
FROM jsonb_to_recordset(CAST(:lines AS jsonb)) AS l (event_id uuid, stop_line_id uuid, customer_id uuid,
    service_on date, delivered numeric)
WHERE l.event_id IS NOT NULL
"""

PRICED = f"""
SELECT DISTINCT r.product_id, r.customer_id, r.service_on, price.price_id, price.unit_price
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (product_id uuid, customer_id uuid, service_on date)
JOIN products p ON p.id = r.product_id
{catalog.price_in_force("p.id", "r.customer_id", ":today", "CAST(NULL AS numeric)")}
WHERE r.service_on = :today
"""

EXPORT = Export(
    "orders",
    """
    SELECT coalesce(ok.key, o.code, CAST(o.id AS text)) AS key, coalesce(ck.key, c.code) AS customer,
           o.service_on, o.shift, coalesce(pk.key, p.name) AS product, l.quantity, d.delivered, l.unit_price AS price,
           o.state AS status, CASE WHEN o.paid_upstream THEN 'yes' END AS paid_upstream, o.placed_at, o.note,
           CASE WHEN o.source = 'subscription' THEN o.source END AS source
    FROM orders o
    JOIN customers c ON c.id = o.customer_id
    JOIN order_lines l ON l.order_id = o.id AND (l.cancelled_at IS NULL OR o.state = 'cancelled')
    JOIN products p ON p.id = l.product_id
    LEFT JOIN LATERAL (SELECT sum(x.delivered_quantity) AS delivered FROM delivery_lines x
                       WHERE x.order_line_id = l.id AND o.state <> 'placed') d ON true
    LEFT JOIN LATERAL (SELECT min(k.key) AS key FROM order_keys k
                       WHERE k.order_id = o.id AND k.source = :source AND k.kind = :kind) ok ON true
    LEFT JOIN LATERAL (SELECT min(k.key) AS key FROM customer_keys k
                       WHERE k.customer_id = c.id AND k.source = :source AND k.kind = :kind) ck ON true
    LEFT JOIN LATERAL (SELECT min(k.key) AS key FROM product_keys k
                       WHERE k.product_id = p.id AND k.source = :source AND k.kind = :kind) pk ON true
    WHERE o.seller_id = :business_id
    ORDER BY o.id, l.position, l.id
    """,
)


@dataclass(slots=True)
class Line:
    """So much of a product; `price` None is the one in force, `delivered` None is all of it."""

    product_id: UUID
    quantity: Decimal
    price: Decimal | None
    price_id: UUID | None = None
    delivered: Decimal | None = None
    name: str | None = None


@dataclass(slots=True)
class Told:
    """An order as a table tells it, checked and ready to be written."""

    key: str
    customer_id: UUID
    digest: str
    lines: list[Line]
    service_on: date | None
    shift: str | None
    status: str
    placed_at: datetime
    done_at: datetime | None = None
    note: str | None = None
    paid_upstream: bool = False
    said: Mapping[str, Any] = field(default_factory=dict)


def judge(row: Row, home: Home) -> Problem | None:
    """Hold the rules of one line, and of the day it is for."""
    facts = row.facts
    status = facts.setdefault("status", "placed")
    day = facts.get("service_on")
    is_done = status in DONE
    delivered = facts.get("delivered")
    is_before = home.cutover_on is not None and day is not None and day < home.cutover_on
    rules = (
        (facts.get("source") == "subscription", "source", "The plan makes these; import the standing order."),
        (is_done and day is None, "service_on", "What was delivered was so on a day."),
        (is_done and day is not None and day > home.today, "service_on", "What is delivered is not in the future."),
        (day is None and "shift" in facts, "service_on", "A shift is of a day."),
        (is_before and not facts.get("paid_upstream"), "service_on", str(BeforeTakeOver())),
        (bool(delivered) and not is_done, "delivered", f"An order that is {status} has delivered nothing."),
        (delivered is not None and delivered > facts["quantity"], "delivered", "More than was ordered."),
    )
    return next((Problem(where, rule) for broken, where, rule in rules if broken), None)


def write(session: Session, ctx: Ctx, home: Home, pieces: Sequence[Piece]) -> Written:
    """Place what is to come, record what was delivered; an order told otherwise than it stands is refused."""
    done = Written()
    known = find(session, home, [piece.facts["key"] for piece in pieces])
    customers = parties.find(session, home, {piece.facts["customer"] for piece in pieces})
    shelf = Shelf(session, home)
    shut: dict[tuple[object, ...], Problem | None] = {}
    made: list[tuple[Piece, Told]] = []
    for piece in pieces:
        problem = _problem(session, ctx, piece, customers, shelf, shut)
        if problem is None and piece.facts["key"] in known:
            stands = known[piece.facts["key"]]
            if stands["digest"] in {None, _digest(piece)}:
                done.counts["same"] += 1
            else:
                done.refuse(piece, "key", "An order of this key came in with other lines; cancel it, give a new key.")
        elif problem:
            done.refuse(piece, problem.field, problem.rule)
        else:
            made.append((piece, _told(ctx, home, piece, customers, shelf)))
    priced = price(session, home, [told for _, told in made])
    good = []
    for piece, told in made:
        if told.key in priced:
            done.refuse(piece, "price", "The product has no price on that date and none was given.")
        else:
            good.append(told)
    create_many(session, ctx, home, good)
    done.counts["created"] += len(good)
    return done


def find(session: Session, home: Home, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the orders of those keys or codes (order_id, digest of what was told)."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows(session, KNOWN, {**home.keys, "keys": list(keys)}):
        found.setdefault(row["key"], row)
    return found


def _problem(
    session: Session,
    ctx: Ctx,
    piece: Piece,
    customers: Mapping[str, Mapping[str, Any]],
    shelf: Shelf,
    shut: dict[tuple[object, ...], Problem | None],
) -> Problem | None:
    """Judge the lines of an order together."""
    facts = piece.facts
    for name in ("customer", "service_on", "shift", "status", "paid_upstream", "placed_at"):
        if any(row.facts.get(name) != facts.get(name) for row in piece.rows):
            return Problem(name, "The lines of one order have one of these.")
    if facts["customer"] not in customers:
        return Problem("customer", parties.UNKNOWN)
    for row in piece.rows:
        if shelf.named(row.facts["product"]) is None:
            return Problem("product", shelf.rule(row.facts["product"]))
    if facts["status"] in DONE and facts["status"] != _outcome(piece):
        return Problem("status", f"By its lines the order is {_outcome(piece)}.")
    if facts["status"] != "placed" or facts.get("service_on") is None:
        return None
    site_id = customers[facts["customer"]]["site_id"]
    place = (site_id, facts["service_on"], facts.get("shift", "morning"))
    if place not in shut:
        try:
            check_cutoff(session, ctx, site_id, facts["service_on"], [str(place[2])], field="service_on")
            shut[place] = None
        except Failure as failure:
            shut[place] = Problem(failure.field, failure.message)
    return shut[place]


def _delivered(row: Row) -> Decimal:
    """Return how much of a line was handed over."""
    quantity: Decimal = row.facts["quantity"]
    if row.facts["status"] == "not_delivered":
        quantity = Decimal(0)
    found: Decimal = row.facts.get("delivered", quantity)
    return found


def _outcome(piece: Piece) -> str:
    """Return what the lines make of the order."""
    if all(_delivered(row) == 0 for row in piece.rows):
        return "not_delivered"
    whole = all(_delivered(row) == row.facts["quantity"] for row in piece.rows)
    return "delivered" if whole else "partially_delivered"


def _digest(piece: Piece) -> str:
    """Return what is kept of an order's rows to know them again."""
    names = ("customer", "service_on", "shift", "product", "quantity", "delivered", "price", "status", "paid_upstream")
    said = [[str(row.facts.get(name)) for name in names] for row in piece.rows]
    return sha256(repr(said).encode()).hexdigest()


def _told(ctx: Ctx, home: Home, piece: Piece, customers: Mapping[str, Mapping[str, Any]], shelf: Shelf) -> Told:
    facts = piece.facts
    day = facts.get("service_on")
    lines = []
    for row in piece.rows:
        product = shelf.named(row.facts["product"]) or {}
        delivered = _delivered(row) if facts["status"] in DONE else None
        lines.append(Line(product["id"], row.facts["quantity"], row.facts.get("price"), delivered=delivered))
    placed_at = facts.get("placed_at") or ctx.now
    return Told(
        key=facts["key"],
        customer_id=customers[facts["customer"]]["id"],
        digest=_digest(piece),
        lines=lines,
        service_on=day,
        shift=facts.get("shift", "morning") if day else None,
        status=facts["status"],
        placed_at=placed_at,
        done_at=noon(day, home) if day and facts["status"] in DONE else None,
        note=facts.get("note"),
        paid_upstream=facts.get("paid_upstream", False),
    )


def noon(day: date, home: Home) -> datetime:
    """Return noon of a business day: when a thing happened of which only the day is known."""
    return at_local(day, time(12), home.zone)


def price(session: Session, home: Home, told: Sequence[Told]) -> set[str]:
    """Give lines without a price the one in force on their day; return the keys of orders that have none."""
    wanted = [(order, line) for order in told for line in order.lines if line.price is None]
    by_day: dict[date, list[tuple[Told, Line]]] = {}
    for order, line in wanted:
        by_day.setdefault(order.service_on or home.today, []).append((order, line))
    lost: set[str] = set()
    for day, lines in by_day.items():
        asked = [
            {"product_id": line.product_id, "customer_id": order.customer_id, "service_on": day}
            for order, line in lines
        ]
        found = {
            (row["product_id"], row["customer_id"]): row
            for row in rows(session, PRICED, {"rows": as_json(asked), "today": day})
        }
        for order, line in lines:
            row = found.get((line.product_id, order.customer_id))
            if row is None or row["unit_price"] is None:
                lost.add(order.key)
            else:
                line.price, line.price_id = row["unit_price"], row["price_id"]
    return lost


def create_many(session: Session, ctx: Ctx, home: Home, told: Sequence[Told]) -> Counter[str]:
    """Write orders with their lines, and the stop and confirmation of those that were delivered or not."""
    if not told:
        return Counter()
    orders, lines, stops = [], [], []
    for key, order in zip(ids.new_ids(len(told)), told, strict=True):
        row: dict[str, Any] = {
            "id": key,
            "code": ids.code(queries.PREFIX, key),
            "key": order.key,
            "customer_id": order.customer_id,
            "service_on": order.service_on,
            "shift": order.shift,
            "status": order.status,
            "placed_at": order.placed_at,
            "note": order.note,
            "paid_upstream": order.paid_upstream,
            "said": {"digest": order.digest, **order.said},
        }
        orders.append(row)
        is_done = order.status in DONE
        if is_done:
            stops.append({**row, "stop_id": ids.new_id(), "event_id": ids.new_id(), "done_at": order.done_at})
        for position, line in enumerate(order.lines, 1):
            made: dict[str, Any] = {
                "id": ids.new_id(),
                "order_id": key,
                "position": position,
                "product_id": line.product_id,
                "name": line.name,
                "quantity": line.quantity,
                "price": line.price,
                "price_id": line.price_id,
            }
            if is_done:
                made |= {
                    "customer_id": order.customer_id,
                    "service_on": order.service_on,
                    "delivered": line.quantity if line.delivered is None else line.delivered,
                    "stop_id": stops[-1]["stop_id"],
                    "event_id": stops[-1]["event_id"],
                    "stop_line_id": ids.new_id(),
                }
            lines.append(made)
    bound = {
        **home.keys,
        "now": ctx.now,
        "currency": home.currency,
        "rows": as_json(orders),
        "lines": as_json(lines),
        "stops": as_json(stops),
        "actor_kind": ctx.actor.kind,
        "actor_id": ctx.actor.id,
        "actor_name": ctx.actor.name,
    }
    for statement in (ORDERS, KEYS, LINES):
        run(session, statement, bound)
    if stops:
        for statement in (STOPS, STOP_LINES, EVENTS, EVENT_LINES):
            run(session, statement, bound)
    after = {"lines": len(lines), "delivered": len(stops)}
    audit.record_many(session, ctx, "orders.import", "order", [row["id"] for row in orders], after=after)
    return Counter(orders=len(orders), lines=len(lines))


def identity(piece: Piece) -> tuple[object, ...]:
    """Return the key."""
    return ("key", piece.facts["key"])


KIND = Kind("orders", COLUMNS, write, identity, together="key", judge=judge)
