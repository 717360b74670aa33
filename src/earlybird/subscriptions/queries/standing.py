"""Standing orders as people see them: within their reach, page by page, one with its history, one under lock."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from earlybird.customers.models import Customer
from earlybird.customers.queries import own
from earlybird.identity.rules import reach, within
from earlybird.infra.db import rows, value
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.pages import LIMIT, Page, cut
from earlybird.subscriptions.errors import NoSuchCustomer, NoSuchSubscription
from earlybird.subscriptions.models import Subscription, SubscriptionOverride, SubscriptionVersion
from earlybird.subscriptions.states import SubscriptionState


def visible(ctx: Ctx, customer: str = "s.customer_id") -> str:
    """Return the condition for the standing orders somebody may see, by the SQL of whose they are."""
    return within(ctx, own=own(ctx, customer))


TODAY = "CAST(CAST(:now AS timestamptz) AT TIME ZONE t.zone AS date)"

VERSION = """
jsonb_build_object('id', v.id, 'valid_from', v.valid_from, 'product_id', v.product_id, 'product_name', p.name,
    'unit_code', p.unit_code, 'quantity', CAST(v.quantity AS text), 'pattern', v.pattern, 'weekdays', v.weekdays,
    'every_n', v.every_n, 'until_on', v.until_on, 'agreed_price', CAST(v.agreed_price AS text),
    'currency', b.currency, 'shift', v.shift, 'driver_id', v.driver_id, 'made_at', v.made_at, 'made_by', v.made_by,
    'via', v.via)"""

STANDING = f"""
SELECT s.id, s.customer_id, c.code AS customer_code, c.name AS customer_name, c.area_id, s.address_id, s.starts_on,
       s.stops_on, s.state, s.state_at, s.stop_reason, s.created_at, wanted.facts AS wanted,
       EXISTS (SELECT FROM subscription_pauses u WHERE u.subscription_id = s.id AND u.cancelled_at IS NULL
               AND u.starts_on <= {TODAY} AND (u.ends_on IS NULL OR u.ends_on >= {TODAY})) AS is_paused
FROM subscriptions s
JOIN customers c ON c.id = s.customer_id
JOIN sites t ON t.id = c.site_id
JOIN businesses b ON b.id = c.business_id
LEFT JOIN LATERAL (
    SELECT v.product_id, {VERSION} AS facts FROM subscription_versions v JOIN products p ON p.id = v.product_id
    WHERE v.subscription_id = s.id
    ORDER BY v.valid_from > {TODAY}, CASE WHEN v.valid_from <= {TODAY} THEN v.valid_from END DESC, v.valid_from LIMIT 1
) wanted ON true"""
"""A standing order with the version in force today, or the first to come."""


def page(
    session: Session,
    ctx: Ctx,
    *,
    cursor: UUID | None = None,
    limit: int = LIMIT,
    customer_id: UUID | None = None,
    product_id: UUID | None = None,
    area_id: UUID | None = None,
    state: SubscriptionState | None = None,
) -> Page[Mapping[str, Any]]:
    """Return a page of the standing orders somebody may see; `product_id` is what is wanted today."""
    given = {
        "s.id < :cursor": cursor,
        "s.customer_id = :customer_id": customer_id,
        "s.state = :state": state,
        "c.area_id = :area_id": area_id,
        "wanted.product_id = :product_id AND EXISTS (SELECT FROM subscription_versions w WHERE "
        "w.subscription_id = s.id AND w.product_id = :product_id)": product_id,
    }
    conditions = [visible(ctx), *(sql for sql, fact in given.items() if fact is not None)]
    found = rows(
        session,
        f"{STANDING} WHERE {' AND '.join(conditions)} ORDER BY s.id DESC LIMIT :limit + 1",
        reach(ctx)
        | {
            "now": ctx.now,
            "cursor": cursor,
            "limit": limit,
            "customer_id": customer_id,
            "product_id": product_id,
            "area_id": area_id,
            "state": state,
        },
    )
    return cut(found, limit)


def show(session: Session, ctx: Ctx, subscription_id: UUID) -> dict[str, Any]:
    """Return one standing order with every version, its pauses, and what was said about single dates."""
    facts = reach(ctx) | {"id": subscription_id, "now": ctx.now}
    found = rows(session, f"{STANDING} WHERE s.id = :id AND {visible(ctx)}", facts)
    if not found:
        raise NoSuchSubscription(field="subscription_id", subscription_id=subscription_id)
    versions = rows(
        session,
        f"""SELECT {VERSION} AS facts FROM subscription_versions v JOIN products p ON p.id = v.product_id
        JOIN subscriptions s ON s.id = v.subscription_id JOIN customers c ON c.id = s.customer_id
        JOIN businesses b ON b.id = c.business_id WHERE v.subscription_id = :id ORDER BY v.valid_from DESC""",
        facts,
    )
    pauses = rows(
        session,
        "SELECT id, starts_on, ends_on, reason, made_at, made_by, via FROM subscription_pauses "
        "WHERE subscription_id = :id AND cancelled_at IS NULL ORDER BY starts_on DESC, id DESC",
        facts,
    )
    overrides = rows(
        session,
        "SELECT id, service_on, kind, quantity, shift, driver_id, reason, made_at, made_by, via "
        "FROM subscription_overrides WHERE subscription_id = :id AND superseded_at IS NULL "
        "ORDER BY service_on DESC, id DESC LIMIT 100",
        facts,
    )
    return found[0] | {"versions": [row["facts"] for row in versions], "pauses": pauses, "overrides": overrides}


def get_for_update(session: Session, ctx: Ctx, subscription_id: UUID) -> tuple[Subscription, UUID]:
    """Return the standing order, locked, and the site that serves its customer; not theirs is not there."""
    found = session.execute(
        select(Subscription, Customer.site_id)
        .join(Customer, Customer.id == Subscription.customer_id)
        .where(Subscription.id == subscription_id, text(visible(ctx, "subscriptions.customer_id")))
        .with_for_update(of=Subscription)
        .execution_options(populate_existing=True),
        reach(ctx),
    ).one_or_none()
    if found is None:
        raise NoSuchSubscription(field="subscription_id", subscription_id=subscription_id)
    return found[0], found[1]


def version_on(session: Session, subscription_id: UUID, day: date) -> SubscriptionVersion:
    """Return the version in force on the day, or the first one where the day lies before it."""
    in_force = select(SubscriptionVersion).where(SubscriptionVersion.subscription_id == subscription_id)
    found = (
        session.scalars(
            in_force.where(SubscriptionVersion.valid_from <= day)
            .order_by(SubscriptionVersion.valid_from.desc())
            .limit(1)
        ).first()
        or session.scalars(in_force.order_by(SubscriptionVersion.valid_from).limit(1)).first()
    )
    if found is None:
        raise NoSuchSubscription(field="subscription_id", subscription_id=subscription_id)
    return found


def shifts_on(session: Session, subscription_id: UUID, day: date) -> list[str]:
    """Return the shifts a change of the day concerns: that of its version, and those it was moved to."""
    entries = select(SubscriptionOverride.shift).where(
        SubscriptionOverride.subscription_id == subscription_id,
        SubscriptionOverride.service_on == day,
        SubscriptionOverride.superseded_at.is_(None),
    )
    moved = [shift for shift in session.scalars(entries) if shift is not None]
    return [version_on(session, subscription_id, day).shift, *moved]


def customer_served(session: Session, ctx: Ctx, customer_id: UUID) -> dict[str, Any]:
    """Return site_id, business_id, zone, is_stopped and state_from of a customer not archived and within reach."""
    found = rows(
        session,
        "SELECT c.site_id, c.business_id, t.zone, c.state = 'stopped' AS is_stopped, c.state_from "
        "FROM customers c JOIN sites t ON t.id = c.site_id "
        f"WHERE c.id = :id AND c.archived_at IS NULL AND {visible(ctx, 'c.id')}",
        reach(ctx) | {"id": customer_id},
    )
    if not found:
        raise NoSuchCustomer(field="customer_id", customer_id=customer_id)
    return found[0]


def is_sold(session: Session, product_id: UUID, business_id: UUID) -> bool:
    """Return whether a business sells a product now."""
    return bool(
        value(
            session,
            "SELECT true FROM products WHERE id = :id AND business_id = :business_id AND archived_at IS NULL",
            {"id": product_id, "business_id": business_id},
        )
    )


def was_sold(session: Session, product_id: UUID, business_id: UUID) -> bool:
    """Return whether a business sells a product, or did."""
    return bool(
        value(
            session,
            "SELECT true FROM products WHERE id = :id AND business_id = :business_id",
            {"id": product_id, "business_id": business_id},
        )
    )


def lives_at(session: Session, customer_id: UUID, address_id: UUID) -> bool:
    """Return whether an address is the customer's and in use."""
    return bool(
        value(
            session,
            "SELECT true FROM addresses WHERE id = :id AND customer_id = :customer_id AND archived_at IS NULL",
            {"id": address_id, "customer_id": customer_id},
        )
    )
