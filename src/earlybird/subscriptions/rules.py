"""How much of a standing order is due on a date and shift: the first rule that hits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from earlybird.subscriptions.states import Pattern, Rule, StandingShift, SubscriptionState
from earlybird.territory.states import Shift

NONE = Decimal(0)


@dataclass(frozen=True, slots=True)
class Version:
    """What is wanted, as the version in force on the date says it. Weekdays: 0 = Monday."""

    pattern: Pattern
    quantity: Decimal
    shift: StandingShift
    weekdays: Sequence[int] = ()
    every_n: int | None = None
    until_on: date | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """What was said about one date; None leaves the quantity, or the shift, as it is."""

    quantity: Decimal | None = None
    shift: Shift | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """Everything about a standing order and its customer that decides one date.

    `pauses` are (first, last) days, both included, without the cancelled ones; last None is open.
    `customer_gone_from` is the first day a paused, stopped or archived customer receives nothing:
    `date.min` where nobody noted it, None for a customer who receives.
    """

    state: SubscriptionState
    starts_on: date
    stops_on: date | None = None
    customer_gone_from: date | None = None
    pauses: Sequence[tuple[date, date | None]] = ()
    irregular: Entry | None = None
    override: Entry | None = None
    version: Version | None = None


def quantity(standing: Standing, day: date, shift: Shift) -> tuple[Decimal, Decimal, Rule]:
    """Return what is due, what the pattern alone would give, and the rule that decided.

    Quantities are in the product's unit. A stopped order keeps its days before `stops_on`: changing
    a standing order never changes the past.
    """
    version = standing.version
    barrier = _barrier(standing, day)
    if barrier is not None or version is None:
        return NONE, NONE, barrier or Rule.outside
    base, rule = _usual(version, standing.starts_on, day)
    due = base
    for entry, kind in ((standing.irregular, Rule.irregular), (standing.override, Rule.override)):
        if entry is not None and entry.quantity is not None:
            due, rule = entry.quantity, kind
            break
    if shift not in _shifts(standing, version):
        return NONE, NONE, Rule.nothing
    return due, base, rule


def _barrier(standing: Standing, day: date) -> Rule | None:
    """Name the rule that leaves nothing due, whatever the pattern and the entries of the date say."""
    if standing.state is SubscriptionState.draft:
        return Rule.not_active
    if standing.state is SubscriptionState.stopped and standing.stops_on is None:
        return Rule.not_active
    if day < standing.starts_on or (standing.stops_on is not None and day >= standing.stops_on):
        return Rule.outside
    if standing.customer_gone_from is not None and day >= standing.customer_gone_from:
        return Rule.customer
    if any(first <= day and (last is None or day <= last) for first, last in standing.pauses):
        return Rule.paused
    return None


def _usual(version: Version, starts_on: date, day: date) -> tuple[Decimal, Rule]:
    """Return what the pattern gives for the day; a one-time order without an end is due on no day."""
    match version.pattern:
        case Pattern.weekly:
            hit = day.weekday() in version.weekdays
        case Pattern.one_time:
            hit = version.until_on is not None and day <= version.until_on
        case Pattern.every_nth:
            hit = version.every_n is not None and (day - starts_on).days % version.every_n == 0
        case Pattern.daily:
            hit = True
        case Pattern.irregular:
            hit = False
    return (version.quantity, Rule(version.pattern)) if hit else (NONE, Rule.nothing)


def _shifts(standing: Standing, version: Version) -> tuple[Shift, ...]:
    """Return the shifts of the date: an entry's own shift first, then the version's."""
    for entry in (standing.irregular, standing.override):
        if entry is not None and entry.shift is not None:
            return (entry.shift,)
    if version.shift is StandingShift.both:
        return tuple(Shift)
    return (Shift(version.shift),)
