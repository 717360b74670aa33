"""The calendar says what the rule says, what the plan plans, and until when the service takes a change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update
from sqlalchemy.orm import Session

import make
from conftest import SOAK
from earlybird.catalog import queries as catalog
from earlybird.catalog.models import Price
from earlybird.infra import db
from earlybird.kernel.clock import at_local, days
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.errors import Conflict
from earlybird.subscriptions import queries, rules, service
from earlybird.subscriptions.errors import NoSuchCustomer, NoSuchSubscription, SpanTooLong
from earlybird.subscriptions.models import SubscriptionVersion
from earlybird.subscriptions.states import Rule
from earlybird.territory.models import Closure, ShiftPlan
from earlybird.territory.states import Shift
from make.business import Firm
from make.calendar import FIRST, LAST, Calendar

MON = date(2026, 1, 19)
ONE = timedelta(days=1)
CLOSED = (FIRST + 4 * ONE, FIRST + 12 * ONE)


def lines(found: dict[str, Any]) -> Iterator[tuple[date, dict[str, Any]]]:
    for day in found["days"]:
        for line in day["lines"]:
            yield day["service_on"], line


def is_taken(session: Session, ctx: Ctx, subscription_id: UUID, day: date) -> bool:
    """Whether the service takes a change of that date now."""
    savepoint = session.begin_nested()
    try:
        service.override(session, ctx, subscription_id, service_on=day, quantity=Decimal(1))
    except Conflict:
        return False
    finally:
        savepoint.rollback()
    return True


@settings(
    max_examples=60 if SOAK else 6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=not SOAK,
)
@given(seed=st.integers(0, 2**32))
def test_the_calendar_says_what_the_rule_and_the_plan_say(session: Session, ctx: Ctx, seed: int) -> None:
    """30 standing orders × 21 days × 2 shifts an example, with two closed days."""
    savepoint = session.begin_nested()
    firm = make.business(session)
    random = Random(seed)
    session.execute(update(ShiftPlan).where(ShiftPlan.shift == "evening").values(cutoff=time(9), cutoff_days_before=0))
    calendar = Calendar(session, firm, make.product(session, firm).id, random, count=30)
    session.add_all(Closure(site_id=firm.site_id, closed_on=day, reason="feast") for day in CLOSED)
    session.flush()
    due, reasons = {}, set()
    for key in calendar.standing:
        found = queries.calendar(session, ctx, subscription_id=key, first=FIRST, last=LAST)
        assert [day["service_on"] for day in found["days"]] == list(days(FIRST, LAST))
        told = {(day, line["shift"]): line for day, line in lines(found)}
        for day in days(FIRST, LAST) if calendar.versions[key] else []:
            snapshot, _ = calendar.snapshot(key, day)
            for shift in Shift:
                amount, base, rule = rules.quantity(snapshot, day, shift)
                line = told.get((day, shift))
                if line is None:
                    assert amount == 0
                    continue
                is_closed = day in CLOSED and amount > 0
                expected = (0, base, Rule.closed) if is_closed else (amount, base, rule)
                assert (line["quantity"], line["base_quantity"], line["rule"]) == expected
                assert line["why"].endswith(".")
                reasons.add(line["rule"])
                if amount > 0 and not is_closed:
                    due[key, day, str(shift)] = (
                        amount,
                        line["override_id"] if rule in {"irregular", "override"} else None,
                    )
            assert any((day, shift) in told for shift in Shift), "also a day without anything says why"
        day, shift = random.choice(list(told)) if told else (FIRST, Shift.morning)
        if told:
            assert told[day, shift]["is_changeable"] == is_taken(session, ctx, key, day), (day, shift)
    planned = {
        (row["subscription_id"], row["service_on"], row["shift"]): (
            row["quantity"], row["override_id"] if row["rule"] in {"irregular", "override"} else None)
        for row in queries.due(session, FIRST, LAST, site_id=firm.site_id) if row["service_on"] not in CLOSED
    }  # fmt: skip
    savepoint.rollback()
    assert due == planned
    assert len(reasons) > 6, "a calendar that exercises little proves little"


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_the_price_of_a_day_is_the_one_the_plan_takes(session: Session, ctx: Ctx, seed: int) -> None:
    savepoint = session.begin_nested()
    random = Random(seed)
    firm = make.business(session)
    meena, milk = make.customer(session, firm), make.product(session, firm)
    spread = [FIRST + timedelta(n) for n in range(-3, 21)]
    for who in (None, meena.id):
        for since in random.sample(spread, random.randrange(4)):
            session.add(Price(product_id=milk.id, scope="customer" if who else "list", customer_id=who, currency="INR",
                              unit_price=Decimal(random.randrange(1, 900)) / 8, valid_from=since))  # fmt: skip
    agreed = random.choice([None, Decimal("33.3333")])
    order = make.subscription(session, meena, milk, agreed_price=agreed)
    found = queries.calendar(session, ctx, subscription_id=order.id, first=FIRST, last=LAST)
    for day, line in lines(found):
        told = catalog.price_on(session, milk.id, meena.id, day, agreed=agreed)
        assert told
        assert (line["price_id"], line["unit_price"], line["currency"]) == (told["price_id"], told["unit_price"], "INR")
        amount = db.value(
            session, f"SELECT {catalog.amount_minor('1', ':p', ':c')}", {"p": line["unit_price"], "c": "INR"}
        )
        assert line["amount_minor"] == amount
    savepoint.rollback()


@pytest.fixture
def firm(session: Session) -> Firm:
    return make.business(session)


def test_every_day_says_why(session: Session, ctx: Ctx, firm: Firm) -> None:
    meena, milk = make.customer(session, firm), make.product(session, firm)
    order = service.create(session, ctx, meena.id, product_id=milk.id, quantity=Decimal(2), starts_on=MON)
    service.pause(session, ctx, order.id, starts_on=MON + ONE, ends_on=MON + ONE, reason="away")
    said = service.override(session, ctx, order.id, service_on=MON + 2 * ONE, quantity=Decimal(0))
    session.add(Closure(site_id=firm.site_id, closed_on=MON + 3 * ONE, reason="Pongal"))
    service.change(session, ctx, order.id, valid_from=MON + 4 * ONE, pattern="weekly", weekdays=[4])
    service.stop(session, ctx, order.id, stops_on=MON + 6 * ONE, reason="moving")
    found = queries.calendar(session, ctx, customer_id=meena.id, first=MON - ONE, last=MON + 6 * ONE)
    told = [
        (float(line["quantity"]), str(line["rule"]), line["why"], line["is_changeable"]) for _, line in lines(found)
    ]
    assert told == [
        (0, "outside", "It starts on 2026-01-19.", False),
        (2, "daily", "Every day.", True),
        (0, "paused", "Paused from 2026-01-20 to 2026-01-20.", True),
        (0, "override", "It was said for this date.", True),
        (0, "closed", "The site does not deliver on that day.", True),
        (2, "weekly", "Every Friday.", True),
        (0, "nothing", "Not wanted on a Saturday.", True),
        (0, "outside", "It stopped on 2026-01-25.", False),
    ]
    assert [day["closed"] for day in found["days"]].count("Pongal") == 1
    by_day = dict(lines(found))
    assert by_day[MON + 2 * ONE]["override_id"] == said
    assert by_day[MON + ONE]["pause_id"] is not None
    assert by_day[MON]["cutoff_at"] == at_local(MON - ONE, time(20), "Asia/Kolkata")
    assert (by_day[MON]["amount_minor"], by_day[MON + ONE]["amount_minor"]) == (12000, 0)
    later = queries.calendar(session, ctx, customer_id=meena.id, first=MON + 6 * ONE, last=MON + 7 * ONE)
    assert list(lines(later)) == [], "what has ended by then is left out"


def test_a_day_closes_with_its_cutoff(session: Session, ctx: Ctx, firm: Firm) -> None:
    order = make.subscription(session, make.customer(session, firm), make.product(session, firm))
    closes_at: datetime = at_local(MON - ONE, time(20), "Asia/Kolkata")
    for now, is_open in ((closes_at, True), (closes_at + timedelta(seconds=1), False)):
        at = ctx.at(now)
        found = queries.calendar(session, at, subscription_id=order.id, first=MON, last=MON)
        assert found["days"][0]["lines"][0]["is_changeable"] is is_open
        assert is_taken(session, at, order.id, MON) is is_open


def test_a_shift_without_hours_may_change_until_its_day_is_past(session: Session, ctx: Ctx, firm: Firm) -> None:
    order = make.subscription(session, make.customer(session, firm), make.product(session, firm))
    db.run(session, "DELETE FROM shifts WHERE site_id = :id", {"id": firm.site_id})
    for day, is_open in ((date(2026, 1, 14), False), (date(2026, 1, 15), True)):
        found = queries.calendar(session, ctx, subscription_id=order.id, first=day, last=day)
        line = found["days"][0]["lines"][0]
        assert (line["cutoff_at"], line["is_changeable"]) == (None, is_open)
        assert is_taken(session, ctx, order.id, day) is is_open


def test_a_calendar_has_its_bounds_and_its_owner(session: Session, ctx: Ctx, firm: Firm) -> None:
    meena, ravi = make.customer(session, firm), make.customer(session, firm)
    order = make.subscription(session, meena, make.product(session, firm))
    found = queries.calendar(session, ctx, customer_id=meena.id)
    assert (found["first_on"], found["last_on"], found["zone"]) == (
        date(2026, 1, 15),
        date(2026, 2, 11),
        "Asia/Kolkata",
    )
    assert len(queries.calendar(session, ctx, customer_id=meena.id, first=MON, last=MON + 91 * ONE)["days"]) == 92
    for last in (MON + 92 * ONE, MON - ONE):
        with pytest.raises(SpanTooLong):
            queries.calendar(session, ctx, customer_id=meena.id, first=MON, last=last)
    reach = replace(ctx.actor.reaches[0], scope="own", customer_id=ravi.id)
    foreign = replace(ctx, actor=replace(ctx.actor, reaches=(reach,)))
    with pytest.raises(NoSuchCustomer):
        queries.calendar(session, foreign, customer_id=meena.id)
    with pytest.raises(NoSuchSubscription):
        queries.calendar(session, foreign, subscription_id=order.id)
    assert list(lines(queries.calendar(session, foreign, customer_id=ravi.id))) == []


def test_an_order_that_wants_nothing_yet_says_so(session: Session, ctx: Ctx, firm: Firm) -> None:
    order = make.subscription(session, make.customer(session, firm), make.product(session, firm))
    session.execute(update(SubscriptionVersion).values(valid_from=MON + ONE))
    found = queries.calendar(session, ctx, subscription_id=order.id, first=MON, last=MON + ONE)
    assert [line["why"] for _, line in lines(found)] == ["Nothing was wanted yet on that day.", "Every day."]
