"""The sheet a document's facts are written on: present values only, as JSON, problems beside them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from earlybird.importers.earlybird import reading
from earlybird.importers.earlybird.reading import Problem, Read

Body = Mapping[str, Any]

INDIAN_TIME: Final = timedelta(hours=5, minutes=30)
DAY_LENGTH: Final = 10
_NAIVE_STAMP: Final = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?", re.ASCII)
_PLAIN_FLOAT: Final = (1e-4, 1e13)
_LARGEST_INT: Final = 10**13
_LONGEST_DECIMAL: Final = 40
_LONGEST_SHOWN: Final = 200
_BLANK: Final = frozenset({"", "nan", "NaN", "null", "None"})


def decimal_text(number: Decimal) -> str:
    """Return a number without exponent; beyond forty characters it is rounded to twelve decimals."""
    text = format(number, "f")
    return text if len(text) <= _LONGEST_DECIMAL else format(round(number, 12), "f")


def number_text(value: Any, field: str) -> Read[str]:
    """Read a number as plain decimal text."""
    kind = type(value)
    if kind is float and _PLAIN_FLOAT[0] <= value < _PLAIN_FLOAT[1]:
        return repr(value), None
    if kind is int and -_LARGEST_INT < value < _LARGEST_INT:
        return str(value), None
    number, problem = reading.read_quantity(value, field)
    return (None if number is None else decimal_text(number)), problem


def price_text(value: Any) -> str | None:
    """Read a price above zero as plain decimal text, in rupees."""
    number = reading.read_price(value)
    return None if number is None else decimal_text(number)


@lru_cache(maxsize=4096)
def _plain_day(text: str) -> str | None:
    day, _ = reading.read_date(text, "")
    return None if day is None else day.isoformat()


def day_text(value: Any, field: str) -> Read[str]:
    """Read a date as YYYY-MM-DD in Asia/Kolkata."""
    if type(value) is str and len(value) == DAY_LENGTH and (known := _plain_day(value)):
        return known, None
    day, problem = reading.read_date(value, field)
    return (None if day is None else day.isoformat()), problem


def instant_and_day(value: Any, field: str) -> tuple[str | None, str | None, Problem | None]:
    """Read an instant as ISO 8601 in UTC, and its date in Asia/Kolkata."""
    if type(value) is str and _NAIVE_STAMP.fullmatch(value):
        try:
            stamp = datetime.fromisoformat(value)
        except ValueError:
            return None, None, Problem(field, "date", value)
        return (stamp - INDIAN_TIME).isoformat() + "+00:00", value[:DAY_LENGTH], None
    found, problem = reading.read_instant(value, field)
    if found is None:
        return None, None, problem
    try:
        day = found.astimezone(reading.INDIA).date()
    except OverflowError:
        return None, None, Problem(field, "date", value)
    return found.isoformat(), day.isoformat(), None


def dated_texts(found: Mapping[date, Decimal]) -> dict[str, str]:
    """Return day → quantity as texts."""
    return {day.isoformat(): decimal_text(quantity) for day, quantity in found.items()}


def reference_text(value: Any) -> str | None:
    """Read a key of another document, stripped; '' is none."""
    found = value if type(value) is str else reading.read_reference(value)
    return (found.strip() or None) if found else None


def entries(value: Any) -> list[Body]:
    """Return those entries of a list that are objects."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def shown(value: Any) -> Any:
    """Return a value as found for a problem list: scalars as they are, all else as text, never long."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and -_LARGEST_INT < value < _LARGEST_INT:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, str):
        return value[:_LONGEST_SHOWN]
    try:
        return json.dumps(value, ensure_ascii=False, default=str)[:_LONGEST_SHOWN]
    except (ValueError, RecursionError):
        return "…"


def storable(value: Any, depth: int = 5) -> Any:
    """Return an object as jsonb can hold it: no giant numbers, nothing nested deeper than `depth`."""
    if isinstance(value, str):
        return value
    if depth and isinstance(value, dict):
        return {name: storable(inner, depth - 1) for name, inner in value.items()}
    if depth and isinstance(value, list):
        return [storable(inner, depth - 1) for inner in value]
    return shown(value)


class Sheet:
    """One document being read: `facts` for the database, `problems` for the work list."""

    __slots__ = ("body", "facts", "problems")

    def __init__(self, body: Body) -> None:
        self.body = body
        self.facts: dict[str, Any] = {}
        self.problems: list[Problem] = []

    def keep(self, name: str, read: Read[Any]) -> None:
        """Write what a reader found, and its problem."""
        value, problem = read
        if value is not None:
            self.facts[name] = value
        if problem is not None:
            self.problems.append(problem)

    def take(self, read: Read[Any]) -> Any:
        """Return what a reader found; only its problem is written."""
        value, problem = read
        if problem is not None:
            self.problems.append(problem)
        return value

    def text(self, name: str, field: str) -> None:
        """Write a trimmed text."""
        value = self.body.get(field)
        if type(value) is str and "\0" not in value:
            text = value.strip()
            if text not in _BLANK:
                self.facts[name] = text
        elif value is not None:
            self.keep(name, reading.read_text(value, field))

    def reference(self, name: str, field: str) -> None:
        """Write a key of another document."""
        value = self.body.get(field)
        if value is None:
            return
        found = reference_text(value)
        if found is not None:
            self.facts[name] = found
        elif value != "" and not isinstance(value, str) and not reading.is_missing(value):
            self.problems.append(Problem(field, "reference", value))

    def picked_reference(self, name: str, snake: str, camel: str) -> None:
        """Write a key from its snake_case field, else from its camelCase one."""
        found = reference_text(self.take(reading.pick(self.body, snake, camel)))
        if found is not None:
            self.facts[name] = found

    def day(self, name: str, field: str) -> None:
        """Write a date."""
        value = self.body.get(field)
        if value is not None:
            self.keep(name, day_text(value, field))

    def instant(self, name: str, field: str) -> None:
        """Write an instant."""
        text, _, problem = instant_and_day(self.body.get(field), field)
        self.keep(name, (text, problem))

    def number(self, name: str, field: str) -> None:
        """Write a number as plain decimal text."""
        value = self.body.get(field)
        if value is not None:
            self.keep(name, number_text(value, field))

    def price(self, name: str, field: str) -> None:
        """Write a price above zero; anything else but blank and zero is a problem."""
        rupees = self.take(reading.read_rupees(self.body.get(field), field))
        if rupees is not None and rupees > 0:
            self.facts[name] = decimal_text(rupees)

    def money(self, name: str, field: str) -> None:
        """Write an amount in whole paise."""
        self.keep(name, reading.read_money(self.body.get(field), field))

    def phone(self, name: str, field: str) -> None:
        """Write the ten digits of a phone."""
        self.keep(name, reading.read_phone(self.body.get(field), field))

    def flag(self, name: str, field: str) -> None:
        """Write a boolean."""
        value = reading.read_flag(self.body.get(field))
        if value is not None:
            self.facts[name] = value

    def email(self, name: str, field: str) -> None:
        """Write an e-mail in lower case; one without an @ is a problem."""
        value = self.body.get(field)
        found = reading.fold_email(value)
        if found is not None:
            self.facts[name] = found
        elif not reading.is_missing(value) and value != "":
            self.problems.append(Problem(field, "email", value))

    def place(self, latitude: Any, longitude: Any, field: str) -> None:
        """Write coordinates when both are numbers on this earth."""
        north = self.take(reading.read_number(latitude, field))
        east = self.take(reading.read_number(longitude, field))
        if north is None or east is None:
            return
        if not (-90 <= north <= 90 and -180 <= east <= 180) or north == east == 0:  # noqa: PLR2004 - degrees
            self.problems.append(Problem(field, "coordinates", [str(north), str(east)]))
            return
        self.facts["latitude"], self.facts["longitude"] = decimal_text(north), decimal_text(east)

    def told_problems(self) -> list[dict[str, Any]]:
        """Return the problems as JSON."""
        return [{"field": p.field, "rule": p.rule, "value": shown(p.value)} for p in self.problems]
