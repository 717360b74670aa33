"""Write a kind of table: read with a cursor of the server, so that its size does not matter."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlalchemy.orm import Session

from earlybird.importers.tables.guard import guarded
from earlybird.importers.tables.home import Home
from earlybird.importers.tables.kinds import Export
from earlybird.importers.tables.reading.workbook import escaped
from earlybird.kernel.money import DIGITS

AT_ONCE = 1_000
"""Rows fetched from the server at once."""


def records(session: Session, home: Home, export: Export) -> Iterator[list[Any]]:
    """Yield the header, then each row as text and numbers."""
    found = session.execute(text(export.sql), dict(home.keys), execution_options={"yield_per": AT_ONCE})
    names = list(found.keys())
    yield names
    zone = ZoneInfo(home.zone)
    digits = DIGITS.get(home.currency, 2)
    for row in found.mappings():
        yield [_cell(name, row[name], zone, digits) for name in names]


def _cell(name: str, value: Any, zone: ZoneInfo, digits: int) -> Any:
    if value is None:
        return ""
    if name == "amount":
        return Decimal(value).scaleb(-digits)
    if isinstance(value, Decimal):
        return value.normalize()
    if isinstance(value, datetime):
        return value.astimezone(zone).isoformat()
    return value


def _text(value: Any) -> str:
    if isinstance(value, Decimal):
        return guarded(f"{value:f}")
    return guarded(str(value))


def as_text(session: Session, home: Home, export: Export) -> Iterator[str]:
    """Yield the table as comma-separated text in UTF-8, guarded, in parts of many rows."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    for number, record in enumerate(records(session, home, export), 1):
        writer.writerow([_text(value) for value in record])
        if number % AT_ONCE == 0:
            yield out.getvalue()
            out.seek(0)
            out.truncate()
    yield out.getvalue()


def as_workbook(session: Session, home: Home, export: Export, path: Path) -> int:
    """Write the table as a workbook; return how many rows it has. Numbers are numbers, all else is text."""
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    sheet = book.create_sheet(export.name)
    count = -1
    for record in records(session, home, export):
        sheet.append([value if isinstance(value, int | Decimal) else escaped(_text(value)) for value in record])
        count += 1
    book.save(path)
    return count
