"""The quantity rule: each rule by a case, and the SQL held to the function on random calendars."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

import make
from conftest import SOAK
from earlybird.subscriptions import queries
from earlybird.subscriptions.rules import Entry, Standing, Version, quantity
from earlybird.subscriptions.states import Pattern, Rule, StandingShift, SubscriptionState
from earlybird.territory.states import Shift
from make.calendar import FIRST, LAST, Calendar

MON = date(2026, 1, 12)
NEXT = timedelta(days=1)
M, E = Shift.morning, Shift.evening
DAILY = Version(Pattern.daily, Decimal(2), StandingShift.morning)


def standing(**over: Any) -> Standing:
    facts: dict[str, Any] = {"state": SubscriptionState.active, "starts_on": MON, "version": DAILY} | over
    return Standing(**facts)


@pytest.mark.parametrize(
    ("over", "day", "due", "rule"),
    [
        ({"state": SubscriptionState.draft}, MON, 0, Rule.not_active),
        ({"state": SubscriptionState.stopped}, MON, 0, Rule.not_active),
        ({"state": SubscriptionState.stopped, "stops_on": MON + NEXT}, MON, 2, Rule.daily),
        ({"state": SubscriptionState.stopped, "stops_on": MON + NEXT}, MON + NEXT, 0, Rule.outside),
        ({}, MON - NEXT, 0, Rule.outside),
        ({"stops_on": MON}, MON, 0, Rule.outside),
        ({"version": None}, MON, 0, Rule.outside),
        ({"customer_gone_from": MON + NEXT}, MON, 2, Rule.daily),
        ({"customer_gone_from": MON}, MON, 0, Rule.customer),
        ({"pauses": [(MON, MON)]}, MON, 0, Rule.paused),
        ({"pauses": [(MON - NEXT, None)]}, MON + 9 * NEXT, 0, Rule.paused),
        ({"pauses": [(MON + NEXT, None)]}, MON, 2, Rule.daily),
        ({"pauses": [(MON, MON)], "irregular": Entry(Decimal(5))}, MON, 0, Rule.paused),
        ({"irregular": Entry(Decimal(5)), "override": Entry(Decimal(3))}, MON, 5, Rule.irregular),
        ({"irregular": Entry(), "override": Entry(Decimal(3))}, MON, 3, Rule.override),
        ({"override": Entry(Decimal(0))}, MON, 0, Rule.override),
        ({"override": Entry(None, M)}, MON, 2, Rule.daily),
    ],
)
def test_the_first_rule_that_hits_decides(over: dict[str, Any], day: date, due: int, rule: Rule) -> None:
    assert quantity(standing(**over), day, M)[::2] == (due, rule)


@pytest.mark.parametrize(
    ("facts", "due_on"),
    [
        ({"pattern": Pattern.weekly, "weekdays": (0, 6)}, [0, 6, 7]),
        ({"pattern": Pattern.every_nth, "every_n": 3}, [0, 3, 6]),
        ({"pattern": Pattern.every_nth, "every_n": 1}, [*range(8)]),
        ({"pattern": Pattern.one_time, "until_on": MON + 2 * NEXT}, [0, 1, 2]),
        ({"pattern": Pattern.one_time}, []),
        ({"pattern": Pattern.irregular}, []),
        ({"pattern": Pattern.daily}, [*range(8)]),
    ],
)
def test_patterns(facts: dict[str, Any], due_on: list[int]) -> None:
    order = standing(version=Version(quantity=Decimal(2), shift=StandingShift.morning, **facts))
    found = [quantity(order, MON + n * NEXT, M) for n in range(8)]
    assert [n for n, (due, _, _) in enumerate(found) if due] == due_on
    assert {rule for due, _, rule in found if due} <= {Rule(facts["pattern"])}


def test_both_shifts_are_due_in_full_and_an_entry_moves_or_limits_them() -> None:
    both = Version(Pattern.daily, Decimal(2), StandingShift.both)
    assert [quantity(standing(version=both), MON, shift)[0] for shift in Shift] == [2, 2]
    limited = standing(version=both, override=Entry(None, E))
    assert [quantity(limited, MON, shift)[:2] for shift in Shift] == [(0, 0), (2, 2)]
    moved = standing(override=Entry(Decimal(3), E))
    assert [quantity(moved, MON, shift) for shift in Shift] == [(0, 0, Rule.nothing), (3, 2, Rule.override)]


@settings(
    max_examples=200 if SOAK else 20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=not SOAK,
)
@given(seed=st.integers(0, 2**32))
def test_the_statement_says_what_the_function_says(session: Session, seed: int) -> None:
    """60 standing orders × 21 days × 2 shifts an example: 50,000 decisions a run."""
    savepoint = session.begin_nested()
    firm = make.business(session)
    calendar = Calendar(session, firm, make.product(session, firm).id, Random(seed))
    found = {
        (row["subscription_id"], row["service_on"], row["shift"]): (
            row["quantity"], row["base_quantity"], row["rule"], row["version_id"], row["override_id"],
        )
        for row in queries.due(session, FIRST, LAST, site_id=firm.site_id)
    }  # fmt: skip
    expected = calendar.expected()
    savepoint.rollback()
    assert found == expected
    assert len({rule for _, _, rule, *_ in expected.values()}) > 3, "a calendar that exercises little proves little"
