"""Identifiers: UUIDv7 keys for machines, short codes for people."""

from __future__ import annotations

import os
import time
from uuid import UUID

ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""No 0/O and no 1/I: a code survives a telephone call."""


def new_id() -> UUID:
    """Return a UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, then 74 random bits."""
    stamp = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big")
    value = (stamp & 0xFFFF_FFFF_FFFF) << 80
    value |= 0x7 << 76 | (random >> 62 & 0xFFF) << 64
    value |= 0b10 << 62 | random & 0x3FFF_FFFF_FFFF_FFFF
    return UUID(int=value)


def new_ids(count: int) -> list[UUID]:
    """Return so many new ids in rising order: rows made at once keep the order in which they were told."""
    return sorted(new_id() for _ in range(count))


def code(prefix: str, key: UUID, length: int = 8) -> str:
    """Return the short code people see for `key`, as `EB-7Q4K2M9P`: the last 5 × `length` bits."""
    value = key.int
    letters = []
    for _ in range(length):
        letters.append(ALPHABET[value & 31])
        value >>= 5
    return f"{prefix}-{''.join(letters)}"
