"""Which backups are kept: the newest of each of the last days, weeks and months that have one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Retention:
    """How many days, weeks and months keep their newest backup; those without one do not count."""

    daily: int
    weekly: int
    monthly: int


def kept(made: Sequence[datetime], rule: Retention) -> set[datetime]:
    """Return which of these instants (UTC) are kept; the newest always is."""
    newest_first = sorted(made, reverse=True)
    found = set(newest_first[:1])
    spans: tuple[tuple[int, Callable[[datetime], object]], ...] = (
        (rule.daily, lambda at: at.date()),
        (rule.weekly, lambda at: at.isocalendar()[:2]),
        (rule.monthly, lambda at: (at.year, at.month)),
    )
    for most, span in spans:
        newest: dict[object, datetime] = {}
        for at in newest_first:
            newest.setdefault(span(at), at)
        found.update(list(newest.values())[:most])
    return found
