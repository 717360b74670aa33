"""Facts of what happened at the door, and of the instructions kept beside the standing orders."""

from __future__ import annotations

from typing import Any, Final

from earlybird.importers.earlybird import reading
from earlybird.importers.earlybird.facts.sheet import Sheet, entries, instant_and_day, number_text

_WRITTEN: Final = ("updated_at", "delivered_at", "created_at")


def delivery(sheet: Sheet) -> None:
    """Read a row of either delivery collection.

    `told_at`: when it was last written; `early`: on an Indian day before the delivery date, so a promise, no evidence.
    """
    body, facts = sheet.body, sheet.facts
    sheet.reference("customer", "customer_id")
    sheet.reference("order", "order_id")
    sheet.day("day", "delivery_date")
    sheet.reference("driver", "delivery_boy_id")
    sheet.keep("status", reading.fold_order_status(body.get("status")))
    told_on = _told(sheet)
    facts["early"] = bool(told_on and "day" in facts and told_on < facts["day"])
    if body.get("products") is not None:
        facts["products"] = _products(sheet)
    sheet.text("method", "confirmation_method")
    sheet.reference("by", "confirmed_by_user_id")
    sheet.text("by_name", "confirmed_by_name")
    _from_where(sheet)


def _from_where(sheet: Sheet) -> None:
    """Keep when and from where it was confirmed, where that can be read; what cannot is no problem of the row."""
    body, facts = sheet.body, sheet.facts
    if body.get("confirmed_at") is not None:
        confirmed_at, _, _ = instant_and_day(body["confirmed_at"], "confirmed_at")
        if confirmed_at is not None:
            facts["confirmed_at"] = confirmed_at
    for name, field in (("address", "ip_address"), ("device", "device_info")):
        if body.get(field):
            found, _ = reading.read_text(body[field], field)
            if found is not None:
                facts[name] = found


def _told(sheet: Sheet) -> str | None:
    for field in _WRITTEN:
        told_at, told_on, problem = instant_and_day(sheet.body.get(field), field)
        if problem is not None:
            sheet.problems.append(problem)
        if told_at is not None:
            sheet.facts["told_at"] = told_at
            return told_on
    return None


def _products(sheet: Sheet) -> list[dict[str, Any]]:
    found = []
    for line in entries(sheet.body["products"]):
        name = sheet.take(reading.read_text(line.get("product_name"), "products.product_name"))
        if name is None:
            continue
        ordered = sheet.take(number_text(line.get("quantity_packets"), "products.quantity_packets"))
        delivered = sheet.take(number_text(line.get("delivered_quantity"), "products.delivered_quantity"))
        facts = {"name": name.casefold(), "ordered": ordered, "delivered": delivered}
        found.append({field: value for field, value in facts.items() if value is not None})
    return found


def override(sheet: Sheet) -> None:
    """Read another quantity on one day."""
    sheet.reference("subscription", "subscription_id")
    sheet.day("day", "date")
    sheet.number("quantity", "quantity")


def pause(sheet: Sheet) -> None:
    """Read one day without delivery."""
    sheet.reference("subscription", "subscription_id")
    sheet.day("day", "date")


def stop(sheet: Sheet) -> None:
    """Read an end; the day itself is already without delivery."""
    sheet.reference("subscription", "subscription_id")
    sheet.day("day", "stopped_at")


def extra(sheet: Sheet) -> None:
    """Read an extra on one day, in the product's own unit."""
    sheet.reference("customer", "customer_id")
    sheet.reference("product", "product_id")
    sheet.day("day", "date")
    sheet.number("quantity", "quantity")


def other_shift(sheet: Sheet) -> None:
    """Read another shift on one day."""
    sheet.reference("subscription", "subscription_id")
    sheet.day("day", "date")
    sheet.keep("shift", reading.fold_shift(sheet.body.get("shift")))


def other_driver(sheet: Sheet) -> None:
    """Read another delivery boy on one day, by name."""
    sheet.reference("subscription", "subscription_id")
    sheet.day("day", "date")
    sheet.text("driver", "delivery_boy")


def audit(sheet: Sheet) -> None:
    """Read a change of the usual quantity: when, and what it was before."""
    if sheet.body.get("action") != "updated_default_qty":
        return
    sheet.reference("subscription", "subscription_id")
    at, on, problem = instant_and_day(sheet.body.get("timestamp"), "timestamp")
    sheet.keep("at", (at, problem))
    sheet.keep("day", (on, None))
    sheet.number("old", "old_value")
