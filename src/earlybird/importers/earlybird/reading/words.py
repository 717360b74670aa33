"""Words folded to the ones the product knows: statuses, shifts, roles, litres."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final, Literal

from earlybird.importers.earlybird.reading.fields import Json, Problem, Read, is_missing

OrderStatus = Literal[
    "pending",
    "confirmed",
    "out_for_delivery",
    "delivered",
    "partially_delivered",
    "not_delivered",
    "cancelled",
]
Shift = Literal["morning", "evening", "both"]

_ORDER_STATUS: Final[dict[str, OrderStatus]] = {
    "pending": "pending",
    "confirmed": "confirmed",
    "out_for_delivery": "out_for_delivery",
    "delivered": "delivered",
    "partially_delivered": "partially_delivered",
    "partial": "partially_delivered",
    "not_delivered": "not_delivered",
    "cancelled": "cancelled",
    "canceled": "cancelled",
}
_SHIFT: Final[dict[str, Shift]] = {"morning": "morning", "evening": "evening", "both": "both"}
_ROLES: Final = frozenset(
    {"admin", "customer", "delivery_boy", "supplier", "marketing_staff", "support", "manager"}
    | {"delivery_manager", "supervisor", "delivery_ops"}
)
_LITRES: Final = frozenset({"l", "lt", "ltr", "ltrs", "liter", "liters", "litre", "litres"})
PACKET_LITRES: Final = Decimal("0.5")


def folded_word(value: Json) -> str | None:
    """Return a word in lower case, blanks and hyphens as underscores; None when it is no text."""
    return re.sub(r"[\s-]+", "_", value.strip().lower()) if isinstance(value, str) else None


def fold_order_status(value: Json, field: str = "status") -> Read[OrderStatus]:
    """Order or delivery status without regard to case, blanks or hyphens."""
    if type(value) is str and (known := _ORDER_STATUS.get(value)):
        return known, None
    word = folded_word(value)
    if not word:
        return None, None if is_missing(value) or value == "" else Problem(field, "status", value)
    status = _ORDER_STATUS.get(word)
    return status, None if status else Problem(field, "status", value)


def fold_shift(value: Json, field: str = "shift") -> Read[Shift]:
    """morning, evening or both; blank → (None, None), which callers treat as morning."""
    word = folded_word(value)
    if not word:
        return None, None if is_missing(value) or value == "" else Problem(field, "shift", value)
    shift = _SHIFT.get(word)
    return shift, None if shift else Problem(field, "shift", value)


def fold_role(value: Json, field: str = "role") -> Read[str]:
    """Read a role the legacy code knows, in lower case with underscores."""
    word = folded_word(value)
    if not word:
        return None, None if is_missing(value) or value == "" else Problem(field, "role", value)
    return (word, None) if word in _ROLES else (None, Problem(field, "role", value))


def is_litre(unit: Json) -> bool:
    """Return True for litres, however spelt (L, liter, Litre, Ltr …), alone: `500ml` is a packet."""
    return isinstance(unit, str) and unit.strip().rstrip(".").lower() in _LITRES


def packets_to_units(packets: Decimal, unit: Json) -> Decimal:
    """Packets → quantity in the product's unit: half a litre each for litres, else one each."""
    return packets * PACKET_LITRES if is_litre(unit) else packets
