"""When jobs are due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from earlybird.jobs import rules

NOW = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cron", "now", "last", "following"),
    [
        ("* * * * *", "2026-01-15T12:00:00", "2026-01-15T12:00:00", "2026-01-15T12:01:00"),
        ("* * * * *", "2026-01-15T12:00:59.999999", "2026-01-15T12:00:00", "2026-01-15T12:01:00"),
        ("* * * * * */10", "2026-01-15T12:00:19.5", "2026-01-15T12:00:10", "2026-01-15T12:00:20"),
        ("15 21 2 * *", "2026-01-01T00:00:00", "2025-12-02T21:15:00", "2026-01-02T21:15:00"),
        ("0 3 29 2 *", "2027-01-01T00:00:00", "2024-02-29T03:00:00", "2028-02-29T03:00:00"),
    ],
)
def test_the_due_instants_around_now(cron: str, now: str, last: str, following: str) -> None:
    at = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert rules.newest_due(cron, at - timedelta(days=9999), at, most=1) == [datetime.fromisoformat(last + "+00:00")]
    assert rules.next_due(cron, at) == datetime.fromisoformat(following + "+00:00")


def test_of_many_missed_instants_the_newest_are_kept_the_oldest_of_them_first() -> None:
    found = rules.newest_due("0 * * * *", NOW - timedelta(hours=5), NOW, most=3)
    assert [at.hour for at in found] == [10, 11, 12]
    assert [at.hour for at in rules.newest_due("0 * * * *", NOW - timedelta(hours=2), NOW, most=9)] == [11, 12]
    assert rules.newest_due("0 * * * *", NOW, NOW + timedelta(minutes=59), most=9) == []


def test_a_failed_run_is_tried_ever_later_but_within_the_hour() -> None:
    waits = [rules.wait(n) for n in range(1, 40)]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (timedelta(minutes=1), timedelta(hours=1))
