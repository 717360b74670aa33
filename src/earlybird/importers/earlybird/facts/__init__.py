"""What the fields of a legacy document say, as JSON for the set-based take-over.

Only present values are written. Dates are YYYY-MM-DD in Asia/Kolkata, instants ISO 8601 in UTC, quantities and
prices plain decimal texts (rupees), `*_minor` whole paise, references stripped keys.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from earlybird.importers.earlybird.facts import doors, people, trade
from earlybird.importers.earlybird.facts.sheet import Body, Sheet

READERS: Final[dict[str, Callable[[Sheet], None]]] = {
    "users": people.user,
    "customers_v2": people.customer,
    "areas_v2": people.area,
    "delivery_boys_v2": people.driver,
    "addresses": people.address,
    "system_settings": people.settings,
    "products": trade.product,
    "subscriptions_v2": trade.subscription,
    "orders": trade.order,
    "payment_transactions": trade.payment,
    "delivery_statuses": doors.delivery,
    "delivery_status": doors.delivery,
    "day_overrides": doors.override,
    "delivery_pauses": doors.pause,
    "delivery_stops": doors.stop,
    "irregular_deliveries": doors.extra,
    "shift_overrides": doors.other_shift,
    "delivery_boy_overrides": doors.other_driver,
    "subscription_audit": doors.audit,
}
"""Collections whose fields are read; documents of all others are kept verbatim, with empty facts."""


def read(collection: str, body: Body) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Read a document of a collection: its facts and its problems (field, rule, value). Never raises."""
    reader = READERS.get(collection)
    if reader is None:
        return {}, []
    sheet = Sheet(body)
    reader(sheet)
    return sheet.facts, sheet.told_problems()
