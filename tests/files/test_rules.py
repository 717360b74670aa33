"""When and where a picture was taken, and how long a link lives, from values alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from earlybird.files import rules

SAID = datetime(2026, 1, 16, 1, 5, tzinfo=UTC)
CAMERA = {"taken": "2026:01:16 06:30:00"}
GPS = {"gps_day": "2026:01:16", "gps_time": "01:00:12"}


@pytest.mark.parametrize(
    ("exif", "said", "expected"),
    [
        ({**CAMERA, **GPS, "offset": "+05:30"}, SAID, ("2026-01-16T01:00:00+00:00", "camera")),
        ({**CAMERA, **GPS}, SAID, ("2026-01-16T01:00:12+00:00", "gps")),
        (CAMERA, SAID, ("2026-01-16T01:00:00+00:00", "camera")),  # in the zone of the site
        ({**CAMERA, "offset": "+99:99"}, SAID, ("2026-01-16T01:00:00+00:00", "camera")),
        ({"taken": "2026:13:45 99:00:00"}, SAID, ("2026-01-16T01:05:00+00:00", "device")),
        ({"taken": "1970:01:01 00:00:00"}, SAID, ("2026-01-16T01:05:00+00:00", "device")),
        ({"taken": "9999:12:31 23:59:59", "offset": "-14:00"}, None, (None, None)),
        ({"taken": "0001:01:01 00:00:00", "offset": "+14:00"}, None, (None, None)),
        ({"taken": "<script>"}, None, (None, None)),
        ({}, None, (None, None)),
    ],
)
def test_whose_clock_counts(exif: dict[str, Any], said: datetime | None, expected: tuple[Any, Any]) -> None:
    at, by = rules.taken(exif, said, "Asia/Kolkata")
    assert (at.isoformat() if at else None, by) == expected


def test_the_camera_knows_better_than_the_device_where_it_was() -> None:
    exif, said = {"latitude": 12.9, "longitude": 77.5}, {"lat": 1.0, "lon": 2.0}
    assert rules.place(exif, said) == {"lat": 12.9, "lon": 77.5, "by": "camera"}
    assert rules.place({}, said) == {"lat": 1.0, "lon": 2.0, "by": "device"}
    assert rules.place({}, None) is None


def test_a_link_lives_ten_to_fifteen_minutes_and_stays_the_same_for_a_while() -> None:
    now = datetime(2026, 1, 16, 6, 0, 1, tzinfo=UTC)
    ends = [rules.link_ends(now + timedelta(seconds=second)) for second in range(299)]
    assert len(set(ends)) == 1
    assert timedelta(minutes=10) <= rules.ends_at(ends[0]) - now <= timedelta(minutes=15)
