"""What one cell says: text, a telephone number, an amount, a quantity, a date, one of some words.

Each reader takes the cell and the business it is for, and raises `Unfit` with the rule the cell breaks.
Numbers are exact: a float of a workbook is read by its shortest digits, and taken only where it says a
number of the wanted decimals to within a millionth.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from earlybird.customers import rules as customers
from earlybird.identity import rules as identity
from earlybird.importers.tables.home import Home
from earlybird.importers.tables.reading.files import LONGEST_CELL, Cell, Formula
from earlybird.kernel.clock import aware
from earlybird.kernel.errors import Invalid
from earlybird.kernel.money import DIGITS

Read = Callable[[Cell, Home], Any]

SLACK = Decimal("0.000001")
"""How far a spreadsheet's number may lie beside the exact one it means."""

LARGEST = Decimal(10) ** 10
FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2100, 12, 31)
_SERIAL_ZERO = date(1899, 12, 30)
_SERIAL_LAST = 73_415
"""2100-12-31, as a spreadsheet counts days."""

_SIGNS = {"INR": ("₹", "Rs.", "Rs", "INR"), "GBP": ("£", "GBP"), "EUR": ("€", "EUR"), "BRL": ("R$", "BRL")}
_DOLLARS = {"USD", "CAD", "AUD", "NZD", "SGD", "HKD"}
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_GROUPED = re.compile(r"[+-]?\d{1,3}(,\d{2,3})*,\d{3}(\.\d*)?", re.ASCII)
_DAY = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ]00:00(?::00(?:\.0+)?)?)?", re.ASCII)
_REVERSED = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})", re.ASCII)
_SERIAL = re.compile(r"(\d{5})(\.0*)?", re.ASCII)
_MONTH_FIRST = {"US", "CA", "PH"}
"""Where 03/04/2026 may be in March or in April."""


class Unfit(Exception):
    """A cell breaks a rule; the message is the rule."""


def is_blank(cell: Cell) -> bool:
    """Whether nobody wrote anything there."""
    return cell is None or (isinstance(cell, str) and not cell.strip())


def text(cell: Cell, home: Home) -> str:
    """Return text as it was written; a whole number of a workbook without its `.0`."""
    del home
    if isinstance(cell, Formula):
        raise Unfit("A formula or an error stands here; write its value.")
    if isinstance(cell, bool):
        found = "true" if cell else "false"
    elif isinstance(cell, float):
        found = str(int(cell)) if cell.is_integer() else repr(cell)
    elif isinstance(cell, datetime):
        found = cell.date().isoformat() if cell.time() == time() else cell.isoformat(sep=" ")
    elif isinstance(cell, date | time):
        found = cell.isoformat()
    else:
        found = str(cell)
    if "\0" in found:
        raise Unfit("A NUL character is no text.")
    if len(found) > LONGEST_CELL:
        raise Unfit(f"More than {LONGEST_CELL:,} characters.")
    return found


def word(cell: Cell, home: Home) -> str:
    """Return text without blanks around it: a name other rows refer to, a key."""
    found = text(cell, home).strip()
    if len(found) > 1000:  # noqa: PLR2004  what an index can hold, with room
        raise Unfit("More than 1,000 characters.")
    return found


def one_of(*words: str, also: Mapping[str, str] | None = None) -> Read:
    """Return the reader of one of some words, in any case; `also` maps other spellings."""
    other = dict(also or {})

    def read(cell: Cell, home: Home) -> str:
        said = "_".join(word(cell, home).casefold().replace("-", " ").split())
        said = other.get(said, said)
        if said not in words:
            raise Unfit(f"One of {', '.join(words)}.")
        return said

    return read


def email(cell: Cell, home: Home) -> str:
    """Return an e-mail address in lower case, as logins are named."""
    try:
        return identity.email(word(cell, home))
    except Invalid as failure:
        raise Unfit(failure.message) from None


def phone(cell: Cell, home: Home) -> str:
    """Return a telephone number as +CCNNN (E.164), read as in the business's country."""
    try:
        return identity.number(re.sub(r"\.0+$", "", word(cell, home)), home.country)
    except Invalid as failure:
        raise Unfit(failure.message) from None


def language(cell: Cell, home: Home) -> str:
    """Return a language's tag."""
    try:
        return customers.language(word(cell, home))
    except Invalid as failure:
        raise Unfit(failure.message) from None


def number(cell: Cell, home: Home, *, places: int, money: bool = False) -> Decimal:
    """Return an exact number of at most `places` decimals; `money` may carry the currency's sign and commas."""
    if isinstance(cell, bool):
        raise Unfit("A number.")
    said = repr(cell) if isinstance(cell, float) else word(cell, home).replace("\N{NO-BREAK SPACE}", " ")
    if money:
        said = _without_sign(said, home.currency)
    if _GROUPED.fullmatch(said):
        said = said.replace(",", "")
    if not _NUMBER.fullmatch(said):
        raise Unfit("An amount is written 1250.00 or 1,250.00." if money else "A number is written 1.5 or 1,250.")
    try:
        exact = Decimal(said)
        if not exact.is_finite() or abs(exact) >= LARGEST:
            raise Unfit(f"A number below {LARGEST:,}.")
        near = exact.quantize(Decimal(1).scaleb(-places))
    except InvalidOperation:
        raise Unfit(f"A number below {LARGEST:,}.") from None
    is_float = isinstance(cell, float) or _is_float(said)
    if exact != near and not (is_float and abs(exact - near) <= SLACK):
        raise Unfit(f"At most {places} decimals.")
    return near


def _is_float(said: str) -> bool:
    """Whether digits are those of a binary float that was written out in full."""
    return len(said.strip("+-").replace(".", "").lstrip("0").split("e")[0]) >= 15  # noqa: PLR2004


def _without_sign(said: str, currency: str) -> str:
    said = said.strip().removesuffix("/-")
    for sign in (*_SIGNS.get(currency, (currency,)), *(("$", currency) if currency in _DOLLARS else ())):
        for minus in ("", "-"):
            if said.lower().startswith((minus + sign).lower()):
                return minus + said[len(minus + sign) :].strip()
        if said.lower().endswith(sign.lower()):
            return said[: -len(sign)].strip()
    return said


def amount(cell: Cell, home: Home) -> Decimal:
    """Return an amount in major units with no more decimals than the currency has."""
    return number(cell, home, places=DIGITS.get(home.currency, 2), money=True)


def price(cell: Cell, home: Home) -> Decimal:
    """Return a unit price in major units, zero or more, of at most four decimals."""
    found = number(cell, home, places=4, money=True)
    if found < 0:
        raise Unfit("A price is zero or more.")
    return found


def quantity(cell: Cell, home: Home) -> Decimal:
    """Return a quantity in the product's unit, zero or more, of at most three decimals."""
    found = number(cell, home, places=3)
    if found < 0:
        raise Unfit("A quantity is zero or more.")
    return found


def some(cell: Cell, home: Home) -> Decimal:
    """Return a quantity above zero."""
    found = quantity(cell, home)
    if found == 0:
        raise Unfit("A quantity above zero.")
    return found


def whole(least: int, most: int) -> Read:
    """Return the reader of a whole number within bounds."""

    def read(cell: Cell, home: Home) -> int:
        found = number(cell, home, places=0)
        if not least <= found <= most:
            raise Unfit(f"A whole number from {least} to {most}.")
        return int(found)

    return read


def degrees(most: int) -> Read:
    """Return the reader of a latitude (90) or longitude (180), kept to six decimals."""

    def read(cell: Cell, home: Home) -> Decimal:
        said = repr(cell) if isinstance(cell, float) else word(cell, home)
        try:
            found = Decimal(said)
        except InvalidOperation:
            raise Unfit(f"Degrees from -{most} to {most}.") from None
        if not found.is_finite() or abs(found) > most:
            raise Unfit(f"Degrees from -{most} to {most}.")
        return found.quantize(SLACK)

    return read


def day(cell: Cell, home: Home) -> date:
    """Return a date: YYYY-MM-DD, a date cell, a spreadsheet's day number, or DD/MM/YYYY where that is one day only."""
    if isinstance(cell, datetime):
        found = cell.date()
    elif isinstance(cell, date):
        found = cell
    elif isinstance(cell, bool | time | timedelta | Formula):
        raise Unfit("A date is written YYYY-MM-DD.")
    else:
        found = _written_day(word(cell, home) if isinstance(cell, str) else repr(cell), home)
    if not FIRST_DAY <= found <= LAST_DAY:
        raise Unfit(f"A date from {FIRST_DAY} to {LAST_DAY}.")
    return found


def _written_day(said: str, home: Home) -> date:
    try:
        if parts := _DAY.fullmatch(said):
            return date(int(parts[1]), int(parts[2]), int(parts[3]))
        if parts := _REVERSED.fullmatch(said):
            first, second = int(parts[1]), int(parts[2])
            if home.country in _MONTH_FIRST and first != second:
                raise Unfit("Day or month first? Write the date as YYYY-MM-DD.")
            return date(int(parts[3]), second, first)
    except ValueError:
        raise Unfit("There is no such day.") from None
    parts = _SERIAL.fullmatch(said)
    if parts and int(parts[1]) <= _SERIAL_LAST:
        return _SERIAL_ZERO + timedelta(days=int(parts[1]))
    raise Unfit("A date is written YYYY-MM-DD.")


def instant(cell: Cell, home: Home) -> datetime:
    """Return an instant in UTC; one without offset is in the business's zone."""
    found: datetime | None = None
    if isinstance(cell, datetime):
        found = cell
    elif isinstance(cell, str):
        try:
            found = datetime.fromisoformat(cell.strip())
        except ValueError:
            found = None
    if found is None:
        found = datetime.combine(day(cell, home), time())
    if found.tzinfo is None:
        found = found.replace(tzinfo=ZoneInfo(home.zone))
    if not FIRST_DAY < found.date() < LAST_DAY:
        raise Unfit(f"An instant from {FIRST_DAY} to {LAST_DAY}.")
    return aware(found).astimezone(UTC)


def yes(cell: Cell, home: Home) -> bool:
    """Return yes or no."""
    said = word(cell, home).casefold()
    if said not in {"yes", "no", "true", "false", "1", "0", "y", "n"}:
        raise Unfit("yes or no.")
    return said in {"yes", "true", "1", "y"}


_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def weekdays(cell: Cell, home: Home) -> list[int]:
    """Return weekdays (0 = Monday) from numbers or names, however parted."""
    found = set()
    for part in re.split(r"[\s,;/+]+", word(cell, home).casefold()):
        if part[:3] in _WEEKDAYS:
            found.add(_WEEKDAYS.index(part[:3]))
        elif re.fullmatch(r"[0-6]", part):
            found.add(int(part))
        elif part:
            raise Unfit("Weekdays as mon,wed,fri or 0,2,4 (0 = Monday).")
    if not found:
        raise Unfit("Weekdays as mon,wed,fri or 0,2,4 (0 = Monday).")
    return sorted(found)
