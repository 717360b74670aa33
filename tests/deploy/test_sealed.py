"""What is sealed comes back to the byte, and nothing that was changed in it goes unseen; which backups are kept."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earlybird.deploy import sealed
from earlybird.deploy.errors import BackupDamaged
from earlybird.deploy.retention import Retention, kept

KEY = bytes(range(32))


def cut(body: bytes, size: int) -> Iterator[bytes]:
    yield from (body[start : start + size] for start in range(0, len(body), size))


def seal(body: bytes, size: int = 100_000) -> bytes:
    sink = io.BytesIO()
    sealer = sealed.Sealer(sink, KEY)
    for piece in cut(body, size):
        sealer.write(piece)
    sealer.finish()
    return sink.getvalue()


def opened(body: bytes, size: int = 100_000) -> bytes:
    return b"".join(sealed.opened(cut(body, size), KEY))


@pytest.mark.parametrize("size", [0, 1, sealed.PIECE - 1, sealed.PIECE, sealed.PIECE + 1, 2 * sealed.PIECE])
def test_what_is_sealed_comes_back_whatever_its_length(size: int) -> None:
    body = bytes(n % 251 for n in range(1000)) * (size // 1000 + 1)
    body = body[:size]
    closed = seal(body, 77_777)
    assert opened(closed, 33_333) == body
    assert size < 100 or body[:64] not in closed


LONG = seal(b"milk" * (sealed.PIECE // 2))  # two whole pieces


@given(st.integers(0, len(LONG) - 1), st.sampled_from(["flip", "cut", "drop a piece", "swap", "twice"]))
def test_nothing_changed_moved_or_cut_off_goes_unseen(at: int, how: str) -> None:
    whole = sealed.PIECE + sealed.TAG
    one, two = LONG[:whole], LONG[whole:]
    body = {
        "flip": LONG[:at] + bytes([LONG[at] ^ 1]) + LONG[at + 1 :],
        "cut": LONG[:at],
        "drop a piece": one if at % 2 else two,
        "swap": two + one,
        "twice": LONG + two,
    }[how]
    with pytest.raises(BackupDamaged):
        opened(body, 2**20)


def test_the_newest_of_each_day_week_and_month_is_kept() -> None:
    now = datetime(2026, 1, 15, 20, tzinfo=UTC)
    made = [now - timedelta(hours=12 * n) for n in range(2 * 400)]
    found = sorted(kept(made, Retention(3, 2, 4)), reverse=True)
    assert [f"{at:%m-%d %H}" for at in found] == [
        "01-15 20", "01-14 20", "01-13 20",  # three days
        "01-11 20",  # the Sunday before is the newest of the second week
        "12-31 20", "11-30 20", "10-31 20",  # and three months before this one
    ]  # fmt: skip


@given(
    st.lists(st.datetimes(timezones=st.just(UTC)), max_size=30), st.integers(0, 5), st.integers(0, 5), st.integers(0, 5)
)
def test_the_newest_is_always_kept_and_none_is_made_up(made: list[datetime], d: int, w: int, m: int) -> None:
    found = kept(made, Retention(d, w, m))
    assert found <= set(made)
    assert not made or max(made) in found
    assert len(found) <= 1 + d + w + m
