"""Identifiers: UUIDv7 keys for machines, short codes for people."""

from __future__ import annotations

import os
import threading
import time
from uuid import UUID

ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""No 0/O and no 1/I: a code survives a telephone call."""


_turn = threading.Lock()
_last = [0]


def new_id() -> UUID:
    """Return a UUIDv7 (RFC 9562, method 3): milliseconds and their 4096th parts, then 62 random bits.

    Within a process later ids are greater, so rows keep the order in which they were made.
    """
    with _turn:
        _last[0] = stamp = max(time.time_ns() * 4096 // 1_000_000, _last[0] + 1)
    value = (stamp >> 12 & 0xFFFF_FFFF_FFFF) << 80
    value |= 0x7 << 76 | (stamp & 0xFFF) << 64
    value |= 0b10 << 62 | int.from_bytes(os.urandom(8), "big") >> 2
    return UUID(int=value)


def new_ids(count: int) -> list[UUID]:
    """Return so many new ids in rising order: rows made at once keep the order in which they were told."""
    return [new_id() for _ in range(count)]


def code(prefix: str, key: UUID, length: int = 8) -> str:
    """Return the short code people see for `key`, as `EB-7Q4K2M9P`: the last 5 × `length` bits."""
    value = key.int
    letters = []
    for _ in range(length):
        letters.append(ALPHABET[value & 31])
        value >>= 5
    return f"{prefix}-{''.join(letters)}"
