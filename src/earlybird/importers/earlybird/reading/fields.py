"""Single fields: what absence is, texts, references, keys, and the choice between two spellings."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final, TypeVar

Json = Any
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Problem:
    """A field that could not be read as wished: its name, the rule broken, the value as found."""

    field: str
    rule: str
    value: Json


Read = tuple[T | None, Problem | None]
"""A value (None when absent or unreadable) and the problem met, if any."""

_LONG: Final = ("$numberInt", "$numberLong")
_REAL: Final = ("$numberDouble", "$numberDecimal")
_LARGEST_TEXT: Final = 10**20
_BLANK: Final = frozenset({"", "nan", "NaN", "null", "None"})


def plain(value: Json) -> Json:
    """Unwrap one extended JSON scalar: $oid → hex text, numbers → int, Decimal or float NaN/inf.

    `$date` is kept (it is an instant, see `read_instant`). What is not understood is given back.
    """
    if isinstance(value, float):
        return Decimal(repr(value)) if math.isfinite(value) else value
    return _unwrapped(value) if isinstance(value, dict) and len(value) == 1 else value


def _unwrapped(value: dict[str, Json]) -> Json:
    ((mark, inner),) = value.items()
    if mark == "$oid" and isinstance(inner, str):
        return inner
    try:
        if mark in _LONG and isinstance(inner, str | int) and not isinstance(inner, bool):
            return int(inner)
        if mark in _REAL and isinstance(inner, str | int | float):
            number = Decimal(str(inner))
            return number if number.is_finite() else float(inner)
    except (ValueError, InvalidOperation):
        pass
    return value


def is_missing(value: Json) -> bool:
    """Return True for None and NaN in any spelling of extended JSON (pandas writes blanks as NaN)."""
    value = plain(value)
    return value is None or (isinstance(value, float) and math.isnan(value))


def read_text(value: Json, field: str) -> Read[str]:
    """Trimmed text; '', NaN, 'nan' and None → None. A whole number becomes its digits."""
    value = plain(value)
    if is_missing(value):
        return None, None
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None, Problem(field, "text", value)
    if isinstance(value, int | Decimal):
        if not -_LARGEST_TEXT < value < _LARGEST_TEXT:
            return None, Problem(field, "text", value)
        return (str(int(value)) if value == int(value) else format(value, "f")), None
    if "\0" in value:
        return value.replace("\0", "").strip() or None, Problem(field, "text.nul", value)
    text = value.strip()
    return (None if text in _BLANK else text), None


def read_reference(value: Json) -> str | None:
    """Read a key of another document, verbatim; '', None, NaN and other types are no reference."""
    value = plain(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value.strip() else None


def object_id(body: Mapping[str, Json]) -> str | None:
    """Hex text of `_id` (or any other kind of `_id` as text), None when absent."""
    value = plain(body.get("_id"))
    if isinstance(value, str):
        return value
    return None if value is None else json.dumps(value, sort_keys=True, default=str)


def document_key(body: Mapping[str, Json]) -> str | None:
    """Key of a document: `id`, else `link_id`, when a non-empty text; else the hex of `_id`."""
    for name in ("id", "link_id"):
        value = body.get(name)
        if isinstance(value, str) and value:
            return value
    return object_id(body)


def content(body: Mapping[str, Json]) -> str:
    """Return the document apart from `_id` in canonical form; equal texts mean equal content."""
    rest = {name: value for name, value in body.items() if name != "_id"}
    return json.dumps(rest, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def pick(body: Mapping[str, Json], snake: str, camel: str) -> tuple[Json, Problem | None]:
    """Value under the snake_case name, else under camelCase; a problem when both say different.

    None, '' and NaN count as absent on either side (domain inventory 1.1: prefer snake, report).
    """
    one, two = body.get(snake), body.get(camel)
    has_one = not is_missing(one) and one != ""
    has_two = not is_missing(two) and two != ""
    if has_one and has_two and plain(one) != plain(two):
        return one, Problem(snake, "camel_snake_differ", {snake: one, camel: two})
    if has_one:
        return one, None
    return (two, None) if has_two else (one if snake in body else two, None)
