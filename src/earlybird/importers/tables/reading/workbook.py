"""Workbooks (.xlsx), streamed: bounded before they are unpacked, formulas seen as what they are."""

from __future__ import annotations

import contextlib
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from earlybird.importers.errors import TableUnreadable
from earlybird.importers.tables.guard import unguarded
from earlybird.importers.tables.reading.files import MOST_COLUMNS, Cell, Formula, Row

MOST_BYTES = 512 << 20
"""Largest workbook accepted, unpacked; the zip reader never yields more than the archive declares."""

MOST_SHARED = 128 << 20
"""Largest table of shared texts, the one part that is held in memory."""

MOST_PARTS = 1_000
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")
_BROKEN = (
    zipfile.BadZipFile,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    IndexError,
    ParseError,
    OSError,
    EOFError,
)


class Workbook:
    """The first sheet of a workbook."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notes: list[str] = []
        try:
            with zipfile.ZipFile(path) as parts:
                self._check(parts)
        except _BROKEN as failure:
            raise TableUnreadable(f"{path.name} is no workbook that can be read ({failure}).") from None

    def _check(self, parts: zipfile.ZipFile) -> None:
        found = parts.infolist()
        size = sum(part.file_size for part in found)
        shared = max((part.file_size for part in found if "sharedstrings" in part.filename.lower()), default=0)
        if len(found) > MOST_PARTS or size > MOST_BYTES or shared > MOST_SHARED:
            raise TableUnreadable(
                f"{self.path.name} would unpack to {size / (1 << 20):,.0f} MiB in {len(found)} parts; "
                f"{MOST_BYTES >> 20} MiB in {MOST_PARTS} are allowed."
            )
        for part in found:
            if part.filename.endswith((".xml", ".rels")):
                with parts.open(part) as body:
                    if b"<!DOCTYPE" in body.read(4096):
                        raise TableUnreadable(f"{self.path.name} declares a document type; no workbook does.")

    def records(self) -> Iterator[Row]:
        """Yield row number and cells of each row that is not blank, the header first."""
        from openpyxl import load_workbook

        try:
            with (
                self.path.open("rb") as raw,
                contextlib.closing(load_workbook(raw, read_only=True, keep_links=False)) as book,
            ):
                sheet = book.worksheets[0]
                sheet.reset_dimensions()
                for number, row in enumerate(sheet.iter_rows(), 1):
                    cells = [_value(cell) for cell in row]
                    while cells and cells[-1] in {None, ""}:
                        cells.pop()
                    if len(cells) > MOST_COLUMNS:
                        raise TableUnreadable(f"{self.path.name}: row {number} has more than {MOST_COLUMNS} cells.")
                    if any(cell is not None and str(cell).strip() for cell in cells):
                        yield number, cells
        except _BROKEN as failure:
            raise TableUnreadable(f"{self.path.name} is no workbook that can be read ({failure}).") from None


def _value(cell: object) -> Cell:
    value: Any = getattr(cell, "value", None)
    if getattr(cell, "data_type", None) in {"f", "e"}:
        return Formula(str(getattr(value, "text", value)))
    if isinstance(value, str):
        return unguarded(_ESCAPE.sub(lambda found: chr(int(found[1], 16)), value))
    found: Cell = value
    return found


def escaped(text: str) -> str:
    """Return text as a workbook can hold it: control characters and what looks like their escape, escaped."""
    text = re.sub(r"_(?=x[0-9A-Fa-f]{4}_)", "_x005F_", text)
    return re.sub(r"[\x00-\x08\x0b-\x1f\ufffe\uffff]", lambda found: f"_x{ord(found[0]):04X}_", text)
