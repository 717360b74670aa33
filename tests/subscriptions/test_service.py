"""Changing a standing order: dated, refused after the cut-off, audited, and never touching the past."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

import make
from earlybird.customers.models import Customer
from earlybird.infra.db import rows
from earlybird.kernel import ids
from earlybird.kernel.clock import at_local
from earlybird.kernel.ctx import Ctx, Reach
from earlybird.kernel.states import MoveRefused
from earlybird.subscriptions import queries, service
from earlybird.subscriptions.errors import (
    CutoffPassed,
    DatesReversed,
    DriverNotYours,
    NoSuchCustomer,
    NoSuchOverride,
    NoSuchPause,
    NoSuchSubscription,
    NotAStandingOrder,
    NothingSaid,
    NothingWanted,
    NotRunning,
)
from earlybird.subscriptions.models import Subscription
from earlybird.subscriptions.states import OverrideKind, Pattern, StandingShift
from earlybird.territory import queries as territory
from earlybird.territory.errors import NotADriver
from earlybird.territory.models import ShiftPlan
from earlybird.territory.states import Shift
from make.business import Firm

MON = date(2026, 1, 19)
ONE = timedelta(days=1)
SUNDAY_2000 = at_local(MON - ONE, time(20), "Asia/Kolkata")


@pytest.fixture
def firm(session: Session) -> Firm:
    return make.business(session)


@pytest.fixture
def meena(session: Session, firm: Firm) -> Customer:
    return make.customer(session, firm)


@pytest.fixture
def milk(session: Session, firm: Firm, meena: Customer, ctx: Ctx) -> Subscription:
    product = make.product(session, firm)
    return service.create(session, ctx, meena.id, product_id=product.id, quantity=Decimal(2), starts_on=MON)


def due(session: Session, first: date = MON, last: date = MON + 6 * ONE) -> list[tuple[int, str, float]]:
    return [
        ((row["service_on"] - MON).days, row["shift"], float(row["quantity"]))
        for row in sorted(queries.due(session, first, last), key=lambda r: (r["service_on"], r["shift"]))
    ]


def audited(session: Session) -> list[str]:
    return [row["action"] for row in rows(session, "SELECT action FROM audit_entries ORDER BY id")]


def week(*days: int, shift: str = "morning", quantity: float = 2.0) -> list[tuple[int, str, float]]:
    return [(day, shift, quantity) for day in days]


def test_a_new_standing_order_is_due_from_its_start(session: Session, milk: Subscription) -> None:
    assert milk.state == "active"
    assert due(session, MON - 3 * ONE) == week(*range(7))
    assert audited(session) == ["subscriptions.create", "subscription.activate"]


def test_a_change_holds_from_its_day_on_and_leaves_the_days_before(
    session: Session, ctx: Ctx, milk: Subscription
) -> None:
    service.change(session, ctx, milk.id, valid_from=MON + 3 * ONE, quantity=Decimal(1), shift=StandingShift.both)
    later = [(day, shift, 1.0) for day in range(3, 7) for shift in ("evening", "morning")]
    assert due(session) == [*week(0, 1, 2), *later]
    service.change(session, ctx, milk.id, valid_from=MON + 3 * ONE, quantity=Decimal(5), shift=StandingShift.evening)
    assert due(session) == [*week(0, 1, 2), *week(3, 4, 5, 6, shift="evening", quantity=5.0)]
    service.change(session, ctx, milk.id, valid_from=MON + 5 * ONE, pattern=Pattern.weekly, weekdays=[6])
    assert due(session)[3:] == week(3, 4, 6, shift="evening", quantity=5.0)


def test_a_pause_ends_early_and_a_later_one_is_cancelled(session: Session, ctx: Ctx, milk: Subscription) -> None:
    service.pause(session, ctx, milk.id, starts_on=MON + ONE, ends_on=MON + 3 * ONE)
    service.pause(session, ctx, milk.id, starts_on=MON + 5 * ONE)
    assert due(session) == week(0, 4)
    service.resume(session, ctx, milk.id, on=MON + 2 * ONE)
    assert due(session) == week(0, 2, 3, 4, 5, 6)
    with pytest.raises(NoSuchPause):
        service.resume(session, ctx, milk.id, on=MON + 2 * ONE)


def test_the_last_word_on_a_date_supersedes_the_one_before(session: Session, ctx: Ctx, milk: Subscription) -> None:
    service.override(session, ctx, milk.id, service_on=MON, quantity=Decimal(0))
    assert due(session, last=MON) == []
    service.override(session, ctx, milk.id, service_on=MON, quantity=Decimal(7), shift=Shift.evening)
    assert due(session, last=MON) == week(0, shift="evening", quantity=7.0)
    service.override(session, ctx, milk.id, service_on=MON, kind=OverrideKind.irregular, quantity=Decimal(4))
    assert due(session, last=MON) == week(0, shift="evening", quantity=4.0)
    kept = rows(session, "SELECT superseded_at IS NULL AS current, cutoff_at FROM subscription_overrides ORDER BY id")
    assert [row["current"] for row in kept] == [False, True, True]
    assert {row["cutoff_at"] for row in kept} == {SUNDAY_2000}


def test_a_stopped_order_keeps_the_days_before_its_stop(session: Session, ctx: Ctx, milk: Subscription) -> None:
    service.stop(session, ctx, milk.id, stops_on=MON + 2 * ONE, reason="moving away")
    assert due(session) == week(0, 1)
    assert audited(session)[-1] == "subscription.stop"


@pytest.mark.parametrize("late", [timedelta(0), timedelta(seconds=1)])
def test_nothing_changes_a_day_after_its_cutoff(
    session: Session, ctx: Ctx, milk: Subscription, late: timedelta
) -> None:
    at = ctx.at(SUNDAY_2000 + late)
    commands = {
        "change": {"valid_from": MON, "quantity": Decimal(1)},
        "pause": {"starts_on": MON},
        "override": {"service_on": MON, "quantity": Decimal(0)},
        "resume": {"on": MON},
        "stop": {"stops_on": MON, "reason": "x"},
    }
    service.pause(session, ctx, milk.id, starts_on=MON + 9 * ONE)
    for name, facts in commands.items():
        if late:
            with pytest.raises(CutoffPassed):
                getattr(service, name)(session, at, milk.id, **facts)
        else:
            getattr(service, name)(session, at, milk.id, **facts)
    assert (due(session, last=MON) == week(0)) == bool(late)


def test_the_cutoff_of_both_shifts_is_the_earlier_one(session: Session, ctx: Ctx, firm: Firm) -> None:
    session.execute(update(ShiftPlan).where(ShiftPlan.shift == "evening").values(cutoff=time(9), cutoff_days_before=0))
    session.flush()
    noon: datetime = at_local(MON - ONE, time(21), "Asia/Kolkata")
    assert service.check_cutoff(session, ctx.at(noon), firm.site_id, MON, ["evening"], field="on")
    with pytest.raises(CutoffPassed):
        service.check_cutoff(session, ctx.at(noon), firm.site_id, MON, ["both"], field="on")
    assert territory.first_open_on(session, firm.site_id, [Shift.morning], noon) == MON + ONE
    assert territory.first_open_on(session, firm.site_id, [Shift.evening], noon) == MON


def test_what_cannot_be_is_refused(session: Session, ctx: Ctx, milk: Subscription, meena: Customer, firm: Firm) -> None:
    product = make.product(session, firm, "Curd")
    facts = {"product_id": product.id, "quantity": Decimal(1), "starts_on": MON}
    with pytest.raises(NotAStandingOrder):
        service.create(session, ctx, meena.id, pattern=Pattern.weekly, **facts)
    with pytest.raises(DatesReversed):
        service.create(session, ctx, meena.id, stops_on=MON - ONE, **facts)
    with pytest.raises(DatesReversed):
        service.pause(session, ctx, milk.id, starts_on=MON, ends_on=MON - ONE)
    with pytest.raises(NoSuchCustomer):
        service.create(session, ctx, ids.new_id(), **facts)
    with pytest.raises(NoSuchSubscription):
        service.stop(session, ctx, ids.new_id(), stops_on=MON, reason="x")


def test_what_was_stopped_begins_again_and_the_days_between_stay_without(
    session: Session, ctx: Ctx, milk: Subscription
) -> None:
    service.stop(session, ctx, milk.id, stops_on=MON + 2 * ONE, reason="away")
    with pytest.raises(MoveRefused):
        service.stop(session, ctx, milk.id, stops_on=MON + 3 * ONE, reason="again")
    service.reactivate(session, ctx, milk.id, on=MON + 4 * ONE)
    assert due(session) == week(0, 1, 4, 5, 6)
    assert (milk.state, milk.stops_on) == ("active", None)
    with pytest.raises(MoveRefused):
        service.reactivate(session, ctx, milk.id, on=MON + 4 * ONE)
    service.stop(session, ctx, milk.id, stops_on=MON + 6 * ONE, reason="away")
    service.reactivate(session, ctx, milk.id, on=MON + 5 * ONE)
    assert due(session) == week(0, 1, 4, 5, 6), "a stop that has not come is taken back"


def test_a_stopped_order_without_a_day_does_not_come_due_in_the_past(session: Session, ctx: Ctx, firm: Firm) -> None:
    order = make.subscription(session, make.customer(session, firm), make.product(session, firm), state="stopped")
    service.reactivate(session, ctx, order.id, on=MON)
    assert due(session, MON - 60 * ONE, MON) == [(0, "morning", 1.0)]


def test_only_a_day_on_which_it_runs_may_be_changed(session: Session, ctx: Ctx, milk: Subscription) -> None:
    service.stop(session, ctx, milk.id, stops_on=MON + 2 * ONE, reason="away")
    for day in (MON - ONE, MON + 2 * ONE):
        for name, facts in {
            "change": {"valid_from": day, "quantity": Decimal(1)},
            "override": {"service_on": day, "quantity": Decimal(0)},
            "withdraw_override": {"service_on": day},
        }.items():
            with pytest.raises(NotRunning):
                getattr(service, name)(session, ctx, milk.id, **facts)
    with pytest.raises(NotRunning):
        service.pause(session, ctx, milk.id, starts_on=MON + 2 * ONE)
    service.pause(session, ctx, milk.id, starts_on=MON - ONE, ends_on=MON)
    assert due(session) == week(1)


def test_a_day_moved_to_another_shift_closes_with_that_shift_too(
    session: Session, ctx: Ctx, firm: Firm, milk: Subscription
) -> None:
    session.execute(update(ShiftPlan).where(ShiftPlan.shift == "morning").values(cutoff=time(4), cutoff_days_before=0))
    service.override(session, ctx, milk.id, service_on=MON, shift=Shift.evening)
    late = ctx.at(at_local(MON, time(3), "Asia/Kolkata"))
    for name, facts in {
        "override": {"service_on": MON, "quantity": Decimal(0)},
        "withdraw_override": {"service_on": MON},
        "change": {"valid_from": MON, "quantity": Decimal(1)},
        "pause": {"starts_on": MON},
        "stop": {"stops_on": MON, "reason": "x"},
    }.items():
        with pytest.raises(CutoffPassed):
            getattr(service, name)(session, late, milk.id, **facts)
    assert due(session, last=MON) == week(0, shift="evening")


def test_what_was_said_about_a_date_is_taken_back_whole(session: Session, ctx: Ctx, milk: Subscription) -> None:
    service.override(session, ctx, milk.id, service_on=MON, kind=OverrideKind.irregular, quantity=Decimal(4))
    service.override(session, ctx, milk.id, service_on=MON, quantity=Decimal(1))
    assert due(session, last=MON) == week(0, quantity=1.0), "the last word counts, whatever was said before"
    service.withdraw_override(session, ctx, milk.id, service_on=MON)
    assert due(session, last=MON) == week(0)
    with pytest.raises(NoSuchOverride):
        service.withdraw_override(session, ctx, milk.id, service_on=MON)
    with pytest.raises(NothingSaid):
        service.override(session, ctx, milk.id, service_on=MON)


def test_a_pattern_keeps_only_what_it_needs(session: Session, ctx: Ctx, milk: Subscription) -> None:
    service.change(session, ctx, milk.id, valid_from=MON, pattern=Pattern.weekly, weekdays=[0], every_n=3)
    service.change(session, ctx, milk.id, valid_from=MON + ONE, pattern=Pattern.daily)
    found = rows(session, "SELECT weekdays, every_n FROM subscription_versions ORDER BY valid_from")
    assert [tuple(row.values()) for row in found] == [([0], None), (None, None)]
    with pytest.raises(NothingWanted):
        service.change(session, ctx, milk.id, valid_from=MON + ONE, quantity=Decimal(0))
    with pytest.raises(DatesReversed):
        service.change(session, ctx, milk.id, valid_from=MON + ONE, pattern=Pattern.one_time, until_on=MON)


def test_who_reaches_only_their_own_neither_sees_nor_changes_what_is_not_theirs(
    session: Session, ctx: Ctx, firm: Firm, milk: Subscription, meena: Customer
) -> None:
    ravi = make.customer(session, firm, "Ravi")
    driver = make.driver(session, firm)
    own, foreign = (
        replace(ctx, actor=replace(ctx.actor, reaches=(Reach("customer", "own", customer_id=who),)))
        for who in (meena.id, ravi.id)
    )
    assert [row["id"] for row in queries.page(session, own).items] == [milk.id]
    assert queries.page(session, foreign).items == []
    for name, facts in {
        "change": {"valid_from": MON, "quantity": Decimal(1)},
        "pause": {"starts_on": MON},
        "resume": {"on": MON},
        "override": {"service_on": MON, "quantity": Decimal(0)},
        "withdraw_override": {"service_on": MON},
        "stop": {"stops_on": MON, "reason": "x"},
        "reactivate": {"on": MON},
    }.items():
        with pytest.raises(NoSuchSubscription):
            getattr(service, name)(session, foreign, milk.id, **facts)
    with pytest.raises(DriverNotYours):
        service.change(session, own, milk.id, valid_from=MON, driver_id=driver.id)
    with pytest.raises(DriverNotYours):
        service.override(session, own, milk.id, service_on=MON, driver_id=driver.id)
    service.change(session, ctx, milk.id, valid_from=MON, driver_id=driver.id)
    with pytest.raises(NotADriver):
        service.change(session, ctx, milk.id, valid_from=MON, driver_id=ids.new_id())
