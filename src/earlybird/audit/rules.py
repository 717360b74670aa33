"""What a seal covers, and what can be wrong with it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from earlybird.kernel.clock import aware

BEGINNING = bytes(32)
"""What the first seal is chained to."""

LATE = timedelta(hours=1)
"""How long before the seal before its own an entry may say it was written: a command takes its time at its start."""

MOST_TOLD = 100
"""The most faults that are told one by one; the others are counted."""


class Fault(StrEnum):
    """What a verification can find."""

    edited = "edited"
    deleted = "deleted"
    inserted = "inserted"
    swapped = "swapped"
    truncated = "truncated"
    chain_broken = "chain_broken"
    not_signed = "not_signed"
    late = "late"
    checkpoint_differs = "checkpoint_differs"
    checkpoint_damaged = "checkpoint_damaged"
    checkpoint_missing = "checkpoint_missing"


@dataclass(frozen=True, slots=True)
class Broken:
    """One fault: where (the seal, the place in the chain, the entry) and in words."""

    fault: Fault
    sentence: str
    seal: int | None = None
    position: int | None = None
    audit_id: UUID | None = None

    def as_facts(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "fault": str(self.fault),
            "seal": self.seal,
            "position": self.position,
            "audit_id": self.audit_id,
            "sentence": self.sentence,
        }


@dataclass(slots=True)
class Verdict:
    """What a verification found: the faults in the order of the chain, and how much it looked at."""

    seals: int = 0
    rows: int = 0
    unsealed: int = 0
    erased: int = 0
    count: int = 0
    checkpoint: int | None = None
    broken: list[Broken] = field(default_factory=list)

    def tell(self, *found: Broken) -> None:
        """Add faults; only the first hundred are kept, all are counted."""
        self.count += len(found)
        self.broken.extend(found[: MOST_TOLD - len(self.broken)])

    @property
    def first(self) -> Broken | None:
        """The fault that comes first in the chain."""
        return min(self.broken, key=_place, default=None)

    def ordered(self) -> list[Broken]:
        """Return the faults as they come in the chain; what has no place there comes last."""
        return sorted(self.broken, key=_place)


def _place(broken: Broken) -> tuple[float, float]:
    far = float("inf")
    return (far if broken.seal is None else broken.seal, far if broken.position is None else broken.position)


def instant(at: datetime) -> str:
    """Return an instant as seals write it: UTC, six digits of a second."""
    return aware(at).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def seal_digest(
    previous: bytes, seal_no: int, *, sealed_at: datetime, made_at: datetime, last_position: int, rows: bytes
) -> bytes:
    """Return the SHA-256 of a seal: over the digest before it, its own facts and its rows' digests, as ASCII lines.

    `rows` is the SHA-256 of the row digests (32 bytes each) in the order of their positions.
    """
    facts = f"{previous.hex()}\n{seal_no}\n{instant(sealed_at)}\n{instant(made_at)}\n{last_position}\n{rows.hex()}\n"
    return hashlib.sha256(facts.encode()).digest()


def mark(key: bytes, position: int, digest: bytes) -> bytes:
    """Return the mark of a sealed row: 16 bytes that only the holder of the seal's mark key can make."""
    return hashlib.sha256(key + position.to_bytes(8, "big", signed=True) + digest).digest()[:16]
