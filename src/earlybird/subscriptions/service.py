"""Change a standing order: every change is dated, is refused after the cut-off of its date, and leaves a trace."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.identity.rules import Scope
from earlybird.infra import fields, policies
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.ids import new_id
from earlybird.subscriptions import queries, rules
from earlybird.subscriptions.errors import (
    CustomerStopped,
    CutoffPassed,
    DatesReversed,
    DriverNotYours,
    NoSuchOverride,
    NoSuchPause,
    NotAStandingOrder,
    NothingSaid,
    NothingWanted,
    NotRunning,
    NotSold,
    NotTheirAddress,
)
from earlybird.subscriptions.models import Subscription, SubscriptionOverride, SubscriptionPause, SubscriptionVersion
from earlybird.subscriptions.states import MACHINE, OverrideKind, Pattern, StandingShift, SubscriptionState
from earlybird.territory import queries as territory
from earlybird.territory import service as days
from earlybird.territory.errors import NotADriver
from earlybird.territory.states import Shift

NEEDS = {Pattern.weekly: "weekdays", Pattern.every_nth: "every_n", Pattern.one_time: "until_on"}
"""What a pattern cannot be without; the others do not keep it."""

WISHES = ("product_id", "quantity", "pattern", "weekdays", "every_n", "until_on", "agreed_price", "shift", "driver_id")


def check_cutoff(
    session: Session,
    ctx: Ctx,
    site_id: UUID,
    service_on: date,
    shifts: Iterable[str | None],
    *,
    field: str,
    after_cutoff: bool = False,
) -> datetime | None:
    """Return the first cut-off of the date's shifts (`both`: of either); refuse when it has passed.

    A shift without hours has no cut-off: its days may change until they are past. With `after_cutoff`, which is for
    somebody of the office to say with a reason, that holds for every day.
    """
    at = min(territory.cutoffs(session, site_id, service_on, rules.concerned(*shifts)).values(), default=None)
    if at is None or after_cutoff:
        if service_on < territory.today(session, ctx, site_id):
            raise CutoffPassed(field=field, service_on=service_on)
    elif at < ctx.now:
        raise CutoffPassed(field=field, service_on=service_on, closed_at=at.isoformat())
    return at


def create(
    session: Session,
    ctx: Ctx,
    customer_id: UUID,
    *,
    product_id: UUID,
    quantity: Decimal,
    starts_on: date,
    pattern: Pattern = Pattern.daily,
    shift: StandingShift = StandingShift.morning,
    stops_on: date | None = None,
    address_id: UUID | None = None,
    **wishes: Any,
) -> Subscription:
    """Take a standing order, due from `starts_on`; quantity in the product's unit, `stops_on` the first day without."""
    customer = queries.customer_served(session, ctx, customer_id)
    _check_wishes(session, ctx, customer["business_id"], {"product_id": product_id, "quantity": quantity, **wishes})
    if address_id is not None and not queries.lives_at(session, customer_id, address_id):
        raise NotTheirAddress(field="address_id", address_id=address_id)
    is_gone = customer["is_stopped"] and (customer["state_from"] is None or customer["state_from"] <= starts_on)
    if is_gone and policies.is_on(session, policies.REFERENCES):
        raise CustomerStopped(field="customer_id", state_from=customer["state_from"])
    check_cutoff(session, ctx, customer["site_id"], starts_on, [shift], field="starts_on")
    if stops_on is not None and stops_on < starts_on:
        raise DatesReversed(field="stops_on", starts_on=starts_on, stops_on=stops_on)
    row = Subscription(
        id=new_id(),
        customer_id=customer_id,
        address_id=address_id,
        starts_on=starts_on,
        stops_on=stops_on,
        created_at=ctx.now,
        state_at=ctx.now,
        state=SubscriptionState.draft,
    )
    session.add(row)
    session.flush()  # the version's foreign key
    wanted = {"product_id": product_id, "quantity": quantity, "pattern": pattern, "shift": shift, **wishes}
    _write_version(session, ctx, row.id, starts_on, wanted)
    audit.record(session, ctx, "subscriptions.create", "subscription", row.id, after=audit.plain(wanted))
    audit.move(session, ctx, row, MACHINE, "activate")
    session.flush()  # so that what reads next sees the move
    days.replan(session, ctx, customer["site_id"], first_on=starts_on, reason="subscriptions.create")
    return row


def change(session: Session, ctx: Ctx, subscription_id: UUID, *, valid_from: date, **wishes: Any) -> None:
    """Want something else from `valid_from` on: what is not named stays as the version before has it."""
    row, site_id = queries.get_for_update(session, ctx, subscription_id)
    _check_runs(row, valid_from, field="valid_from")
    _check_wishes(session, ctx, queries.customer_served(session, ctx, row.customer_id)["business_id"], wishes)
    before = queries.version_on(session, subscription_id, valid_from)
    old = {name: getattr(before, name) for name in WISHES}
    new = old | wishes
    shifts = [*queries.shifts_on(session, subscription_id, valid_from), new["shift"]]
    check_cutoff(session, ctx, site_id, valid_from, shifts, field="valid_from")
    _write_version(session, ctx, subscription_id, valid_from, new)
    audit.record(
        session,
        ctx,
        "subscriptions.change",
        "subscription",
        subscription_id,
        before=audit.plain({name: old[name] for name in wishes}),
        after=audit.plain({"valid_from": valid_from, **wishes}),
    )
    days.replan(session, ctx, site_id, first_on=valid_from, reason="subscriptions.change")


def pause(
    session: Session,
    ctx: Ctx,
    subscription_id: UUID,
    *,
    starts_on: date,
    ends_on: date | None = None,
    reason: str | None = None,
    after_cutoff: bool = False,
) -> UUID:
    """Deliver nothing from `starts_on` to `ends_on`, both included; without an end until resumed.

    `after_cutoff`: also where the cut-off of `starts_on` has passed.
    """
    if ends_on is not None and ends_on < starts_on:
        raise DatesReversed(field="ends_on", starts_on=starts_on, ends_on=ends_on)
    order, site_id = queries.get_for_update(session, ctx, subscription_id)
    _check_runs(order, max(starts_on, order.starts_on), field="starts_on")
    shifts = queries.shifts_on(session, subscription_id, starts_on)
    closes_at = check_cutoff(session, ctx, site_id, starts_on, shifts, field="starts_on", after_cutoff=after_cutoff)
    row = SubscriptionPause(
        id=new_id(),
        subscription_id=subscription_id,
        starts_on=starts_on,
        ends_on=ends_on,
        reason=reason,
        cutoff_at=closes_at,
        **_hand(ctx),
    )
    session.add(row)
    session.flush()  # so that what reads next sees the pause
    said = audit.plain({"starts_on": starts_on, "ends_on": ends_on})
    audit.record(session, ctx, "subscriptions.pause", "subscription", subscription_id, after=said, reason=reason)
    days.replan(session, ctx, site_id, first_on=starts_on, last_on=ends_on, reason="subscriptions.pause")
    return row.id


def resume(session: Session, ctx: Ctx, subscription_id: UUID, *, on: date, reason: str | None = None) -> None:
    """Deliver again from `on`: a pause running then ends the day before, later ones are cancelled."""
    _, site_id = queries.get_for_update(session, ctx, subscription_id)
    check_cutoff(session, ctx, site_id, on, queries.shifts_on(session, subscription_id, on), field="on")
    pauses = session.scalars(
        select(SubscriptionPause).where(
            SubscriptionPause.subscription_id == subscription_id,
            SubscriptionPause.cancelled_at.is_(None),
            SubscriptionPause.ends_on.is_(None) | (SubscriptionPause.ends_on >= on),
        )
    ).all()
    if not pauses:
        raise NoSuchPause(field="on", on=on)
    for row in pauses:
        if row.starts_on >= on:
            row.cancelled_at = ctx.now
        else:
            row.ends_on = on - timedelta(days=1)
    session.flush()  # so that what reads next sees them end
    said = audit.plain({"on": on, "pauses": [str(row.id) for row in pauses]})
    audit.record(session, ctx, "subscriptions.resume", "subscription", subscription_id, after=said, reason=reason)
    days.replan(session, ctx, site_id, first_on=on, reason="subscriptions.resume")


def override(
    session: Session,
    ctx: Ctx,
    subscription_id: UUID,
    *,
    service_on: date,
    quantity: Decimal | None = None,
    shift: Shift | None = None,
    driver_id: UUID | None = None,
    kind: OverrideKind = OverrideKind.override,
    reason: str | None = None,
    after_cutoff: bool = False,
) -> UUID:
    """Say for one date how much (0 is none), in which shift, by whom; it supersedes what was said before.

    None leaves the quantity, the shift or the driver as the standing order has it. An irregular entry supersedes
    irregular ones only: it is said beside an override, and beats it. `after_cutoff`: also where the cut-off of the
    date has passed.
    """
    if quantity is None and shift is None and driver_id is None:
        raise NothingSaid(field="quantity")
    order, site_id = queries.get_for_update(session, ctx, subscription_id)
    _check_runs(order, service_on, field="service_on")
    _check_driver(session, ctx, driver_id)
    fields.check(session, "subscription_overrides", quantity=quantity)
    shifts = [*queries.shifts_on(session, subscription_id, service_on), shift]
    closes_at = check_cutoff(session, ctx, site_id, service_on, shifts, field="service_on", after_cutoff=after_cutoff)
    _supersede(session, ctx, subscription_id, service_on, kind)
    said = {"service_on": service_on, "kind": kind, "quantity": quantity, "shift": shift, "driver_id": driver_id}
    row = SubscriptionOverride(
        id=new_id(), subscription_id=subscription_id, reason=reason, cutoff_at=closes_at, **said, **_hand(ctx)
    )
    session.add(row)
    session.flush()  # so that what reads next sees the entry
    audit.record(
        session, ctx, "subscriptions.override", "subscription", subscription_id, after=audit.plain(said), reason=reason
    )
    days.replan(session, ctx, site_id, first_on=service_on, last_on=service_on, reason="subscriptions.override")
    return row.id


def withdraw_override(session: Session, ctx: Ctx, subscription_id: UUID, *, service_on: date) -> None:
    """Take back what was said about one date: it is as usual again."""
    order, site_id = queries.get_for_update(session, ctx, subscription_id)
    _check_runs(order, service_on, field="service_on")
    shifts = queries.shifts_on(session, subscription_id, service_on)
    check_cutoff(session, ctx, site_id, service_on, shifts, field="service_on")
    gone = _supersede(session, ctx, subscription_id, service_on, OverrideKind.override)
    if not gone:
        raise NoSuchOverride(field="service_on", service_on=service_on)
    told = audit.plain({"service_on": service_on, "overrides": [str(key) for key in gone]})
    audit.record(session, ctx, "subscriptions.withdraw_override", "subscription", subscription_id, before=told)
    days.replan(session, ctx, site_id, first_on=service_on, last_on=service_on, reason="subscriptions.override")


def stop(
    session: Session, ctx: Ctx, subscription_id: UUID, *, stops_on: date, reason: str, after_cutoff: bool = False
) -> None:
    """End the standing order: `stops_on` is the first day without delivery; days before keep theirs.

    `after_cutoff`: also where the cut-off of `stops_on` has passed.
    """
    row, site_id = queries.get_for_update(session, ctx, subscription_id)
    shifts = queries.shifts_on(session, subscription_id, stops_on)
    check_cutoff(session, ctx, site_id, stops_on, shifts, field="stops_on", after_cutoff=after_cutoff)
    row.stops_on = stops_on if row.stops_on is None else min(stops_on, row.stops_on)
    row.stop_reason = reason
    audit.move(session, ctx, row, MACHINE, "stop", reason=reason)
    session.flush()  # so that what reads next sees the end
    days.replan(session, ctx, site_id, first_on=row.stops_on, reason="subscriptions.stop")


def reactivate(session: Session, ctx: Ctx, subscription_id: UUID, *, on: date) -> None:
    """Deliver again from `on`; the days since it stopped stay without, as a pause."""
    row, site_id = queries.get_for_update(session, ctx, subscription_id)
    check_cutoff(session, ctx, site_id, on, queries.shifts_on(session, subscription_id, on), field="on")
    gap = row.stops_on or row.starts_on
    audit.move(session, ctx, row, MACHINE, "activate")
    row.stops_on = None
    row.stop_reason = None
    if gap < on:
        last = on - timedelta(days=1)
        session.add(
            SubscriptionPause(
                id=new_id(), subscription_id=row.id, starts_on=gap, ends_on=last, reason="stopped", **_hand(ctx)
            )
        )
        said = audit.plain({"on": on, "starts_on": gap, "ends_on": last})
        audit.record(session, ctx, "subscriptions.pause", "subscription", subscription_id, after=said)
    session.flush()  # so that what reads next sees the move
    days.replan(session, ctx, site_id, first_on=on, reason="subscriptions.reactivate")


def _check_runs(order: Subscription, day: date, *, field: str) -> None:
    if not rules.runs(SubscriptionState(order.state), order.starts_on, order.stops_on, day):
        raise NotRunning(field=field, day=day, starts_on=order.starts_on, stops_on=order.stops_on, state=order.state)


def _check_wishes(session: Session, ctx: Ctx, business_id: UUID, wishes: dict[str, Any]) -> None:
    """Refuse a product that is not sold to the customer, what is out of bounds, and a driver who is none."""
    product_id = wishes.get("product_id")
    if (
        product_id
        and not queries.is_sold(session, product_id, business_id)
        and (policies.is_on(session, policies.REFERENCES) or not queries.was_sold(session, product_id, business_id))
    ):
        raise NotSold(field="product_id", product_id=product_id)
    fields.check(session, "subscription_versions", **wishes)
    _check_driver(session, ctx, wishes.get("driver_id"))


def _check_driver(session: Session, ctx: Ctx, driver_id: UUID | None) -> None:
    if driver_id is None:
        return
    if Scope.all not in ctx.actor.scopes:
        raise DriverNotYours(field="driver_id")
    if not territory.is_driver(session, ctx, driver_id):
        raise NotADriver(field="driver_id", driver_id=driver_id)


def _supersede(
    session: Session, ctx: Ctx, subscription_id: UUID, service_on: date, kind: OverrideKind
) -> Sequence[UUID]:
    """Supersede what was said about a date: everything, or the irregular entry alone by another one."""
    gone = update(SubscriptionOverride).where(
        SubscriptionOverride.subscription_id == subscription_id,
        SubscriptionOverride.service_on == service_on,
        SubscriptionOverride.superseded_at.is_(None),
    )
    if kind is OverrideKind.irregular:
        gone = gone.where(SubscriptionOverride.kind == kind)
    return session.scalars(gone.values(superseded_at=ctx.now).returning(SubscriptionOverride.id)).all()


def _write_version(session: Session, ctx: Ctx, subscription_id: UUID, valid_from: date, wanted: dict[str, Any]) -> None:
    """Write the version of a date; one that is not in force yet is replaced."""
    pattern = Pattern(wanted["pattern"])
    needed = NEEDS.get(pattern)
    if needed and not wanted.get(needed):
        raise NotAStandingOrder(field=needed, pattern=str(pattern))
    if pattern is not Pattern.irregular and wanted["quantity"] <= 0:
        raise NothingWanted(field="quantity")
    if pattern is Pattern.one_time and wanted["until_on"] < valid_from:
        raise DatesReversed(field="until_on", valid_from=valid_from, until_on=wanted["until_on"])
    facts = {name: wanted.get(name) for name in WISHES} | _hand(ctx)
    facts |= dict.fromkeys(set(NEEDS.values()) - {needed})
    session.execute(
        insert(SubscriptionVersion)
        .values(subscription_id=subscription_id, valid_from=valid_from, **facts)
        .on_conflict_do_update(index_elements=["subscription_id", "valid_from"], set_=facts)
    )


def _hand(ctx: Ctx) -> dict[str, Any]:
    return {"made_at": ctx.now, "made_by": ctx.actor.name, "via": ctx.via}
