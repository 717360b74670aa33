"""Numbers, money, flags and phones in every form the legacy wrote them."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from earlybird.importers.earlybird.reading.fields import Json, Problem, Read, is_missing, plain, read_text

_NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)", re.ASCII)
_GROUPED: Final = re.compile(r"[+-]?\d{1,3}(,\d{2,3})*,\d{3}(\.\d*)?", re.ASCII)
_CURRENCY: Final = re.compile(r"₹|Rs\.?", re.IGNORECASE)
_LARGEST: Final = Decimal("1e13")
_LARGEST_PHONE: Final = Decimal("1e20")
_NO_DIGIT: Final = re.compile(r"[^0-9]")
_POINT_ZERO: Final = re.compile(r"\.0+$")
PHONE_DIGITS: Final = 10


def read_number(value: Json, field: str) -> Read[Decimal]:
    """Read a finite number (extended JSON or a plain digit text) as an exact Decimal."""
    value = plain(value)
    if is_missing(value):
        return None, None
    number: Decimal | None = None
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        number = Decimal(value)
    elif isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        number = Decimal(value.strip())
    if number is None or number.copy_abs() >= _LARGEST:
        return None, Problem(field, "number", value)
    return number, None


def read_quantity(value: Json, field: str) -> Read[Decimal]:
    """Read a quantity as found, in the unit the field is defined in (may be zero or negative)."""
    number, problem = read_number(value, field)
    return number, Problem(field, "quantity", value) if problem else None


def read_rupees(value: Json, field: str) -> Read[Decimal]:
    """Rupees as an exact, unrounded Decimal (for prices that are multiplied before rounding).

    A number, or text with ₹, Rs., thousands commas, trailing /-, blanks. NaN and None → absent;
    '' and words are a problem.
    """
    number, problem = read_number(value, field)
    if number is not None or problem is None:
        return number, None
    if isinstance(value, str):
        text = "".join(_CURRENCY.sub("", value).split()).removesuffix("/-")
        if _GROUPED.fullmatch(text):
            text = text.replace(",", "")
        if _NUMBER.fullmatch(text):
            number = Decimal(text)
            if number.copy_abs() < _LARGEST:
                return number, None
    return None, Problem(field, "money", value)


def to_paise(rupees: Decimal) -> int:
    """Whole paise, exact, half a paisa away from zero."""
    return int((rupees * 100).to_integral_value(rounding=ROUND_HALF_UP))


def read_money(value: Json, field: str) -> Read[int]:
    """Whole paise of an amount in rupees (see `read_rupees`)."""
    rupees, problem = read_rupees(value, field)
    return (None if rupees is None else to_paise(rupees)), problem


def read_price(value: Json) -> Decimal | None:
    """Read a price in rupees that counts for the price rule: a number above zero, else None."""
    rupees, _ = read_rupees(value, "price")
    return rupees if rupees is not None and rupees > 0 else None


def read_flag(value: Json) -> bool | None:
    """Read a boolean, or the usual spellings of one; None when neither."""
    if isinstance(value, bool):
        return value
    value = plain(value)
    if isinstance(value, str):
        return {"true": True, "false": False, "1": True, "0": False}.get(value.strip().lower())
    if isinstance(value, int | Decimal):
        return bool(value)
    return None


def read_phone(value: Json, field: str) -> Read[str]:
    """Read the last ten digits, a trailing `.0` dropped. Blank → (None, None); fewer → a problem."""
    value = plain(value)
    if is_missing(value) or value == "":
        return None, None
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None, Problem(field, "phone", value)
    if isinstance(value, Decimal):
        value = format(value, "f") if value.copy_abs() < _LARGEST_PHONE else ""
    digits = _NO_DIGIT.sub("", _POINT_ZERO.sub("", str(value).strip()))
    if len(digits) < PHONE_DIGITS:
        return None, Problem(field, "phone", value)
    return digits[-PHONE_DIGITS:], None


def fold_email(value: Json) -> str | None:
    """E-mail trimmed and in lower case, None when blank or without an @."""
    text, _ = read_text(value, "email")
    return text.casefold() if text and "@" in text else None
