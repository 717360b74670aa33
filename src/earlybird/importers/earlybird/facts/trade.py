"""Facts of what is agreed and paid: products, standing orders, one-time orders, payments."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from earlybird.importers.earlybird import reading
from earlybird.importers.earlybird.facts.people import status
from earlybird.importers.earlybird.facts.sheet import (
    Body,
    Sheet,
    dated_texts,
    day_text,
    decimal_text,
    entries,
    number_text,
    price_text,
    reference_text,
    storable,
)
from earlybird.importers.earlybird.reading import Pause, Problem

ZERO: Final = Decimal(0)
_SUBSCRIPTION_STATUSES: Final = ("draft", "active", "paused", "stopped")


def product(sheet: Sheet) -> None:
    """Read a product; `legacy_price` is what the old bill takes, which knows `default_price` alone."""
    body = sheet.body
    sheet.text("name", "name")
    sheet.text("category", "category")
    sheet.text("unit", "unit")
    sheet.facts["litre"] = reading.is_litre(body.get("unit"))
    sheet.price("default_price", "default_price")
    sheet.price("price", "price")
    rupees, _ = reading.read_rupees(body.get("default_price"), "default_price")
    sheet.facts["legacy_price"] = decimal_text(rupees or ZERO)
    sheet.flag("discontinued", "discontinued")


def subscription(sheet: Sheet) -> None:
    """Read a standing order as meant, and under `legacy` as the old bill reads it."""
    body, facts = sheet.body, sheet.facts
    sheet.picked_reference("customer", "customer_id", "customerId")
    sheet.picked_reference("product", "product_id", "productId")
    sheet.text("mode", "mode")
    sheet.keep("shift", reading.fold_shift(body.get("shift")))
    _picked_day(sheet, "start", "created_at", "createdAt")
    stops = [sheet.take(day_text(body.get(field), field)) for field in ("stop_date", "stopped_at")]
    facts["stops"] = [day for day in stops if day]
    sheet.number("packets", "quantity")
    sheet.number("default_qty", "default_qty")
    weekdays, problems = reading.read_weekdays(body.get("weekly_pattern"), "weekly_pattern")
    facts["weekdays"] = sorted(weekdays)
    sheet.problems += problems
    _picked_day(sheet, "first_day", "start_date", "startDate")
    _picked_day(sheet, "last_day", "end_date", "endDate")
    pauses, problems = reading.read_pauses(body)
    facts["pauses"] = [_span(pause.turned()) for pause in pauses]
    sheet.problems += problems
    irregular, problems = reading.read_dated_quantities(body.get("irregular_list"), "irregular_list")
    facts["irregular"] = dated_texts(irregular)
    sheet.problems += problems
    overrides, problems = reading.read_overrides(body)
    facts["overrides"] = dated_texts(overrides)
    sheet.problems += problems
    sheet.flag("auto_start", "auto_start")
    sheet.price("price", "price_per_unit")
    status(sheet, _SUBSCRIPTION_STATUSES)
    sheet.text("driver", "delivery_boy")
    facts["legacy"] = _legacy_subscription(body, pauses, facts)


def _picked_day(sheet: Sheet, name: str, snake: str, camel: str) -> None:
    sheet.keep(name, day_text(sheet.take(reading.pick(sheet.body, snake, camel)), snake))


def _span(pause: Pause) -> list[str | None]:
    return [day.isoformat() if day else None for day in (pause.start, pause.end)]


def _legacy_subscription(body: Body, pauses: list[Pause], facts: dict[str, Any]) -> dict[str, Any]:
    mode, overrides = body.get("mode"), body.get("day_overrides")
    found = {
        "customer": reference_text(body.get("customer_id")),
        "product": reference_text(body.get("product_id")),
        "active": body.get("status") == "active",
        "mode": mode if isinstance(mode, str) and mode else None,
        "default_qty": facts.get("default_qty"),
        "stop": day_text(body.get("stop_date"), "stop_date")[0],
        "pauses": [_span(pause) for pause in pauses if not pause.wrong_shape],
        "irregular": facts["irregular"],
        "overrides": dated_texts(reading.read_dated_quantities(overrides, "day_overrides")[0]),
        "weekdays": facts["weekdays"],
    }
    return {name: value for name, value in found.items() if value is not None}


def order(sheet: Sheet) -> None:
    """Read a one-time order with its lines, and under `legacy` what the old bill makes of it."""
    body, facts = sheet.body, sheet.facts
    sheet.reference("customer", "customer_id")
    sheet.reference("user", "user_id")
    sheet.reference("address", "address_id")
    sheet.day("day", "delivery_date")
    sheet.keep("status", reading.fold_order_status(body.get("status")))
    sheet.reference("driver", "delivery_boy_id")
    sheet.instant("placed_at", "created_at")
    sheet.text("note", "notes")
    snapshot = body.get("address")
    if isinstance(snapshot, dict) and snapshot:
        facts["snapshot"] = storable(snapshot)
    items = body.get("items")
    lines = entries(items)
    if not reading.is_missing(items) and (not isinstance(items, list) or len(lines) < len(items)):
        sheet.problems.append(Problem("items", "list", items))
    facts["lines"] = [_line(sheet, line) for line in lines]
    facts["billed_mark"] = body.get("billed") is True
    facts["legacy"] = _legacy_order(body, lines)


def _line(sheet: Sheet, line: Body) -> dict[str, Any]:
    name, _ = reading.read_text(line.get("product_name"), "product_name")
    found = {
        "product": reference_text(line.get("product_id")),
        "name": name or reading.read_text(line.get("name"), "name")[0],
        "unit": reading.read_text(line.get("unit"), "unit")[0],
        "quantity": sheet.take(number_text(line.get("quantity"), "items.quantity")),
        "delivered": sheet.take(number_text(line.get("delivered_quantity"), "items.delivered_quantity")),
        "price": price_text(line.get("price")),
    }
    return {field: value for field, value in found.items() if value is not None}


def _legacy_order(body: Body, lines: list[Body]) -> dict[str, Any]:
    """Bill it as the old system does: exactly DELIVERED, confirmed, not marked; lines as they stand."""
    total = ZERO
    for line in lines:
        quantity, _ = reading.read_quantity(line.get("quantity"), "quantity")
        price, _ = reading.read_rupees(line.get("price"), "price")
        total += (quantity or ZERO) * (price or ZERO)
    counts = (
        body.get("status") == "DELIVERED" and body.get("delivery_confirmed") is True and body.get("billed") is not True
    )
    customer = reference_text(body.get("customer_id"))
    found = {"counts": counts, "value_minor": reading.to_paise(total)}
    return found | ({"customer": customer} if customer else {})


def payment(sheet: Sheet) -> None:
    """Read a payment as typed; an unreadable amount is absent."""
    sheet.reference("customer", "customer_id")
    sheet.keep("month", reading.read_month(sheet.body.get("month"), "month"))
    sheet.money("amount_minor", "amount")
    sheet.day("paid_on", "payment_date")
    if "paid_on" not in sheet.facts:
        sheet.day("paid_on", "created_at")
    sheet.text("method", "payment_method")
    sheet.text("note", "notes")
