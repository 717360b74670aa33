"""What belongs to which request, who may ask for it, and when it is over."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from earlybird.requests import errors
from earlybird.requests.states import Kind

DAYS_AHEAD = 366
OPEN_DAYS = 30
"""How long after its first day a stop, or a pause without an end, still waits for an answer."""

MOST_WAITING = 100
"""How many requests of one person or link may wait."""

NEEDED: Mapping[Kind, frozenset[str]] = {
    Kind.pause: frozenset(),
    Kind.stop: frozenset(),
    Kind.extra_product: frozenset({"product_id", "quantity", "shift"}),
    Kind.quantity: frozenset({"subscription_id", "quantity"}),
    Kind.shift: frozenset({"subscription_id", "shift"}),
    Kind.driver: frozenset({"subscription_id", "driver_id"}),
}
"""What a kind cannot be without, beside its day."""

TAKEN: Mapping[Kind, frozenset[str]] = {
    kind: needed | {Kind.pause: {"subscription_id", "ends_on"}, Kind.stop: {"subscription_id"}}.get(kind, set())
    for kind, needed in NEEDED.items()
}

OF_A_DAY = frozenset({Kind.extra_product, Kind.quantity, Kind.shift, Kind.driver})
"""What is asked for one day alone."""

ASKED_BY_SCOPE: Mapping[str, frozenset[Kind]] = {
    "all": frozenset(Kind),
    "round": frozenset(Kind),
    "own": frozenset(Kind) - {Kind.driver},
    "link": frozenset({Kind.pause, Kind.stop, Kind.extra_product}),
}
"""Who may ask for what: customers not for a driver, links for what is said at the door."""


def check_asker(scopes: Collection[str], kind: Kind) -> None:
    """Refuse what somebody of these scopes may not ask for."""
    if not any(kind in ASKED_BY_SCOPE.get(scope, ()) for scope in scopes):
        raise errors.NotYoursToAsk(field="kind", kind=str(kind))


def check_facts(kind: Kind, facts: Mapping[str, Any]) -> None:
    """Refuse a request that lacks something, or says what is no part of it; `facts` are those given."""
    said = {name for name, fact in facts.items() if fact is not None}
    for name in sorted(NEEDED[kind] - said):
        raise errors.FactMissing(field=name, kind=str(kind))
    for name in sorted(said - TAKEN[kind]):
        raise errors.FactNotOfKind(field=name, kind=str(kind))
    if kind is Kind.extra_product and facts["quantity"] <= Decimal(0):
        raise errors.FactMissing(field="quantity", kind=str(kind))


def check_days(service_on: date, ends_on: date | None, today: date) -> None:
    """Refuse days that are over, too far away or reversed."""
    if not today <= service_on <= today + timedelta(days=DAYS_AHEAD):
        raise errors.DayNotOpen(field="service_on", service_on=service_on)
    if ends_on is not None and ends_on < service_on:
        raise errors.DayNotOpen(field="ends_on", ends_on=ends_on)
