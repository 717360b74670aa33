"""The signed checkpoints of the audit's seals: a file outside the database, one JSON line per seal.

Whoever holds the database but not the secret key can make no seal, and whoever does not hold this file as well
cannot take the newest seals away unseen. The seal is committed first and its line written after: a line never
speaks of a seal that is not there, and what a crash left out is written by the next run.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from earlybird.infra.security import Keys
from earlybird.infra.settings import Settings
from earlybird.kernel.errors import Invalid

PURPOSE = "audit-checkpoint"
MARKS = "audit-marks"
FILE = "audit-checkpoints.jsonl"
TAIL_BYTES = 8192
MOST_BYTES = 4096


class KeyMalformed(Invalid):
    """A checkpoint key is 64 hexadecimal digits, as `earlybird audit key` prints it."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a line says: the seal, its digest, how many rows all seals hold so far, when, and the signature of these."""

    seal: int
    digest: str
    rows: int
    at: str
    key: str
    signature: str

    def statement(self) -> bytes:
        """Return the bytes that are signed."""
        return statement(self.seal, self.digest, self.rows, self.at)


def statement(seal: int, digest: str, rows: int, at: str) -> bytes:
    """Return the bytes that the signature of a seal covers: five lines of ASCII."""
    return f"earlybird audit seal\n{seal}\n{digest}\n{rows}\n{at}\n".encode()


def name_of(public: bytes) -> str:
    """Return the short name of a public key: the first 16 digits of its SHA-256."""
    return hashlib.sha256(public).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Trust:
    """The public keys whose signatures count; the newest first."""

    keys: tuple[bytes, ...]

    @classmethod
    def of(cls, texts: Sequence[str]) -> Trust:
        """Read public keys written in hex."""
        try:
            found = tuple(bytes.fromhex(text.strip()) for text in texts)
            for public in found:
                Ed25519PublicKey.from_public_bytes(public)
        except ValueError as failure:
            raise KeyMalformed(field="key") from failure
        return cls(found)

    def fits(self, line: Checkpoint) -> bool:
        """Return whether one of the keys signed that."""
        for public in self.keys:
            if name_of(public) == line.key:
                try:
                    Ed25519PublicKey.from_public_bytes(public).verify(bytes.fromhex(line.signature), line.statement())
                except (InvalidSignature, ValueError):
                    return False
                return True
        return False


@dataclass(frozen=True, slots=True)
class Torn:
    """A line that cannot be read."""

    number: int


class Checkpoints:
    """The file and the key that signs its lines."""

    def __init__(self, path: Path, keys: Keys) -> None:
        self.path = path
        self._keys = keys
        self._signer = keys.signer(PURPOSE)
        self.public = self._signer.public_key().public_bytes_raw()

    @classmethod
    def at(cls, settings: Settings) -> Checkpoints:
        """Return the file that the settings name, with their secret."""
        return cls(place(settings), Keys.read(settings))

    def mark_key(self, seal: int) -> bytes:
        """Return the key of the marks on one seal's rows, which the database never keeps."""
        return self._keys.derive(f"{MARKS} {seal}")

    def sign(self, seal: int, digest: str, rows: int, at: str) -> tuple[bytes, str]:
        """Return the signature of a seal and the name of the key."""
        return self._signer.sign(statement(seal, digest, rows, at)), name_of(self.public)

    def newest(self) -> Checkpoint | None:
        """Return the last whole line, None where there is no file or nothing in it."""
        return newest(self.path)

    def append(self, lines: Sequence[Checkpoint]) -> None:
        """Add the lines whose seals the file does not have yet, and wait until the disk has them."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        is_new = not self.path.exists()
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            _drop_torn_end(handle)
            last = newest(self.path)
            wanted = [line for line in lines if last is None or line.seal > last.seal]
            os.write(handle, b"".join(_written(line) for line in wanted))
            os.fsync(handle)
        finally:
            os.close(handle)
        if is_new:
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def place(settings: Settings) -> Path:
    """Return where the checkpoints are."""
    return settings.checkpoint_file or settings.data_dir / FILE


def newest(path: Path) -> Checkpoint | None:
    """Return the last whole, readable line of a file."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
            tail = file.read()
    except FileNotFoundError:
        return None
    for line in reversed(tail[: tail.rfind(b"\n") + 1].splitlines()):
        found = _read(line)
        if found is not None:
            return found
    return None


def read(path: Path) -> Iterator[Checkpoint | Torn]:
    """Yield the lines in their order; a last one without its end was cut by a crash and is left out."""
    with path.open("rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(MOST_BYTES), b""), start=1):
            if line.endswith(b"\n"):
                yield _read(line) or Torn(number)


def _written(line: Checkpoint) -> bytes:
    facts: dict[str, Any] = {name: getattr(line, name) for name in Checkpoint.__slots__}
    return orjson.dumps(facts) + b"\n"


def _read(line: bytes) -> Checkpoint | None:
    try:
        facts = orjson.loads(line)
        found = Checkpoint(**facts)
    except (ValueError, TypeError):
        return None
    is_whole = type(found.seal) is int and type(found.rows) is int
    return found if is_whole and all(isinstance(getattr(found, n), str) for n in ("digest", "at", "key")) else None


def _drop_torn_end(handle: int) -> None:
    """Cut off what a crash left of a line."""
    size = os.fstat(handle).st_size
    start = max(0, size - TAIL_BYTES)
    tail = os.pread(handle, TAIL_BYTES, start)
    if tail and not tail.endswith(b"\n"):
        os.ftruncate(handle, start + tail.rfind(b"\n") + 1)
