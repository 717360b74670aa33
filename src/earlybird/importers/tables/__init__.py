"""Tables in and out: customers, products, standing orders, orders and payments as CSV or workbooks.

Each kind of table is one file; so is each mapping of a table that another system wrote.
"""

from __future__ import annotations

from earlybird.importers.errors import NoSuchKind, NoSuchMapping
from earlybird.importers.tables import (
    customers,
    legacy_excel,
    olist,
    online_retail,
    orders,
    payments,
    products,
    subscriptions,
)
from earlybird.importers.tables.export import as_text, as_workbook
from earlybird.importers.tables.home import Home, find_home
from earlybird.importers.tables.kinds import Export, Kind
from earlybird.importers.tables.run import Outcome, take, take_within

KINDS: dict[str, Kind] = {
    slice_.KIND.name: slice_.KIND for slice_ in (customers, products, subscriptions, orders, payments)
}
"""The kinds of table, as they are written by hand and by `earlybird export csv`."""

EXPORTS: dict[str, Export] = {
    slice_.EXPORT.name: slice_.EXPORT for slice_ in (customers, products, subscriptions, orders, payments)
}

MAPPINGS: dict[str, dict[str, Kind]] = {
    mapping.NAME: {mapping.KIND.name: mapping.KIND} for mapping in (legacy_excel, online_retail, olist)
}
"""Tables that other systems wrote, by name of the mapping and kind."""


def kind_of(name: str, mapping: str | None = None) -> Kind:
    """Return how a kind of table comes in, in our own columns or by a mapping. Raises NoSuchKind, NoSuchMapping."""
    if name not in KINDS:
        raise NoSuchKind(field="kind", kind=name, kinds=", ".join(KINDS))
    if mapping is None:
        return KINDS[name]
    found = MAPPINGS.get(mapping, {}).get(name)
    if found is None:
        there = ", ".join(f"{name} of {kind}" for name, kinds in MAPPINGS.items() for kind in kinds)
        raise NoSuchMapping(field="mapping", mapping=mapping, mappings=there)
    return found


def export_of(name: str) -> Export:
    """Return how a kind of table is written. Raises NoSuchKind."""
    if name not in EXPORTS:
        raise NoSuchKind(field="kind", kind=name, kinds=", ".join(EXPORTS))
    return EXPORTS[name]


__all__ = [
    "EXPORTS",
    "KINDS",
    "MAPPINGS",
    "Export",
    "Home",
    "Kind",
    "Outcome",
    "as_text",
    "as_workbook",
    "export_of",
    "find_home",
    "kind_of",
    "take",
    "take_within",
]
