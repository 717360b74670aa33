"""A backup as it lies in its folder: parts, and the signed list of them that makes it whole.

    earlybird-20260115T120000Z-3f9a/
        manifest.json             what it is, its parts with their sizes and SHA-256; no secret
        facts.json                what the database held: rows per table, the ledger's sums, the newest seal
        database.dump             pg_dump's custom format
        files.tar                 the folder of photos, or files.json, the list of the bucket
        audit-checkpoints.jsonl   the lines of the seals that are in the database

A folder is made beside its place under a name that begins with a dot, and renamed when all of it is on disk. Of an
encrypted one every part but the manifest is sealed.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from earlybird.deploy import sealed
from earlybird.deploy.errors import BackupDamaged, BackupRuns, KeyMissing, KeyWrong, NoSuchFolder, NotOurs
from earlybird.deploy.sealed import Sealer
from earlybird.infra.checkpoints import name_of
from earlybird.infra.security import Keys

MANIFEST, FACTS, DATABASE = "manifest.json", "facts.json", "database.dump"
FILES, LISTING, CHECKPOINTS = "files.tar", "files.json", "audit-checkpoints.jsonl"
FORMAT = 1
PURPOSE = "backup-manifest"
CHUNK = 2**18
PREFIX = "earlybird-"


def encode(facts: Any) -> bytes:
    """Return facts as canonical JSON."""
    return orjson.dumps(facts, default=str, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2) + b"\n"


def fingerprint(key: Keys) -> str:
    """Return what a manifest says of the key its parts are sealed with: enough to tell a wrong one, no more."""
    return hashlib.sha256(key.derive("backup-name")).hexdigest()[:16]


class Part:
    """A part being written: counted, digested and, with a key, sealed on its way to the disk."""

    def __init__(self, path: Path, key: bytes | None) -> None:
        self.path = path
        self.byte_count = 0
        self._digest = hashlib.sha256()
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._file = os.fdopen(handle, "wb")
        self._sealer = Sealer(_Raw(self), key) if key else None

    def write(self, piece: bytes) -> int:
        """Take some more of the plain part."""
        if self._sealer:
            self._sealer.write(piece)
        else:
            self.put(piece)
        return len(piece)

    def put(self, piece: bytes) -> None:
        """Write bytes as they are kept."""
        self._digest.update(piece)
        self.byte_count += len(piece)
        self._file.write(piece)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def finish(self) -> dict[str, Any]:
        """Wait until the disk has all of it; return what the manifest says of it."""
        if self._sealer:
            self._sealer.finish()
        self._file.flush()
        os.fsync(self._file.fileno())
        return {"name": self.path.name, "byte_count": self.byte_count, "digest": self._digest.hexdigest()}


@dataclass(frozen=True, slots=True)
class _Raw:
    part: Part

    def write(self, piece: bytes) -> object:
        self.part.put(piece)
        return len(piece)


@dataclass
class Draft:
    """A backup being written."""

    home: Path
    name: str
    made_at: datetime
    key: Keys | None
    salt: str = field(default_factory=lambda: secrets.token_hex(16))
    parts: list[dict[str, Any]] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        """Where it is until it is whole."""
        return self.home / f".{self.name}.part"

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[Part]:
        """Yield a part to write to."""
        found = Part(self.folder / name, part_key(self.key, self.salt, name))
        try:
            yield found
            self.parts.append(found.finish())
        finally:
            found.close()

    def finish(self, keys: Keys, facts: dict[str, Any]) -> Path:
        """Sign the list of parts and give the backup its name; only from here on it exists."""
        signer = keys.signer(PURPOSE)
        manifest = {
            "format": FORMAT,
            "name": self.name,
            "made_at": self.made_at.isoformat(),
            "parts": self.parts,
            "encrypted": {"cipher": "AES-256-GCM", "salt": self.salt, "key": fingerprint(self.key)}
            if self.key
            else None,
            "signed_by": name_of(signer.public_key().public_bytes_raw()),
            "public_key": signer.public_key().public_bytes_raw().hex(),
            **facts,
        }
        manifest["signature"] = signer.sign(encode(manifest)).hex()
        path = self.folder / MANIFEST
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(encode(manifest))
            file.flush()
            os.fsync(file.fileno())
        flush(self.folder)
        final = self.home / self.name
        self.folder.rename(final)
        flush(self.home)
        return final


def part_key(key: Keys | None, salt: str, name: str) -> bytes | None:
    """Return the key of one part of one backup."""
    return key.derive(f"backup {salt} {name}") if key else None


def flush(folder: Path) -> None:
    """Make the names in a folder outlive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def alone(home: Path) -> Iterator[None]:
    """Be the only one at work in a folder of backups; clear what a crash left there. Raise `BackupRuns`."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(home / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as failure:
            raise BackupRuns(folder=home) from failure
        for left in home.glob(f".{PREFIX}*.part"):
            shutil.rmtree(left)
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def drafted(home: Path, made_at: datetime, key: Keys | None) -> Iterator[Draft]:
    """Yield a backup to write; what does not end with `finish` is cleared away."""
    name = f"{PREFIX}{made_at:%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"
    draft = Draft(home, name, made_at, key)
    draft.folder.mkdir(mode=0o700)
    try:
        yield draft
    finally:
        shutil.rmtree(draft.folder, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Whole:
    """A backup that lies there whole, at least by its manifest."""

    path: Path
    manifest: dict[str, Any] = field(repr=False)

    @property
    def made_at(self) -> datetime:
        """The moment the backup shows."""
        return datetime.fromisoformat(self.manifest["made_at"])

    @property
    def digest(self) -> str:
        """The SHA-256 of the manifest, which has those of the parts."""
        return hashlib.sha256(encode(self.manifest)).hexdigest()

    @property
    def byte_count(self) -> int:
        """How large its parts are together."""
        return sum(part["byte_count"] for part in self.manifest["parts"])

    def has(self, name: str) -> bool:
        """Return whether there is a part of that name."""
        return any(part["name"] == name for part in self.manifest["parts"])

    def check_parts(self) -> None:
        """Read every part and hold it against the manifest; raise `BackupDamaged`."""
        self.check_list()
        for part in self.manifest["parts"]:
            digest, size = hashlib.sha256(), 0
            for piece in self._stored(part["name"]):
                digest.update(piece)
                size += len(piece)
            if (size, digest.hexdigest()) != (part["byte_count"], part["digest"]):
                raise BackupDamaged(part=part["name"])

    def check_list(self) -> None:
        """Hold the manifest against its own signature; raise `BackupDamaged`."""
        plain = {name: fact for name, fact in self.manifest.items() if name != "signature"}
        try:
            public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(plain["public_key"]))
            public.verify(bytes.fromhex(self.manifest["signature"]), encode(plain))
        except (InvalidSignature, ValueError, KeyError, TypeError) as failure:
            raise BackupDamaged(part=MANIFEST) from failure

    def check_ours(self, keys: Keys) -> None:
        """Refuse a manifest that another secret key signed; raise `NotOurs`."""
        if self.manifest["public_key"] != keys.signer(PURPOSE).public_key().public_bytes_raw().hex():
            raise NotOurs(signed_by=self.manifest["signed_by"])

    def read(self, name: str, key: Keys | None) -> Iterator[bytes]:
        """Yield a part as it was before it was sealed; raise `KeyMissing`, `KeyWrong`, `BackupDamaged`."""
        told = self.manifest["encrypted"]
        if told is None:
            return self._stored(name)
        if key is None:
            raise KeyMissing(field="backup_key")
        if fingerprint(key) != told["key"]:
            raise KeyWrong(field="backup_key")
        return sealed.opened(self._stored(name), part_key(key, told["salt"], name) or b"")

    def facts(self, key: Keys | None) -> dict[str, Any]:
        """Return what the database held."""
        found: dict[str, Any] = orjson.loads(b"".join(self.read(FACTS, key)))
        return found

    def _stored(self, name: str) -> Iterator[bytes]:
        try:
            with (self.path / name).open("rb") as file:
                while piece := file.read(CHUNK):
                    yield piece
        except FileNotFoundError as failure:
            raise BackupDamaged(part=name) from failure


def at(path: Path) -> Whole:
    """Return the backup at a path; raise `NoSuchFolder`."""
    try:
        manifest = orjson.loads((path / MANIFEST).read_bytes())
    except (FileNotFoundError, NotADirectoryError) as failure:
        raise NoSuchFolder(field="backup", value=path) from failure
    except ValueError as failure:
        raise BackupDamaged(part=MANIFEST) from failure
    if path.name.startswith(".") or not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise NoSuchFolder(field="backup", value=path)
    return Whole(path, manifest)


def listing(home: Path) -> list[Whole]:
    """Return the whole backups of a folder, the newest first."""
    return sorted(_readable(home.glob(f"{PREFIX}*")), key=lambda one: (one.made_at, one.path.name), reverse=True)


def _readable(paths: Iterable[Path]) -> Iterator[Whole]:
    for path in paths:
        with contextlib.suppress(NoSuchFolder, BackupDamaged):
            yield at(path)


def newest(home: Path) -> Whole:
    """Return the newest whole backup of a folder; raise `NoSuchFolder`."""
    found = listing(home)
    if not found:
        raise NoSuchFolder(field="backup", value=home)
    return found[0]
