"""Password hashes: Argon2id made, Argon2id, bcrypt and (once) SHA-256 read; few at a time, no connection held.

A hash takes a tenth of a second and 64 MiB by intention, so nobody calls this inside a transaction.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import bcrypt
from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from earlybird.infra.settings import Settings
from earlybird.kernel.errors import Unavailable

T = TypeVar("T")

WAITING = 200
"""How many may wait for their hash; more are told to come back."""

BCRYPT_BYTES = 72
SHA256 = "sha256$"


class TooManyAtOnce(Unavailable):
    """Too many people are signing in at this moment; try again in a few seconds."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a password fits, and the better hash to keep instead of an old one."""

    fits: bool
    better: str | None = None


@dataclass(frozen=True, slots=True)
class Hasher:
    """Argon2id (RFC 9106) with the memory (KiB) and rounds of the settings."""

    memory_kib: int = 65536
    rounds: int = 3
    at_once: int = field(default_factory=lambda: max(os.cpu_count() or 1, 1))
    _argon: PasswordHasher = field(init=False, repr=False)
    _decoy: str = field(init=False, repr=False)
    _threads: ThreadPoolExecutor = field(init=False, repr=False)
    _room: threading.Semaphore = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Prepare the hasher, and a hash nobody's password fits, for those whom nobody knows."""
        argon = PasswordHasher(time_cost=self.rounds, memory_cost=self.memory_kib, parallelism=1)
        object.__setattr__(self, "_argon", argon)
        object.__setattr__(self, "_decoy", _decoy(self.memory_kib, self.rounds))
        object.__setattr__(self, "_threads", ThreadPoolExecutor(self.at_once, "hashing"))
        object.__setattr__(self, "_room", threading.Semaphore(self.at_once + WAITING))

    @classmethod
    def read(cls, settings: Settings) -> Hasher:
        """Return the hasher that the settings ask for."""
        return cls(memory_kib=settings.password_memory_kib, rounds=settings.password_rounds)

    def hash(self, password: str) -> str:
        """Return the Argon2id hash of a password in normal form."""
        return self._argon.hash(password)

    def check(self, password: str, kept: str | None, *, typed: str) -> Verdict:
        """Say whether a password fits a kept hash: ours in its normal form, an old one as it was `typed`.

        Without a hash the same work is done in vain.
        """
        if kept is None or not kept.startswith("$argon2"):
            if not _fits_old(typed, kept):
                self._fits(password, self._decoy)
                return Verdict(fits=False)
            return Verdict(fits=True, better=self.hash(password))
        if not self._fits(password, kept):
            return Verdict(fits=False)
        return Verdict(fits=True, better=self.hash(password) if self._argon.check_needs_rehash(kept) else None)

    async def beside(self, work: Callable[[], T]) -> T:
        """Do hashing work in a thread, few at a time; refuse when too many wait already."""
        if not self._room.acquire(blocking=False):
            raise TooManyAtOnce
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._room.release()

    def _fits(self, password: str, kept: str) -> bool:
        try:
            return self._argon.verify(kept, password)
        except (Argon2Error, InvalidHashError):
            return False


def _decoy(memory_kib: int, rounds: int) -> str:
    salt, digest = (base64.b64encode(os.urandom(size)).rstrip(b"=").decode() for size in (16, 32))
    return f"$argon2id$v=19$m={memory_kib},t={rounds},p=1${salt}${digest}"


def _fits_old(password: str, kept: str | None) -> bool:
    """Say whether a password fits a hash that the old system made."""
    if kept is None:
        return False
    if kept.startswith("$2"):
        try:
            return bcrypt.checkpw(password.encode()[:BCRYPT_BYTES], kept.encode())
        except ValueError:
            return False
    if kept.startswith(SHA256):
        return hmac.compare_digest(hashlib.sha256(password.encode()).hexdigest(), kept.removeprefix(SHA256))
    return False
