"""The folder of a dump: which files are collections, and what their bytes add up to."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from earlybird.importers.errors import DumpUnreadable

_ENDINGS: Final = (".json.gz", ".jsonl.gz", ".json", ".jsonl")
_DEEPEST: Final = 3
_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class DumpFile:
    """One collection of a dump; `stamp` tells whether the file is still the one that was hashed."""

    collection: str
    path: Path
    sha256: str
    stamp: tuple[int, int]

    def still_same(self) -> bool:
        """Return True while nobody has written to the file since it was hashed."""
        return _stamp(self.path) == self.stamp


def collection_name(path: Path) -> str | None:
    """Return the collection a file holds, None when it is none (hidden, metadata, another kind of file)."""
    name = path.name
    if name.startswith(".") or name.endswith(".metadata.json"):
        return None
    return next((name.removesuffix(ending) for ending in _ENDINGS if name.endswith(ending)), None)


def find_files(folder: Path) -> list[DumpFile]:
    """Return the collections of a dump, hashed, by name; refuse a folder that holds none or one twice.

    `folder` holds the files itself, or exactly one folder below it does (as `dump/<database>/`).
    """
    try:
        if not folder.is_dir():
            raise DumpUnreadable(f"{folder}: there is no such folder")
        found = _look(folder, 0)
        names = [collection for collection, _ in found]
        for name in names:
            if names.count(name) > 1:
                raise DumpUnreadable(f"{folder}: holds the collection {name} in two files")
        return [DumpFile(name, path, _sha256(path), _stamp(path)) for name, path in sorted(found)]
    except OSError as failure:
        raise DumpUnreadable(f"{failure.filename or folder}: {failure.strerror}") from failure


def digest(files: Sequence[DumpFile]) -> str:
    """Return one digest of a whole dump."""
    lines = "".join(f"{file.collection} {file.sha256}\n" for file in files)
    return hashlib.sha256(lines.encode()).hexdigest()


def _look(folder: Path, depth: int) -> list[tuple[str, Path]]:
    entries = sorted(folder.iterdir())
    if found := [(name, path) for path in entries if not path.is_dir() and (name := collection_name(path))]:
        return found
    inner = [path for path in entries if path.is_dir() and not path.name.startswith(".")] if depth < _DEEPEST else []
    places = [found for path in inner if (found := _tried(path, depth + 1))]
    if len(places) == 1:
        return places[0]
    if places:
        raise DumpUnreadable(f"{folder}: holds several dumps; name the folder of one database")
    if any(path.name.endswith((".bson", ".bson.gz")) for path in entries):
        raise DumpUnreadable(f"{folder}: holds .bson files of mongodump; write the collections with mongoexport")
    raise DumpUnreadable(
        f"{folder}: the folder is empty"
        if not entries
        else f"{folder}: holds no collection (a collection is a file <name>.json, .jsonl, .json.gz or .jsonl.gz)"
    )


def _tried(folder: Path, depth: int) -> list[tuple[str, Path]]:
    try:
        return _look(folder, depth)
    except DumpUnreadable:
        return []


def _stamp(path: Path) -> tuple[int, int]:
    facts = path.stat()
    return facts.st_size, facts.st_mtime_ns


def _sha256(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as handle:
        while chunk := handle.read(_CHUNK):
            found.update(chunk)
    return found.hexdigest()
