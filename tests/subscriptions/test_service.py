"""Changing a standing order: dated, refused after the cut-off, audited, and never touching the past."""

from __future__ import annotations

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
from earlybird.kernel.ctx import Ctx
from earlybird.subscriptions import queries, service
from earlybird.subscriptions.errors import (
    CutoffPassed,
    DatesReversed,
    NoSuchCustomer,
    NoSuchPause,
    NoSuchSubscription,
    NotAStandingOrder,
)
from earlybird.subscriptions.models import Subscription
from earlybird.subscriptions.states import OverrideKind, Pattern, StandingShift
from earlybird.territory import queries as territory
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
