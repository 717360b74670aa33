"""Files of a dump: streamed, unpacked, cut into documents, whatever their layout."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import orjson

from earlybird.importers.errors import DumpUnreadable

CHUNK: Final = 1 << 20
MAX_DOCUMENT: Final = 64 << 20
"""Longest document accepted, in bytes (MongoDB itself stops at 16 MB of BSON)."""

Json = Any

_GZIP: Final = b"\x1f\x8b"
_FOREIGN: Final = {
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
    b"\x1f\x8b": "packed twice",
    b"PK\x03\x04": "a zip archive",
    b"BZh": "packed with bzip2",
    b"\xfd7zXZ": "packed with xz",
    b"\x28\xb5\x2f\xfd": "packed with zstd",
}
_LONGEST_MARK: Final = 5
_QUOTE, _BRACE = b'"'[0], b"{"[0]


@dataclass(frozen=True, slots=True)
class Document:
    """One document: its number in the file (from 1), first line (from 1), bytes and content."""

    number: int
    line: int
    raw: bytes
    body: dict[str, Json]


@dataclass(frozen=True, slots=True)
class Malformed:
    """A stretch of the file that is no document: bytes verbatim, first line (from 1), reason."""

    number: int
    line: int
    raw: bytes
    reason: str


class _Broken(Exception):
    """The byte stream ended early or is of another kind."""


def read_dump(path: Path) -> Iterator[Document | Malformed]:
    """Stream a mongoexport file: plain or gzip (by content), one document per line or an array.

    Pretty-printed arrays and pretty-printed concatenated documents are cut up incrementally; at
    most one document is in memory. Blank lines are no records. Raises `DumpUnreadable` last, when
    the file ends early or is of another kind: every record before the damage was handed out.
    """
    number = 0
    failure: list[str] = []

    def guarded() -> Iterator[bytes]:
        try:
            yield from _without_mark(_chunks(path))
        except (_Broken, OSError) as error:
            failure.append(getattr(error, "strerror", None) or str(error))

    for line, raw, reason in _pieces(guarded()):
        number += 1
        body, why = (None, reason) if reason else parse_document(raw)
        if body is None:
            yield Malformed(number, line, raw, why or "not a document")
        else:
            yield Document(number, line, raw, body)
    if failure:
        raise DumpUnreadable(f"{path}: {failure[0]}", records=number)


def parse_document(raw: bytes) -> tuple[dict[str, Json] | None, str | None]:
    """Parse one JSON document: (body, None) or (None, reason). Bare NaN and Infinity tolerated."""
    try:
        body: Json = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return _parse_leniently(raw)
    return (body, None) if isinstance(body, dict) else (None, f"not a document but {_kind(body)}")


def _parse_leniently(raw: bytes) -> tuple[dict[str, Json] | None, str | None]:
    try:
        body: Json = json.loads(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        return None, f"invalid UTF-8 at byte {error.start}"
    except json.JSONDecodeError as error:
        return None, f"invalid JSON: {error.msg} at character {error.pos}"
    except (ValueError, RecursionError) as error:
        return None, f"invalid JSON: {error}"
    if not _encodable(body):
        return None, "invalid text: half of a surrogate pair"
    return (body, None) if isinstance(body, dict) else (None, f"not a document but {_kind(body)}")


def _kind(value: Json) -> str:
    """Name of a JSON type for a reason text."""
    names = {list: "an array", str: "a text", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


def _encodable(body: Json) -> bool:
    """Return False when a text holds half a surrogate pair, which no UTF-8 store accepts."""
    try:
        json.dumps(body, ensure_ascii=False).encode("utf-8")
    except (UnicodeEncodeError, RecursionError):
        return False
    return True


def _chunks(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a file in chunks, unpacked if gzip (several members allowed)."""
    with path.open("rb") as handle:
        head = handle.read(max(CHUNK, len(_GZIP)))
        if head.startswith(_GZIP):
            yield from _unpacked(head, handle)
            return
        while head:
            yield head
            head = handle.read(CHUNK)


def _unpacked(data: bytes, handle: BinaryIO) -> Iterator[bytes]:
    while data:
        if not data.startswith(_GZIP[: len(data)]):
            raise _Broken("damaged gzip file: trailing bytes")
        unpack = zlib.decompressobj(wbits=31)
        while not unpack.eof:
            if not data:
                raise _Broken("truncated gzip file")
            try:
                out = unpack.decompress(data, CHUNK)
            except zlib.error as error:
                raise _Broken(f"damaged gzip file: {error}") from error
            if out:
                yield out
            data = b"" if unpack.eof else unpack.unconsumed_tail or handle.read(CHUNK)
        data = (unpack.unused_data or handle.read(CHUNK)).lstrip(b"\0")
    if handle.read(1):
        raise _Broken("damaged gzip file: padding followed by data")


def _without_mark(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Drop a UTF-8 byte order mark at the very start; refuse what is no text in UTF-8 at all."""
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= _LONGEST_MARK:
            break
    for mark, kind in _FOREIGN.items():
        if head.startswith(mark):
            raise _Broken(f"the file is {kind}; JSON in UTF-8, plain or gzip, is wanted")
    if head := head.removeprefix(b"\xef\xbb\xbf"):
        yield head
    yield from chunks


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Lines with their line end; the last may lack it. A line is cut after MAX_DOCUMENT bytes."""
    rest: list[bytes] = []
    size = 0
    for chunk in chunks:
        start = 0
        while (end := chunk.find(b"\n", start)) >= 0:
            rest.append(chunk[start : end + 1])
            yield b"".join(rest) if len(rest) > 1 else rest[0]
            rest, size, start = [], 0, end + 1
        if start < len(chunk):
            rest.append(chunk[start:])
            size += len(chunk) - start
            if size > MAX_DOCUMENT:
                yield b"".join(rest)
                rest, size = [], 0
    if rest:
        yield b"".join(rest)


_Piece = tuple[int, bytes, str | None]


def _pieces(chunks: Iterator[bytes]) -> Iterator[_Piece]:
    """(line, bytes, reason if broken) of each record, whatever the layout of the file."""
    lines = _lines(chunks)
    seen: list[bytes] = []
    for line in lines:
        seen.append(line)
        if line.strip():
            break
    first = seen[-1].strip() if seen else b""
    again = _chain(seen, lines)
    if first.startswith(b"[") or (first == b"{" or (first[:1] == b"{" and _opens(first))):
        yield from _Cutter().cut(again)
        return
    cut = False
    for number, line in enumerate(again, 1):
        whole = line.endswith(b"\n")
        piece = line.strip(b" \t\r\n")
        if cut or len(line) > MAX_DOCUMENT:
            yield number, line, f"line longer than {MAX_DOCUMENT} bytes"
            cut = not whole
        elif piece:
            yield number, piece, None


def _chain(head: Iterable[bytes], rest: Iterator[bytes]) -> Iterator[bytes]:
    yield from head
    yield from rest


def _opens(line: bytes) -> bool:
    """Return True when a line begins a document that goes on in the next line (pretty printing)."""
    if parse_document(line)[0] is not None:
        return False
    depth = 0
    for mark in _OUTSIDE.findall(_STRINGS.sub(b"", line)):
        depth += 1 if mark in b"{[" else -1
    return depth > 0 and line.rstrip()[-1:] in b"{[,"


_STRINGS: Final = re.compile(rb'"(?:[^"\\]|\\.)*"')
_OUTSIDE: Final = re.compile(rb'["{}\[\]]')
_INSIDE: Final = re.compile(rb'["\\]')


class _Cutter:
    """Cuts an array or a sequence of pretty-printed documents into documents.

    A raw line end inside a string, or a `{` that starts a line at the indent of the elements while
    an element is still open, shows that the element is broken: it is given back as broken up to
    there and the next element is read normally. (The second sign is not used in a file that is
    pretty-printed without any indent.)
    """

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.size = 0
        self.depth = 0
        self.start = 0
        self.indent: bytes | None = None
        self.flat: bool | None = None
        self.broken: str | None = None

    def cut(self, lines: Iterator[bytes]) -> Iterator[_Piece]:
        number = 0
        for number, line in enumerate(lines, 1):
            yield from self._line(number, line)
        if self.parts and b"".join(self.parts).strip(b" \t\r\n,]"):
            yield self._flush(self.broken or "document is not closed")

    def _flush(self, reason: str | None) -> _Piece:
        raw = b"".join(self.parts).rstrip(b" \t\r\n" + (b"," if reason else b""))
        piece = (self.start, raw, reason)
        self.parts, self.size, self.depth, self.broken = [], 0, 0, None
        return piece

    def _add(self, part: bytes) -> None:
        self.parts.append(part)
        self.size += len(part)
        if self.size > MAX_DOCUMENT and self.broken is None:
            self.broken = f"document longer than {MAX_DOCUMENT} bytes"

    def _line(self, number: int, line: bytes) -> Iterator[_Piece]:
        body = line.lstrip(b" \t")
        indent = line[: len(line) - len(body)]
        opening = body.lstrip(b"[, \t") if body[:1] in (b"[", b",") else body
        if self.flat is None and self.depth > 0:
            self.flat = indent == self.indent and opening[:1] != b"{"
        open_still = self.broken or (self.depth > 0 and not self.flat)
        if self.parts and open_still and opening[:1] == b"{" and indent == self.indent:
            yield self._flush(self.broken or "document is not closed")
        if self.broken:
            self._add(line)
            return
        at = 0
        while True:
            if self.depth == 0:
                at, done = self._between(number, line, at, indent)
                if done:
                    return
            end = self._element(line, at)
            if end is None:
                return
            self._add(line[at:end])
            yield self._flush(None)
            at = end

    def _between(self, number: int, line: bytes, at: int, indent: bytes) -> tuple[int, bool]:
        """Skip to the next element; (position, True) when the line holds none."""
        while at < len(line) and line[at] in b" \t\r\n,[]":
            at += 1
        if at >= len(line):
            return at, True
        self.start = number
        if line[at] != _BRACE:
            self.broken = "text between documents"
            self._add(line[at:])
            return at, True
        if self.indent is None:
            self.indent = indent
        return at, False

    def _element(self, line: bytes, at: int) -> int | None:
        """End of the element begun before or at `at`, None when it goes on in the next line."""
        pos = at
        while (found := _OUTSIDE.search(line, pos)) is not None:
            mark, pos = line[found.start()], found.end()
            if mark == _QUOTE:
                close = self._string(line, pos)
                if close is None:
                    self.broken = "invalid JSON: line end inside a text"
                    break
                pos = close
            elif mark in b"{[":
                self.depth += 1
            else:
                self.depth -= 1
                if self.depth == 0:
                    return pos
        self._add(line[at:])
        return None

    @staticmethod
    def _string(line: bytes, pos: int) -> int | None:
        """Position after the closing quote, None when the line ends first."""
        while (found := _INSIDE.search(line, pos)) is not None:
            if line[found.start()] == _QUOTE:
                return found.end()
            pos = found.end() + 1
        return None
