"""When a job is due, when it is late, when a failed run is tried again. Schedules are in UTC."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from croniter import croniter

GRACE = timedelta(minutes=5)
"""How long after its due instant a run that has not begun counts as missed."""

LONGEST_WAIT = timedelta(hours=1)

KEPT = timedelta(days=30)
"""How long runs are kept."""

KEPT_OF_FREQUENT = timedelta(days=2)
"""How long runs of a job due more than once an hour are kept, where they went well."""

SECOND = timedelta(seconds=1)


def last_due(cron: str, now: datetime) -> datetime:
    """Return the newest due instant that is not after `now`."""
    found: datetime = croniter(cron, now.replace(microsecond=0) + SECOND).get_prev(datetime)
    return found


def next_due(cron: str, after: datetime) -> datetime:
    """Return the first due instant after an instant."""
    found: datetime = croniter(cron, after).get_next(datetime)
    return found


def newest_due(cron: str, since: datetime, now: datetime, *, most: int) -> list[datetime]:
    """Return the newest due instants after `since` and up to `now`, at most so many, the oldest of them first."""
    return list(reversed([at for at, _ in zip(_backwards(cron, now), range(most), strict=False) if at > since]))


def is_frequent(cron: str, now: datetime) -> bool:
    """Say whether a job is due more than once an hour."""
    first = next_due(cron, now)
    return next_due(cron, first) - first < timedelta(hours=1)


def wait(tries: int) -> timedelta:
    """Return how long after the n-th failed try of the same due instant the next one comes (n from 1)."""
    return min(timedelta(minutes=2 ** min(tries - 1, 10)), LONGEST_WAIT)


def _backwards(cron: str, now: datetime) -> Iterator[datetime]:
    due = croniter(cron, now.replace(microsecond=0) + SECOND)
    while True:
        yield due.get_prev(datetime)
