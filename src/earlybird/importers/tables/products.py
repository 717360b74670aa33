"""Products as a table: one row each with unit, pack, list price and tax, found again by `key`, else by name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.catalog.states import TaxComponent
from earlybird.importers.tables import cells
from earlybird.importers.tables.columns import Column, Columns, Problem, Row, differences
from earlybird.importers.tables.home import Home
from earlybird.importers.tables.kinds import Export, Kind, Piece, Written, as_json
from earlybird.importers.tables.people import folded
from earlybird.importers.tables.reading import Cell
from earlybird.infra.db import rows, run
from earlybird.kernel import ids
from earlybird.kernel.ctx import Ctx

LONG_AGO = date(2000, 1, 1)
"""From when a price or tax without a date is taken to hold."""

UNITS = {
    "l": "L", "litre": "L", "litres": "L", "liter": "L", "liters": "L", "ltr": "L", "kg": "kg", "kilogram": "kg",
    "kilo": "kg", "piece": "piece", "pieces": "piece", "pc": "piece", "pcs": "piece", "each": "piece", "unit": "piece",
}  # fmt: skip


def unit(cell: Cell, home: Home) -> str:
    """Return a unit's code: L, kg or piece."""
    found = UNITS.get(cells.word(cell, home).casefold().rstrip("."))
    if found is None:
        raise cells.Unfit("One of L, kg, piece.")
    return found


def pack(cell: Cell, home: Home) -> Decimal:
    """Return how much of its unit one packet holds."""
    return cells.some(cell, home)


def tax_rates(cell: Cell, home: Home) -> str:
    """Return rates as `CGST=0.025 SGST=0.025`, by component."""
    found: dict[str, Decimal] = {}
    for part in re.split(r"[\s,;+]+", cells.word(cell, home)):
        name, _, rate = part.partition("=")
        try:
            said = Decimal(rate.removesuffix("%")) / (100 if rate.endswith("%") else 1)
        except InvalidOperation:
            said = Decimal(-1)
        if name.upper() not in set(TaxComponent) or not 0 <= said < 1 or said != said.quantize(Decimal("0.0001")):
            raise cells.Unfit("Rates as CGST=0.025 SGST=0.025, each from 0 to below 1.")
        found[name.upper()] = said
    return " ".join(f"{name}={found[name].normalize():f}" for name in sorted(found))


COLUMNS = Columns(
    (
        Column("key", cells.word, "how your own list names the product", also=("sku", "external_id", "id")),
        Column("name", cells.word, "what it is called", required=True, also=("product", "product_name")),
        Column("category", cells.text, "a word of your own"),
        Column("unit", unit, "L, kg or piece (default)"),
        Column("pack_size", pack, "how much of its unit one packet holds; default 1"),
        Column("price", cells.price, "list price of one unit, major units", also=("unit_price", "product_price")),
        Column(
            "price_from", cells.day, "from when the price holds; default the beginning for a new product, else today"
        ),
        Column("tax_class", cells.word, "goods taxed alike"),
        Column("hsn", cells.word, "the class's HSN code"),
        Column("tax_rates", tax_rates, "the class's rates, as CGST=0.025 SGST=0.025; needed where the class is new"),
    )
)

OWN = ("name", "category", "unit", "pack_size", "tax_class")

KNOWN = """
SELECT p.id, k.key, p.name, p.category, p.unit_code AS unit, p.pack_size, t.name AS tax_class,
       y.unit_price AS price, y.valid_from AS price_from
FROM products p
LEFT JOIN product_keys k ON k.product_id = p.id AND k.source = :source AND k.kind = :kind
LEFT JOIN tax_classes t ON t.id = p.tax_class_id
LEFT JOIN LATERAL (SELECT unit_price, valid_from FROM prices WHERE product_id = p.id AND customer_id IS NULL
                   ORDER BY valid_from DESC LIMIT 1) y ON true
WHERE p.business_id = :business_id AND p.archived_at IS NULL
ORDER BY p.id
"""

PRODUCTS = """
INSERT INTO products (id, business_id, name, category, unit_code, pack_size, tax_class_id, created_at)
SELECT r.id, :business_id, r.name, r.category, coalesce(r.unit, 'piece'), coalesce(r.pack_size, 1), t.id, :now
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (id uuid, name text, category text, unit text, pack_size numeric,
    tax_class text)
LEFT JOIN tax_classes t ON t.business_id = :business_id AND t.name = r.tax_class
"""

KEYS = """
INSERT INTO product_keys (source, kind, key, product_id)
SELECT :source, :kind, r.key, r.id FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (id uuid, key text)
WHERE r.key IS NOT NULL
"""

PRICES = """
INSERT INTO prices (product_id, scope, customer_id, unit_price, currency, valid_from)
SELECT r.id, 'list', NULL, r.price, :currency, r.price_from
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (id uuid, price numeric, price_from date)
WHERE r.price IS NOT NULL
ON CONFLICT (product_id, customer_id, valid_from) DO UPDATE SET unit_price = excluded.unit_price
"""

CHANGE = """
UPDATE products p SET name = coalesce(r.name, p.name), category = coalesce(r.category, p.category),
    tax_class_id = coalesce(t.id, p.tax_class_id)
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (id uuid, name text, category text, tax_class text)
LEFT JOIN tax_classes t ON t.business_id = :business_id AND t.name = r.tax_class
WHERE p.id = r.id
"""

CLASSES = """
SELECT t.name, t.hsn, coalesce(string_agg(x.component || '=' || trim_scale(x.rate), ' ' ORDER BY x.component), '')
       AS tax_rates
FROM tax_classes t
LEFT JOIN LATERAL (SELECT DISTINCT ON (component) component, rate FROM tax_rates
                   WHERE tax_class_id = t.id ORDER BY component, valid_from DESC) x ON true
WHERE t.business_id = :business_id GROUP BY t.id
"""

NEW_CLASSES = """
WITH made AS (
    INSERT INTO tax_classes (business_id, name, hsn)
    SELECT :business_id, r.name, r.hsn FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (name text, hsn text)
    RETURNING id, name
)
INSERT INTO tax_rates (tax_class_id, component, rate, valid_from)
SELECT m.id, rate.key, rate.value::numeric, :long_ago
FROM made m JOIN jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (name text, rates jsonb) ON r.name = m.name
CROSS JOIN jsonb_each_text(r.rates) AS rate
"""

EXPORT = Export(
    "products",
    """
    SELECT k.key, p.name, p.category, p.unit_code AS unit, p.pack_size, y.unit_price AS price,
           y.valid_from AS price_from, t.name AS tax_class, t.hsn, x.rates AS tax_rates
    FROM products p
    LEFT JOIN LATERAL (SELECT min(k.key) AS key FROM product_keys k
                       WHERE k.product_id = p.id AND k.source = :source AND k.kind = :kind) k ON true
    LEFT JOIN tax_classes t ON t.id = p.tax_class_id
    LEFT JOIN LATERAL (
        SELECT string_agg(component || '=' || trim_scale(rate), ' ' ORDER BY component) AS rates
        FROM (SELECT DISTINCT ON (component) component, rate FROM tax_rates WHERE tax_class_id = t.id
              ORDER BY component, valid_from DESC) r) x ON true
    LEFT JOIN LATERAL (SELECT unit_price, valid_from FROM prices WHERE product_id = p.id AND customer_id IS NULL
                       ORDER BY valid_from DESC LIMIT 1) y ON true
    WHERE p.business_id = :business_id AND p.archived_at IS NULL
    ORDER BY p.id
    """,
)


class Shelf:
    """The products of a business, by key and by folded name."""

    def __init__(self, session: Session, home: Home) -> None:
        self.by_key: dict[str, dict[str, Any]] = {}
        self.by_name: dict[str, list[dict[str, Any]]] = {}
        seen: set[Any] = set()
        for row in rows(session, KNOWN, home.keys):
            if row["key"] is not None:
                self.by_key[row["key"]] = row
            if row["id"] not in seen:
                seen.add(row["id"])
                self.by_name.setdefault(folded(row["name"]), []).append(row)

    def named(self, said: str) -> dict[str, Any] | None:
        """Return the product of that key, else the only one of that name."""
        found = self.by_key.get(said)
        same = self.by_name.get(folded(said), [])
        return found or (same[0] if len(same) == 1 else None)

    def rule(self, said: str) -> str:
        """Say why `named` found none."""
        several = len(self.by_name.get(folded(said), [])) > 1
        return "Several products have this name; give the key." if several else "There is no such product."


def write(session: Session, ctx: Ctx, home: Home, pieces: Sequence[Piece]) -> Written:
    """Make new products with their prices; a new price holds from its date, the old one stays for before."""
    done = Written()
    shelf = Shelf(session, home)
    classes = {row["name"]: row for row in rows(session, CLASSES, home.keys)}
    new_classes: dict[str, Mapping[str, Any]] = {}
    made: list[dict[str, Any]] = []
    changed, prices = [], []
    keys = iter(ids.new_ids(len(pieces)))
    for piece in pieces:
        facts = piece.facts
        same = shelf.by_name.get(folded(facts["name"]), [])
        problem = _class_problem(facts, classes, new_classes) or _name_problem(facts, shelf)
        if problem:
            done.refuse(piece, problem.field, problem.rule)
            continue
        stands = shelf.by_key.get(facts["key"]) if "key" in facts else (same[0] if same else None)
        if stands is None:
            row = {**facts, "id": next(keys)}
            row.setdefault("price_from", LONG_AGO)
            made.append(row)
            prices.append(row)
            continue
        told, price, problem = _wanted(facts, stands, home)
        if problem:
            done.refuse(piece, problem.field, problem.rule)
            continue
        if told:
            changed.append({"id": stands["id"], **told})
        if price:
            prices.append({"id": stands["id"], **price})
        _record(session, ctx, stands, told | price)
        done.counts["changed" if told or price else "same"] += 1
    bound = {**home.keys, "now": ctx.now, "currency": home.currency, "long_ago": LONG_AGO}
    if new_classes:
        run(session, NEW_CLASSES, bound | {"rows": as_json([dict(row) for row in new_classes.values()])})
    create_many(session, ctx, home, made)
    if changed:
        run(session, CHANGE, bound | {"rows": as_json(changed)})
    if prices:
        run(session, PRICES, bound | {"rows": as_json(prices)})
    done.counts["created"] += len(made)
    return done


def _name_problem(facts: Mapping[str, Any], shelf: Shelf) -> Problem | None:
    """Refuse a name that several have, where no key tells them apart."""
    several = "key" not in facts and len(shelf.by_name.get(folded(facts["name"]), [])) > 1
    return Problem("name", shelf.rule(facts["name"])) if several else None


def _record(session: Session, ctx: Ctx, stands: Mapping[str, Any], told: Mapping[str, Any]) -> None:
    """Keep what a row changed of a product."""
    if told:
        after = {name: str(value) for name, value in told.items()}
        before = {name: None if stands.get(name) is None else str(stands[name]) for name in after}
        audit.record(session, ctx, "products.change", "product", stands["id"], before=before, after=after)


def _wanted(
    facts: Mapping[str, Any], stands: Mapping[str, Any], home: Home
) -> tuple[dict[str, Any], dict[str, Any], Problem | None]:
    """Return what a row tells of a product otherwise, and its new price; or why neither may be."""
    told = differences(facts, stands, OWN)
    fixed = sorted(told.keys() & {"unit", "pack_size"})
    if fixed:
        return {}, {}, Problem(fixed[0], "Unit and pack of a product do not change; make a new product.")
    price, there = facts.get("price"), stands["price_from"]
    since = facts.get("price_from") or (there if price == stands["price"] else home.today)
    if price is None or (price, since) == (stands["price"], there):
        return told, {}, None
    if there and since <= there:
        return {}, {}, Problem("price_from", f"The price of {there} stands; a new one holds from a later day.")
    return told, {"price": price, "price_from": since}, None


def create_many(session: Session, ctx: Ctx, home: Home, told: Sequence[Mapping[str, Any]]) -> None:
    """Make products of rows that bring their `id`; without prices."""
    if told:
        bound = {**home.keys, "now": ctx.now, "rows": as_json([dict(row) for row in told])}
        run(session, PRODUCTS, bound)
        run(session, KEYS, bound)
        audit.record_many(session, ctx, "products.create", "product", [row["id"] for row in told])


def have(session: Session, ctx: Ctx, home: Home, names: Mapping[str, str]) -> dict[str, UUID]:
    """Return the products of those keys; one that is not there is made, in pieces, with its name."""
    bound = {**home.keys, "keys": list(names)}
    found = {
        row["key"]: row["product_id"]
        for row in rows(
            session,
            "SELECT key, product_id FROM product_keys "
            "WHERE source = :source AND kind = :kind AND key = ANY(CAST(:keys AS text[]))",
            bound,
        )
    }
    lacking = [key for key in names if key not in found]
    made = [
        {"id": new, "key": key, "name": names[key] or key}
        for new, key in zip(ids.new_ids(len(lacking)), lacking, strict=True)
    ]
    create_many(session, ctx, home, made)
    return found | {key: new for new, key in ((row["id"], str(row["key"])) for row in made)}


def _class_problem(
    facts: Mapping[str, Any], classes: Mapping[str, Mapping[str, Any]], new: dict[str, Mapping[str, Any]]
) -> Problem | None:
    """Note a class that is new; refuse one without rates, or told otherwise than it stands."""
    name = facts.get("tax_class")
    if name is None:
        other = next((column for column in ("tax_rates", "hsn") if column in facts), None)
        return Problem("tax_class", f"{other} is the tax class's; name the class.") if other else None
    stands = classes.get(name) or new.get(name)
    rates = facts.get("tax_rates")
    if stands is None:
        if rates is None:
            return Problem("tax_rates", "The tax class is new; give its rates.")
        by_component = dict(part.split("=") for part in rates.split())
        new[name] = {"name": name, "hsn": facts.get("hsn"), "tax_rates": rates, "rates": by_component}
        return None
    for column in ("tax_rates", "hsn"):
        if column in facts and facts[column] != stands[column]:
            return Problem(column, f"The tax class has {stands[column] or 'none'}.")
    return None


def identity(piece: Piece) -> tuple[object, ...]:
    """Return the key, else the name."""
    facts = piece.facts
    return ("key", facts["key"]) if "key" in facts else ("name", folded(facts["name"]))


def judge(row: Row, home: Home) -> Problem | None:
    """Refuse a day from which no price holds."""
    del home
    if "price_from" in row.facts and "price" not in row.facts:
        return Problem("price", "The day is there, the price is not.")
    return None


KIND = Kind("products", COLUMNS, write, identity, judge=judge)
