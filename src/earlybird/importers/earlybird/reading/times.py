"""Dates, instants and months in every form the legacy wrote them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from earlybird.importers.earlybird.reading.fields import Json, Problem, Read, is_missing, plain

INDIA: Final = ZoneInfo("Asia/Kolkata")

_DAY: Final = re.compile(r"(\d{4})-(\d{2})-(\d{2})", re.ASCII)
_REVERSED: Final = re.compile(r"(\d{2})-(\d{2})-(\d{4})", re.ASCII)
_STAMP: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?"
    r" ?([Zz]|[+-]\d{2}(?::?\d{2})?)?",
    re.ASCII,
)
_MILLISECONDS: Final = re.compile(r"-?\d{1,20}", re.ASCII)
_SERIAL_ZERO: Final = date(1899, 12, 30)
_SERIAL_LAST: Final = 2958465
_LARGEST_MILLISECOND: Final = 10**15
_HOURS, _MINUTES = 24, 60
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def read_date(value: Json, field: str) -> Read[date]:
    """Calendar date in Asia/Kolkata. Absent, None and NaN → (None, None).

    Forms: YYYY-MM-DD; ISO date-time with T or blank (naive = Indian time, Z, offset or $date =
    instant); DD-MM-YYYY; whole numbers = Excel serials (46027 = 2026-01-05). All else: a problem.
    """
    parsed, problem = _read_time(value, field)
    if not isinstance(parsed, datetime):
        return parsed, problem
    try:
        return parsed.astimezone(INDIA).date(), None
    except OverflowError:
        return None, Problem(field, "date", value)


def read_instant(value: Json, field: str) -> Read[datetime]:
    """Aware UTC datetime; forms of `read_date`; naive times and bare dates are Indian time."""
    parsed, problem = _read_time(value, field)
    if parsed is None:
        return None, problem
    if not isinstance(parsed, datetime):
        parsed = datetime(parsed.year, parsed.month, parsed.day, tzinfo=INDIA)
    try:
        return parsed.astimezone(UTC), None
    except OverflowError:
        return None, Problem(field, "date", value)


def _read_time(value: Json, field: str) -> Read[date | datetime]:
    if is_missing(value):
        return None, None
    try:
        parsed = _parse_time(value)
    except (ValueError, OverflowError):
        parsed = None
    return (parsed, None) if parsed is not None else (None, Problem(field, "date", value))


def _parse_time(value: Json) -> date | datetime | None:
    if isinstance(value, dict) and len(value) == 1 and "$date" in value:
        return _parse_bson_date(value["$date"])
    value = plain(value)
    if isinstance(value, bool):
        return None
    if isinstance(value, int | Decimal):
        if not 1 <= value <= _SERIAL_LAST or value != int(value):
            return None
        return _SERIAL_ZERO + timedelta(days=int(value))
    return _parse_time_text(value.strip()) if isinstance(value, str) else None


def _parse_bson_date(inner: Json) -> date | datetime | None:
    """`{"$date": …}`: ISO text, milliseconds since 1970, or {"$numberLong": milliseconds}."""
    inner = plain(inner)
    if isinstance(inner, str) and _MILLISECONDS.fullmatch(inner):
        inner = int(inner)
    if isinstance(inner, int | Decimal) and not isinstance(inner, bool):
        within = -_LARGEST_MILLISECOND < inner < _LARGEST_MILLISECOND
        return _EPOCH + timedelta(milliseconds=int(inner)) if within else None
    if not isinstance(inner, str):
        return None
    parsed = _parse_time_text(inner.strip())
    if isinstance(parsed, datetime) and parsed.tzinfo is INDIA:
        return parsed.replace(tzinfo=UTC)  # BSON dates are UTC when no offset is written
    if parsed is not None and not isinstance(parsed, datetime):
        return datetime(parsed.year, parsed.month, parsed.day, tzinfo=UTC)
    return parsed


def _parse_time_text(text: str) -> date | datetime | None:
    if match := _DAY.fullmatch(text):
        return date(int(match[1]), int(match[2]), int(match[3]))
    if match := _REVERSED.fullmatch(text):
        return date(int(match[3]), int(match[2]), int(match[1]))
    if not (match := _STAMP.fullmatch(text)):
        return None
    micro = int((match[5] or "0")[:6].ljust(6, "0"))
    clock = time(int(match[2]), int(match[3]), int(match[4] or 0), micro)
    day, zone = date.fromisoformat(match[1]), match[6]
    if zone is None:
        return datetime.combine(day, clock, INDIA)
    return _with_offset(datetime.combine(day, clock, UTC), zone)


def _with_offset(stamp: datetime, zone: str) -> datetime | None:
    """Apply `Z`, `+05`, `+0530` or `+05:30` to a stamp read as UTC."""
    if zone in "Zz":
        return stamp
    digits = zone[1:].replace(":", "").ljust(4, "0")
    hours, minutes = int(digits[:2]), int(digits[2:])
    if hours >= _HOURS or minutes >= _MINUTES:
        return None
    shift = timedelta(hours=hours, minutes=minutes) * (-1 if zone[0] == "-" else 1)
    return stamp - shift


_MONTH: Final = re.compile(r"(\d{4})-(0[1-9]|1[0-2])", re.ASCII)


def read_month(value: Json, field: str) -> Read[str]:
    """`YYYY-MM`; anything else but blank is a problem."""
    value = plain(value)
    if is_missing(value) or value == "":
        return None, None
    if isinstance(value, str) and _MONTH.fullmatch(value.strip()):
        return value.strip(), None
    return None, Problem(field, "month", value)
