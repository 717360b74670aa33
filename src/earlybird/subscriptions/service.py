"""Change a standing order: every change is dated, is refused after the cut-off of its date, and leaves a trace."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.customers.models import Customer
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.ids import new_id
from earlybird.subscriptions import queries
from earlybird.subscriptions.errors import CutoffPassed, DatesReversed, NoSuchCustomer, NoSuchPause, NotAStandingOrder
from earlybird.subscriptions.models import Subscription, SubscriptionOverride, SubscriptionPause, SubscriptionVersion
from earlybird.subscriptions.states import MACHINE, OverrideKind, Pattern, StandingShift, SubscriptionState
from earlybird.territory import queries as territory
from earlybird.territory.states import Shift

WISHES = ("product_id", "quantity", "pattern", "weekdays", "every_n", "until_on", "agreed_price", "shift", "driver_id")


def check_cutoff(
    session: Session, ctx: Ctx, site_id: UUID, service_on: date, shifts: Iterable[str], *, field: str
) -> datetime | None:
    """Return the first cut-off of the date's shifts (`both`: of either); refuse when it has passed."""
    wanted = [s for s in Shift if any(shift in (s, StandingShift.both) for shift in shifts)]
    at = min(territory.cutoffs(session, site_id, service_on, wanted).values(), default=None)
    if at is not None and at < ctx.now:
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
    site_id = session.scalars(select(Customer.site_id).where(Customer.id == customer_id)).one_or_none()
    if site_id is None:
        raise NoSuchCustomer(field="customer_id", customer_id=customer_id)
    check_cutoff(session, ctx, site_id, starts_on, [shift], field="starts_on")
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
    audit.record(session, ctx, "subscriptions.create", "subscription", row.id, after=_plain(wanted))
    audit.move(session, ctx, row, MACHINE, "activate")
    session.flush()  # so that what reads next sees the move
    return row


def change(session: Session, ctx: Ctx, subscription_id: UUID, *, valid_from: date, **wishes: Any) -> None:
    """Want something else from `valid_from` on: what is not named stays as the version before has it."""
    _, site_id = queries.get_for_update(session, subscription_id)
    before = queries.version_on(session, subscription_id, valid_from)
    old = {name: getattr(before, name) for name in WISHES}
    new = old | wishes
    check_cutoff(session, ctx, site_id, valid_from, [old["shift"], new["shift"]], field="valid_from")
    _write_version(session, ctx, subscription_id, valid_from, new)
    audit.record(
        session,
        ctx,
        "subscriptions.change",
        "subscription",
        subscription_id,
        before=_plain({name: old[name] for name in wishes}),
        after=_plain({"valid_from": valid_from, **wishes}),
    )


def pause(
    session: Session,
    ctx: Ctx,
    subscription_id: UUID,
    *,
    starts_on: date,
    ends_on: date | None = None,
    reason: str | None = None,
) -> UUID:
    """Deliver nothing from `starts_on` to `ends_on`, both included; without an end until resumed."""
    if ends_on is not None and ends_on < starts_on:
        raise DatesReversed(field="ends_on", starts_on=starts_on, ends_on=ends_on)
    _, site_id = queries.get_for_update(session, subscription_id)
    shift = queries.version_on(session, subscription_id, starts_on).shift
    closes_at = check_cutoff(session, ctx, site_id, starts_on, [shift], field="starts_on")
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
    said = _plain({"starts_on": starts_on, "ends_on": ends_on})
    audit.record(session, ctx, "subscriptions.pause", "subscription", subscription_id, after=said, reason=reason)
    return row.id


def resume(session: Session, ctx: Ctx, subscription_id: UUID, *, on: date, reason: str | None = None) -> None:
    """Deliver again from `on`: a pause running then ends the day before, later ones are cancelled."""
    _, site_id = queries.get_for_update(session, subscription_id)
    shift = queries.version_on(session, subscription_id, on).shift
    check_cutoff(session, ctx, site_id, on, [shift], field="on")
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
    said = _plain({"on": on, "pauses": [str(row.id) for row in pauses]})
    audit.record(session, ctx, "subscriptions.resume", "subscription", subscription_id, after=said, reason=reason)


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
) -> UUID:
    """Say for one date how much (0 is none), in which shift, by whom; it supersedes what was said before.

    None leaves the quantity, the shift or the driver as the standing order has it.
    """
    _, site_id = queries.get_for_update(session, subscription_id)
    shifts = [queries.version_on(session, subscription_id, service_on).shift, *([shift] if shift else [])]
    closes_at = check_cutoff(session, ctx, site_id, service_on, shifts, field="service_on")
    session.execute(
        update(SubscriptionOverride)
        .where(
            SubscriptionOverride.subscription_id == subscription_id,
            SubscriptionOverride.service_on == service_on,
            SubscriptionOverride.kind == kind,
            SubscriptionOverride.superseded_at.is_(None),
        )
        .values(superseded_at=ctx.now)
    )
    said = {"service_on": service_on, "kind": kind, "quantity": quantity, "shift": shift, "driver_id": driver_id}
    row = SubscriptionOverride(
        id=new_id(), subscription_id=subscription_id, reason=reason, cutoff_at=closes_at, **said, **_hand(ctx)
    )
    session.add(row)
    session.flush()  # so that what reads next sees the entry
    audit.record(
        session, ctx, "subscriptions.override", "subscription", subscription_id, after=_plain(said), reason=reason
    )
    return row.id


def stop(session: Session, ctx: Ctx, subscription_id: UUID, *, stops_on: date, reason: str) -> None:
    """End the standing order: `stops_on` is the first day without delivery; days before keep theirs."""
    row, site_id = queries.get_for_update(session, subscription_id)
    shift = queries.version_on(session, subscription_id, stops_on).shift
    check_cutoff(session, ctx, site_id, stops_on, [shift], field="stops_on")
    row.stops_on = stops_on if row.stops_on is None else min(stops_on, row.stops_on)
    row.stop_reason = reason
    audit.move(session, ctx, row, MACHINE, "stop", reason=reason)
    session.flush()  # so that what reads next sees the end


def _write_version(session: Session, ctx: Ctx, subscription_id: UUID, valid_from: date, wanted: dict[str, Any]) -> None:
    """Write the version of a date; one that is not in force yet is replaced."""
    pattern = Pattern(wanted["pattern"])
    needed = {Pattern.weekly: "weekdays", Pattern.every_nth: "every_n", Pattern.one_time: "until_on"}.get(pattern)
    if needed and not wanted.get(needed):
        raise NotAStandingOrder(field=needed, pattern=str(pattern))
    facts = {name: wanted.get(name) for name in WISHES} | _hand(ctx)
    session.execute(
        insert(SubscriptionVersion)
        .values(subscription_id=subscription_id, valid_from=valid_from, **facts)
        .on_conflict_do_update(index_elements=["subscription_id", "valid_from"], set_=facts)
    )


def _hand(ctx: Ctx) -> dict[str, Any]:
    return {"made_at": ctx.now, "made_by": ctx.actor.name, "via": ctx.via}


def _plain(facts: dict[str, Any]) -> dict[str, Any]:
    """Return the facts as JSON can hold them."""
    kept = (int, list, type(None))
    return {name: value if isinstance(value, kept) else str(value) for name, value in facts.items()}
