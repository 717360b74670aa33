"""Time: aware instants, business days in the depot's zone, cut-offs. Nothing here asks the clock."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from earlybird.kernel.errors import Invalid


def aware(instant: datetime) -> datetime:
    """Return `instant` in UTC; a naive one is refused."""
    if instant.tzinfo is None:
        raise Invalid("An instant needs its offset from UTC.", value=instant.isoformat())
    return instant.astimezone(UTC)


def business_day(instant: datetime, zone: str) -> date:
    """Return the calendar date that `instant` falls on in `zone`."""
    return aware(instant).astimezone(ZoneInfo(zone)).date()


def at_local(day: date, clock: time, zone: str) -> datetime:
    """Return the UTC instant of a wall-clock time on a business day in `zone`."""
    return datetime.combine(day, clock, ZoneInfo(zone)).astimezone(UTC)


def cutoff_at(service_on: date, cutoff: time, days_before: int, zone: str) -> datetime:
    """Return the last instant at which `service_on` may still be changed."""
    return at_local(service_on - timedelta(days=days_before), cutoff, zone)


def days(first: date, last: date) -> Iterator[date]:
    """Yield each day from `first` to `last`, both included."""
    for n in range((last - first).days + 1):
        yield first + timedelta(days=n)


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month, written `2026-01`."""

    year: int
    month: int

    @classmethod
    def parse(cls, text: str) -> Month:
        """Read `YYYY-MM`; anything else is refused."""
        try:
            first = date.fromisoformat(text + "-01")
        except ValueError:
            raise Invalid("A month is written YYYY-MM.", field="month", value=text) from None
        return cls(first.year, first.month)

    @classmethod
    def of(cls, day: date) -> Month:
        """Return the month that `day` lies in."""
        return cls(day.year, day.month)

    @property
    def first(self) -> date:
        """The first day."""
        return date(self.year, self.month, 1)

    @property
    def last(self) -> date:
        """The last day."""
        return date(self.year, self.month, monthrange(self.year, self.month)[1])

    def next(self) -> Month:
        """Return the month after this one."""
        return Month.of(self.last + timedelta(days=1))

    def __str__(self) -> str:
        """Return `YYYY-MM`."""
        return f"{self.year:04d}-{self.month:02d}"
