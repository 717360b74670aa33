"""The reference reading as the product must report it: with what the product does otherwise by design, and why."""

from __future__ import annotations

import json
from collections import Counter
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

from earlybird.importers.earlybird import merge
from earlybird.importers.earlybird import reading as rd
from importers import reference

ONE_PER_ID = merge.ENTITIES
"""Collections where an id names one thing. The reference reads the first of several, too, but counts all as taken in;
the product sets the others aside, for a person to look at."""


class Oracle(reference.Dump):
    """The reference, with quantities to the thousandth, as the ledgers keep them, and one row of each id."""

    def documents(self, name: str) -> list[reference.Doc]:
        found = super().documents(name)
        if name not in ("delivery_statuses", "areas_v2"):
            return found
        return [*reference.first_of_each_key(found).values()]

    def value_of_day(self, customer: str, day: reference.date, rows: list[reference.Row]) -> int:
        latest = {v: reference.latest_row(self.rows_of_visit(customer, v, rows)) for v in reference.VISITS}
        paise = 0
        for sub in self.subscriptions_of.get(customer, ()):
            row = latest["evening" if sub.shift == "evening" else "morning"]
            if row is not None and row.status in reference.DONE:
                delivered, ordered = self.share(row, rows, sub.product)
                quantity = thousandths(thousandths(reference.due(sub, day)) * delivered / ordered)
                paise += rd.to_paise(quantity * price(self.subscription_price(sub)))
        row = latest["morning"]
        if row is not None and row.status in reference.DONE:
            for product, quantity in self.extras.get((customer, day), ()):
                paise += rd.to_paise(thousandths(quantity) * price(self.extra_price(customer, product)))
        return paise

    def line_value(self, line: reference.Doc, *, as_delivered: bool) -> int:
        quantity = rd.read_quantity(line.get("quantity"), "quantity")[0]
        delivered = rd.read_quantity(line.get("delivered_quantity"), "delivered_quantity")[0]
        if as_delivered and delivered is not None:
            quantity = delivered
        own = rd.read_price(line.get("price")) or self.product_price(rd.read_reference(line.get("product_id")))
        return rd.to_paise(thousandths(max(quantity or reference.ZERO, reference.ZERO)) * price(own or reference.ZERO))

    def expected(self) -> dict[str, Any]:
        """The report the product must write, in comparable form."""
        found = comparable(self.report())
        for name, collection in self.collections.items():
            aside = 0
            if name in ONE_PER_ID:
                keys = Counter(rd.document_key(body) for body in collection.documents)
                aside = sum(count - 1 for count in keys.values())
            if name == "payment_transactions":  # a payment without an amount is nothing to post
                aside = sum(rd.read_money(p.get("amount"), "amount")[0] is None for p in collection.documents)
            found["collections"][name]["imported"] -= aside
            found["collections"][name]["quarantined"] += aside
        return found


def thousandths(quantity: Decimal) -> Decimal:
    """A quantity as NUMERIC(14, 3) keeps it."""
    return quantity.quantize(Decimal("0.001"), ROUND_HALF_UP)


def price(rupees: Decimal) -> Decimal:
    """A unit price as NUMERIC(14, 4) keeps it."""
    return rupees.quantize(Decimal("0.0001"), ROUND_HALF_UP)


def comparable(report: dict[str, Any]) -> dict[str, Any]:
    """A report with customer-months by name, and without the links it says there are none."""
    found: dict[str, Any] = json.loads(json.dumps(report, default=str))
    links = found["links"]
    links["orders_to_customers"] = {order: who for order, who in links["orders_to_customers"].items() if who}
    found["money"]["by_customer_month"] = {
        f"{month['customer_legacy_id']} {month['month']}": (month["delivered_minor"], month["legacy_billed_minor"])
        for month in found["money"]["by_customer_month"]
    }
    return found


def differences(wanted: Any, found: Any, path: str = "") -> list[tuple[str, Any, Any]]:
    """Where two reports differ: path, wanted, found."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return [
            part
            for key in sorted(wanted.keys() | found.keys())
            for part in differences(wanted.get(key), found.get(key), f"{path}/{key}")
        ]
    return [] if wanted == found else [(path, wanted, found)]


def report_of(folder: Path) -> dict[str, Any]:
    """The report the product must write about the dump in `folder`."""
    return Oracle(folder).expected()
