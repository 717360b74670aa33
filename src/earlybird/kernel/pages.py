"""A page of a list and the cursor to the next one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

T = TypeVar("T")

LIMIT = 200
"""The most rows a page may hold."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Rows, newest first, and the id to go on after (None at the end)."""

    items: Sequence[T]
    next: UUID | None
