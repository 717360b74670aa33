"""What the proof's templates are given: rows chosen and sorted, a chart's geometry, words and money."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime
from babel.numbers import format_compact_currency, format_currency, format_decimal

from earlybird.kernel.clock import Month
from earlybird.kernel.money import scale
from earlybird.reconcile.queries import CustomerMonth

LOCALE = "en_IN"
PAGE_ROWS = 50

SORTS = {
    "lost": lambda row: (-row.lost_minor, -row.over_minor, row.month, row.name),
    "over": lambda row: (-row.over_minor, -row.lost_minor, row.month, row.name),
    "delivered": lambda row: (-row.delivered_minor, row.month, row.name),
    "billed": lambda row: (-row.asked_minor, row.month, row.name),
    "month": lambda row: (row.month, -row.lost_minor, row.name),
    "customer": lambda row: (row.name, row.code, row.month),
}
"""How the table may be ordered, by the word in its address."""


def money(minor: int | None, currency: str) -> str:
    """Write an amount as people in India do: ₹1,23,456.50."""
    if minor is None:
        return "–"
    unit = scale(currency)
    return str(format_currency(Decimal(minor) / unit, currency, format="¤#,##,##0.00", locale=LOCALE))


def short_money(minor: int, currency: str) -> str:
    """Write an amount for an axis: ₹1.2L."""
    return str(format_compact_currency(Decimal(minor) / scale(currency), currency, locale=LOCALE, fraction_digits=1))


def quantity(amount: Decimal | None) -> str:
    """Write a quantity without trailing zeros."""
    return "–" if amount is None else str(format_decimal(amount, locale=LOCALE))


def rate(amount: Decimal | None, currency: str) -> str:
    """Write a unit price to its last digit: ₹90.3333."""
    if amount is None:
        return "–"
    return str(format_currency(amount, currency, format="¤#,##,##0.00##", locale=LOCALE, currency_digits=False))


def day(when: date | None) -> str:
    """Write a business date: Sat, 20 Dec 2025."""
    return "–" if when is None else str(format_date(when, "EEE, d MMM y", locale=LOCALE))


def instant(when: datetime | None, zone: str | None) -> str:
    """Write an instant on the clock of the business, to the second."""
    if when is None:
        return "–"
    return str(format_datetime(when.astimezone(ZoneInfo(zone or "UTC")), "d MMM y, HH:mm:ss", locale=LOCALE))


def month_name(month: str) -> str:
    """Write a month: December 2025."""
    return str(format_date(Month.parse(month).first, "MMMM y", locale=LOCALE))


@dataclass(frozen=True, slots=True)
class Sum:
    """Amounts of many customers' months in one currency."""

    label: str
    currency: str
    delivered_minor: int
    asked_minor: int
    waived_minor: int
    not_yet_due_minor: int
    lost_minor: int
    over_minor: int
    lost_count: int
    over_count: int
    legacy_lost_minor: int


def add_up(rows: Iterable[CustomerMonth], label: str = "") -> list[Sum]:
    """Sum rows to one per currency, the largest first."""
    by_currency: dict[str, list[CustomerMonth]] = {}
    for row in rows:
        by_currency.setdefault(row.currency, []).append(row)
    sums = [
        Sum(
            label=label,
            currency=currency,
            delivered_minor=sum(row.delivered_minor for row in found),
            asked_minor=sum(row.asked_minor for row in found),
            waived_minor=sum(row.waived_minor for row in found),
            not_yet_due_minor=sum(row.not_yet_due_minor for row in found),
            lost_minor=sum(row.lost_minor for row in found),
            over_minor=sum(row.over_minor for row in found),
            lost_count=sum(1 for row in found if row.lost_minor),
            over_count=sum(1 for row in found if row.over_minor),
            legacy_lost_minor=sum(row.lost_minor for row in found if row.is_legacy),
        )
        for currency, found in by_currency.items()
    ]
    return sorted(sums, key=lambda found: -found.delivered_minor)


def choose(rows: Sequence[CustomerMonth], *, month: str, search: str, sort: str) -> list[CustomerMonth]:
    """Return the rows of a month (all where empty) whose name or code holds `search`, in the order `sort`."""
    wanted = search.strip().casefold()
    found = [
        row
        for row in rows
        if (not month or row.month == month)
        and (not wanted or wanted in row.name.casefold() or wanted in row.code.casefold())
    ]
    return sorted(found, key=SORTS.get(sort, SORTS["lost"]))


@dataclass(frozen=True, slots=True)
class Bar:
    """One part of a month's column, in the chart's own units."""

    kind: str
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Column:
    """One month: its parts from the bottom, its place and its words."""

    month: str
    x: float
    bars: Sequence[Bar]
    sum: Sum


CHART_HEIGHT, CHART_TOP, COLUMN = 200, 12, 68


def chart(rows: Sequence[CustomerMonth], currency: str) -> tuple[list[Column], list[tuple[float, str]]]:
    """Return the last twelve months as columns, and the lines of the scale (height, amount)."""
    months = sorted({row.month for row in rows if row.currency == currency})[-12:]
    sums = [add_up((r for r in rows if r.month == m and r.currency == currency), m)[0] for m in months]
    top = _round_up(max((s.delivered_minor + s.over_minor for s in sums), default=1))
    columns = []
    for place, found in enumerate(sums):
        bars = []
        level = float(CHART_TOP + CHART_HEIGHT)
        for kind, minor in (
            ("billed", found.asked_minor + found.waived_minor - found.over_minor),
            ("waiting", found.not_yet_due_minor),
            ("lost", found.lost_minor),
            ("over", found.over_minor),
        ):
            height = max(minor, 0) / top * CHART_HEIGHT
            if minor > 0:
                level -= max(height, 2.0)
                bars.append(Bar(kind, round(level, 2), round(max(height, 2.0), 2)))
        columns.append(Column(found.label, 64 + place * COLUMN, bars, found))
    lines = [
        (round(CHART_TOP + CHART_HEIGHT * (1 - part / 4), 2), short_money(top * part // 4, currency))
        for part in range(5)
    ]
    return columns, lines


def _round_up(minor: int) -> int:
    step: int = 10 ** max(len(str(max(minor, 1))) - 2, 0)
    return max(-(-minor // (4 * step)) * 4 * step, 4)
