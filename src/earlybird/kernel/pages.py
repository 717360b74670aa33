"""A page of a list and the cursor to the next one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

T = TypeVar("T")

LIMIT = 200
"""The most rows a page may hold."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Rows, newest first, and the id to go on after (None at the end)."""

    items: Sequence[T]
    next: UUID | None


def cut(found: Sequence[Mapping[str, Any]], limit: int) -> Page[Mapping[str, Any]]:
    """Return the first `limit` rows as a page; that more were found says that there is a next one."""
    items = found[:limit]
    return Page(items, items[-1]["id"] if len(found) > limit else None)
