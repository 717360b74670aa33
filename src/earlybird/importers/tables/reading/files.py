"""One table of a file: what it is (text or workbook, packed or not), its header, and its rows, streamed."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Protocol

from earlybird.importers.errors import TableUnreadable
from earlybird.importers.tables.guard import unguarded

MOST_ROWS = 1_048_576
"""As many as a worksheet can hold."""

MOST_COLUMNS = 500
LONGEST_CELL = 10_000

AFTERTHOUGHTS = frozenset({"line", "field", "rule"})
"""Columns our own file of refused rows adds; read back, they say nothing."""


@dataclass(frozen=True, slots=True)
class Formula:
    """A cell of a workbook that holds a formula or an error in place of a value."""

    text: str


Cell = str | int | float | bool | datetime | date | time | timedelta | Formula | None
"""What a cell may hold: text of a text file; of a workbook also numbers, dates and formulas."""

Row = tuple[int, list[Cell]]
"""Line number in the file (or row of the sheet) and the cells."""


class Reader(Protocol):
    """A kind of file: `records` starts anew at each call and yields the header first."""

    notes: list[str]

    def records(self) -> Iterator[Row]:
        """Yield line number and cells of each record that is not blank."""
        ...


@dataclass(slots=True)
class Table:
    """A table that was read once to its end, so that it is whole, and may be read again."""

    path: Path
    digest: str
    header: list[str]
    count: int
    reader: Reader
    notes: list[str] = field(default_factory=list)

    def rows(self) -> Iterator[Row]:
        """Yield line number and cells of each row below the header."""
        records = self.reader.records()
        next(records)
        yield from records


def column_name(cell: Cell) -> str:
    """Return a header's cell as columns are named: lower case, words joined by `_`."""
    text = unguarded(str(cell if cell is not None else "")).strip().casefold()
    return "_".join(text.replace("-", " ").replace("_", " ").split())


def open_table(path: Path, known: Collection[str]) -> Table:
    """Open a table and read it once to its end; `known` column names tell the delimiter. Raises TableUnreadable."""
    from earlybird.importers.tables.reading.text import Text
    from earlybird.importers.tables.reading.workbook import Workbook

    try:
        with path.open("rb") as raw:
            start = raw.read(8)
            raw.seek(0)
            digest = hashlib.file_digest(raw, "sha256").hexdigest()
    except OSError as failure:
        raise TableUnreadable(f"Cannot read {path.name}: {failure.strerror}.") from None
    if not start:
        raise TableUnreadable(f"{path.name} is empty.")
    reader: Reader = Workbook(path) if start.startswith(b"PK\x03\x04") else Text(path, known)
    records = reader.records()
    first = next(records, None)
    if first is None:
        raise TableUnreadable(f"{path.name} has no header.")
    header = [column_name(cell) for cell in first[1]]
    while header and not header[-1]:
        header.pop()
    count = 0
    for count, _ in enumerate(records, 1):
        if count > MOST_ROWS:
            raise TableUnreadable(f"{path.name} has more than {MOST_ROWS:,} rows; split it.")
    return Table(path, digest, header, count, reader, reader.notes)


def check_header(header: Sequence[str], known: Collection[str], required: Collection[str]) -> None:
    """Refuse a header with a column twice, unknown or missing, by name."""
    if len(header) > MOST_COLUMNS:
        raise TableUnreadable(f"The header names more than {MOST_COLUMNS} columns.")
    seen: set[str] = set()
    for place, name in enumerate(header, 1):
        if not name:
            raise TableUnreadable(f"Column {place} has no name in the first row.")
        if name in seen:
            raise TableUnreadable(f"Column {name!r} stands twice in the first row.", field=name)
        seen.add(name)
        if name not in known and name not in AFTERTHOUGHTS:
            raise TableUnreadable(f"Column {name!r} is not known; known are {', '.join(sorted(known))}.", field=name)
    missing = [name for name in required if name not in seen]
    if missing:
        raise TableUnreadable(f"Column {missing[0]!r} is missing in the first row.", field=missing[0])
