"""How much of a standing order is due on a date and shift: the first rule that hits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from earlybird.subscriptions.states import Pattern, Rule, StandingShift, SubscriptionState
from earlybird.territory.states import Shift

NONE = Decimal(0)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


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
    if shift not in shifts(standing):
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


def shifts(standing: Standing) -> tuple[Shift, ...]:
    """Return the shifts of the date: an entry's own shift first, then the version's; none without a version."""
    if standing.version is None:
        return ()
    for entry in (standing.irregular, standing.override):
        if entry is not None and entry.shift is not None:
            return (entry.shift,)
    if standing.version.shift is StandingShift.both:
        return tuple(Shift)
    return (Shift(standing.version.shift),)


def concerned(*shifts: str | None) -> tuple[Shift, ...]:
    """Return the shifts whose cut-off binds a change of a day for which these are, or are to be, the shifts."""
    return tuple(s for s in Shift if any(shift in (s, StandingShift.both) for shift in shifts))


def runs(state: SubscriptionState, starts_on: date, stops_on: date | None, day: date) -> bool:
    """Return whether the standing order exists on the day, so that it may be changed for it."""
    if state is SubscriptionState.draft or (state is SubscriptionState.stopped and stops_on is None):
        return False
    return starts_on <= day and (stops_on is None or day < stops_on)


def why(standing: Standing, day: date, rule: Rule) -> str:
    """Say in a sentence why that much, or nothing, is due on the day; `rule` is what `quantity` gave."""
    if rule is Rule.outside:
        return _why_outside(standing, day)
    if rule is Rule.paused:
        first, last = next(p for p in standing.pauses if p[0] <= day and (p[1] is None or day <= p[1]))
        return f"Paused from {first} to {last}." if last else f"Paused from {first} until resumed."
    if rule is Rule.nothing or standing.version is None:
        return _why_nothing(standing.version, day)
    is_draft = standing.state is SubscriptionState.draft
    return {
        Rule.not_active: "The standing order is a draft." if is_draft else "The standing order was stopped.",
        Rule.customer: "The customer is paused, stopped or gone.",
        Rule.irregular: "It was said for this date.",
        Rule.override: "It was said for this date.",
        Rule.closed: "The site does not deliver on that day.",
        Rule.daily: "Every day.",
        Rule.weekly: f"Every {DAYS[day.weekday()]}.",
        Rule.every_nth: f"Every {standing.version.every_n} days from {standing.starts_on} on.",
        Rule.one_time: f"Until {standing.version.until_on}.",
    }[rule]


def _why_outside(standing: Standing, day: date) -> str:
    if day < standing.starts_on:
        return f"It starts on {standing.starts_on}."
    if standing.stops_on is not None and day >= standing.stops_on:
        return f"It stopped on {standing.stops_on}."
    return "Nothing was wanted yet on that day."


def _why_nothing(version: Version | None, day: date) -> str:
    if version is not None and version.pattern is Pattern.weekly:
        return f"Not wanted on a {DAYS[day.weekday()]}."
    if version is not None and version.pattern is Pattern.every_nth:
        return f"Not one of the days: every {version.every_n} days."
    if version is not None and version.pattern is Pattern.one_time:
        return f"It was wanted until {version.until_on}." if version.until_on else "It has no last day."
    return "Only dates that are spoken of are due."
