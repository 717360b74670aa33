"""Lists inside a document: pauses, dated quantities, weekdays, customers' own prices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from earlybird.importers.earlybird.reading.fields import Json, Problem, is_missing
from earlybird.importers.earlybird.reading.numbers import read_number, read_price, read_quantity
from earlybird.importers.earlybird.reading.times import read_date

SUNDAY: Final = 6


@dataclass(frozen=True, slots=True)
class Pause:
    """Days without delivery, both ends included; `end` None = for ever.

    `wrong_shape`: the legacy engine cannot read it (it crashes the bill and is ignored in the legacy figure).
    """

    start: date | None
    end: date | None
    wrong_shape: bool = False

    def turned(self) -> Pause:
        """Return the pause as meant: a reversed one with its ends exchanged (the evidence reading)."""
        if self.start is not None and self.end is not None and self.end < self.start:
            return Pause(self.end, self.start, self.wrong_shape)
        return self

    def covers(self, day: date) -> bool:
        """Return True when the day lies in the pause as written (a reversed pause covers nothing)."""
        return (self.start is None or self.start <= day) and (self.end is None or day <= self.end)


def _entries(value: Json, field: str) -> tuple[Sequence[Json], list[Problem]]:
    if is_missing(value) or value == "":
        return (), []
    if isinstance(value, dict):
        return [value], []
    return (value, []) if isinstance(value, list) else ((), [Problem(field, "list", value)])


def read_pauses(body: Mapping[str, Json]) -> tuple[list[Pause], list[Problem]]:
    """Pauses of a subscription in every shape.

    `pause_intervals` with start/end or start_date/end_date (camelCase too), end missing, null or
    '' = for ever; `pause_dates`, one day each; `pause_start`/`pause_end`; legacy `pauses`. An
    interval without a readable start is dropped; one with an unreadable end too: both reported.
    """
    pauses: list[Pause] = []
    problems: list[Problem] = []
    for name in ("pause_intervals", "pauseIntervals", "pauses"):
        entries, wrong = _entries(body.get(name), name)
        problems += wrong
        for entry in entries:
            _read_pause(entry, name, pauses, problems)
    entries, wrong = _entries(body.get("pause_dates"), "pause_dates")
    problems += wrong
    for entry in entries:
        day, bad = read_date(entry, "pause_dates")
        if day is not None:
            pauses.append(Pause(day, day, wrong_shape=True))
        elif bad:
            problems.append(bad)
    if not is_missing(body.get("pause_start")) and body.get("pause_start") != "":
        entry = {"start_date": body.get("pause_start"), "end_date": body.get("pause_end")}
        _read_pause(entry, "pause_start", pauses, problems)
    return pauses, problems


def _read_pause(entry: Json, name: str, pauses: list[Pause], problems: list[Problem]) -> None:
    if not isinstance(entry, dict):
        problems.append(Problem(name, "pause", entry))
        return
    wrong = "start" not in entry
    start, bad = read_date(_first(entry, "start", "start_date", "startDate"), f"{name}.start")
    if start is None:
        problems.append(bad or Problem(name, "pause.start", entry))
        return
    last = _first(entry, "end", "end_date", "endDate")
    end, bad = (None, None) if last == "" else read_date(last, f"{name}.end")
    if bad:
        problems.append(bad)
        return
    if end is not None and end < start:
        problems.append(Problem(name, "pause.reversed", entry))
    pauses.append(Pause(start, end, wrong))


def _first(entry: Mapping[str, Json], *names: str) -> Json:
    """Return the first of the names that holds something; '' only when nothing better is there."""
    for name in names:
        if not is_missing(entry.get(name)) and entry.get(name) != "":
            return entry[name]
    return None


def read_dated_quantities(value: Json, field: str) -> tuple[dict[date, Decimal], list[Problem]]:
    """Read `[{date, quantity}]` (day overrides, irregular lists) as day → quantity; a day's first entry wins.

    Quantities as found: zero and negative are kept.
    """
    found: dict[date, Decimal] = {}
    entries, problems = _entries(value, field)
    for entry in entries:
        if not isinstance(entry, dict):
            problems.append(Problem(field, "entry", entry))
            continue
        day, bad_day = read_date(entry.get("date"), f"{field}.date")
        quantity, bad_quantity = read_quantity(entry.get("quantity"), f"{field}.quantity")
        if day is None or quantity is None:
            problems.append(bad_day or bad_quantity or Problem(field, "entry", entry))
            continue
        if day in found:
            if found[day] != quantity:
                problems.append(Problem(field, "entry.twice", entry))
            continue
        found[day] = quantity
    return found, problems


def read_overrides(body: Mapping[str, Json]) -> tuple[dict[date, Decimal], list[Problem]]:
    """`day_overrides` and `dayOverrides` together; snake_case wins on the same day."""
    snake, problems = read_dated_quantities(body.get("day_overrides"), "day_overrides")
    camel, more = read_dated_quantities(body.get("dayOverrides"), "dayOverrides")
    return {**camel, **snake}, problems + more


def read_weekdays(value: Json, field: str) -> tuple[frozenset[int], list[Problem]]:
    """Weekly pattern as weekdays, 0 = Monday … 6 = Sunday."""
    entries, problems = _entries(value, field)
    days: set[int] = set()
    for entry in entries:
        number, _ = read_number(entry, field)
        if number is not None and number == int(number) and 0 <= number <= SUNDAY:
            days.add(int(number))
        else:
            problems.append(Problem(field, "weekday", entry))
    return frozenset(days), problems


def read_custom_prices(value: Json) -> dict[str, Decimal]:
    """`custom_product_prices` as product → rupees; only numbers above zero count."""
    if not isinstance(value, dict):
        return {}
    prices = ((name, read_price(price)) for name, price in value.items())
    return {name: price for name, price in prices if price is not None}
