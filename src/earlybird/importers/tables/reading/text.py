"""Comma-separated text: packed or not, in UTF-8, UTF-16 or Windows-1252, delimited by , ; tab or |."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import lzma
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO, cast

from earlybird.importers.errors import TableUnreadable
from earlybird.importers.tables.guard import unguarded
from earlybird.importers.tables.reading.files import Row, column_name

MOST_BYTES = 2 << 30
"""Largest text accepted, unpacked."""

_BLOCK = 1 << 20
_DELIMITERS = ",;\t|"
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_PROBE = 1_000
_PACKED_BADLY = (lzma.LZMAError, gzip.BadGzipFile, zlib.error, EOFError)


class Text:
    """A text file: its encoding is found by reading it all, its delimiter by the columns it makes known."""

    def __init__(self, path: Path, known: Collection[str]) -> None:
        self.path = path
        self.notes: list[str] = []
        self.encoding = self._find_encoding()
        self.delimiter = self._find_delimiter(known)

    def records(self) -> Iterator[Row]:
        """Yield line number and cells of each record that is not blank, the header first."""
        with self._text() as text:
            reader = csv.reader(text, delimiter=self.delimiter, strict=True)
            line = 1
            try:
                for record in reader:
                    blank = not any(cell.strip() for cell in record)
                    if not blank and not (line == 1 and _is_separator_line(record)):
                        yield line, [unguarded(cell) for cell in record]
                    line = reader.line_num + 1
            except csv.Error as failure:
                raise TableUnreadable(
                    f"{self.path.name}: the record at line {line} cannot be read ({failure})."
                ) from None

    def _bytes(self) -> IO[bytes]:
        with self.path.open("rb") as raw:
            start = raw.read(6)
        if start.startswith(b"\xfd7zXZ\x00"):
            return cast("IO[bytes]", lzma.open(self.path))
        if start.startswith(b"\x1f\x8b"):
            return cast("IO[bytes]", gzip.open(self.path))
        return self.path.open("rb")

    def _text(self) -> io.TextIOWrapper:
        return io.TextIOWrapper(self._bytes(), encoding=self.encoding, newline="")

    def _find_encoding(self) -> str:
        with self._bytes() as raw:
            try:
                start = raw.read(_PROBE)
            except _PACKED_BADLY:
                raise TableUnreadable(f"{self.path.name} is not packed as it says.") from None
        marked = next((name for mark, name in _MARKS if start.startswith(mark)), None)
        if marked is None and start.count(0) * 3 > len(start):
            marked = "utf-16-le" if start[1::2].count(0) > start[0::2].count(0) else "utf-16-be"
        if marked:
            if not self._decodes(marked):
                raise TableUnreadable(f"{self.path.name} is not the {marked.removesuffix('-sig').upper()} it says.")
            return marked
        if self._decodes("utf-8"):
            return "utf-8"
        if self._decodes("cp1252"):
            self.notes.append("The file is not UTF-8; it was read as Windows-1252. Look at its accents and signs.")
            return "cp1252"
        raise TableUnreadable(f"{self.path.name} is neither UTF-8, UTF-16 nor Windows-1252.")

    def _decodes(self, encoding: str) -> bool:
        decoder = codecs.getincrementaldecoder(encoding)()
        size = 0
        with self._bytes() as raw:
            try:
                while block := raw.read(_BLOCK):
                    size += len(block)
                    if size > MOST_BYTES:
                        raise TableUnreadable(f"{self.path.name} holds more than {MOST_BYTES >> 30} GiB; split it.")
                    decoder.decode(block)
                decoder.decode(b"", final=True)
            except UnicodeError:
                return False
            except _PACKED_BADLY:
                raise TableUnreadable(f"{self.path.name} is damaged: it cannot be unpacked.") from None
        return True

    def _find_delimiter(self, known: Collection[str]) -> str:
        """Return the delimiter that makes most columns known, then most columns; a comma at a draw."""
        best, most = ",", (-1, -1)
        for delimiter in _DELIMITERS:
            with self._text() as text:
                header: list[str] = []
                try:
                    for record in csv.reader(text, delimiter=delimiter, strict=True):
                        if any(cell.strip() for cell in record) and not _is_separator_line(record):
                            header = record
                            break
                except csv.Error:
                    continue
            names = [column_name(cell) for cell in header]
            found = (sum(name in known for name in names), len(names))
            if found > most:
                best, most = delimiter, found
        return best


def _is_separator_line(record: list[str]) -> bool:
    """Whether this is the line `sep=;` that spreadsheets write before the header."""
    return bool(record) and record[0].lower().startswith("sep=") and all(len(cell) <= len("sep=;") for cell in record)
