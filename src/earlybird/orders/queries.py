"""Orders by key and as lists, whose they are, what they are made of, and the short codes people know them by."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session, aliased

from earlybird.catalog.queries import price_in_force
from earlybird.identity.rules import reach, within
from earlybird.infra.db import rows, value
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.ids import ALPHABET
from earlybird.kernel.pages import Page
from earlybird.orders.errors import NoSuchOrder
from earlybird.orders.models import Order, OrderLine
from earlybird.orders.states import OrderSource, OrderState

PREFIX = "EB"

ADDRESS = """
jsonb_strip_nulls(jsonb_build_object('label', a.label, 'line1', a.line1, 'line2', a.line2, 'city', a.city,
    'region', a.region, 'postal_code', a.postal_code, 'latitude', a.latitude, 'longitude', a.longitude,
    'map_url', a.map_url))"""
"""The snapshot of an address `a` that an order keeps."""

BUYER = """
SELECT c.id, c.business_id, c.site_id, c.kind, s.zone, b.cutover_on, c.archived_at IS NOT NULL AS is_archived,
       c.state = 'stopped' AS is_stopped, c.state_from
FROM customers c JOIN sites s ON s.id = c.site_id JOIN businesses b ON b.id = c.business_id
WHERE c.id = :customer_id AND """

OFFERS = f"""
SELECT p.id, p.name, p.unit_code, p.tax_class_id, p.archived_at IS NOT NULL AS is_archived, price.price_id,
       price.unit_price, coalesce(price.currency, b.currency) AS price_currency, b.currency
FROM products p JOIN businesses b ON b.id = p.business_id
{price_in_force("p.id", ":customer_id", ":day", "CAST(NULL AS numeric)")}
WHERE p.id = ANY(CAST(:product_ids AS uuid[])) AND p.business_id = :business_id"""

ROW = """
SELECT o.id, o.code, o.customer_id, c.name AS customer_name, o.site_id, o.source, o.service_on, o.shift, o.state,
       o.state_at, o.placed_at, o.note, n.amount_minor, n.line_count, b.currency
FROM (SELECT o.* FROM orders o WHERE {which} ORDER BY o.id DESC LIMIT :most) o
JOIN customers c ON c.id = o.customer_id
JOIN businesses b ON b.id = o.seller_id
CROSS JOIN LATERAL (SELECT coalesce(sum(l.amount_minor), 0)::bigint AS amount_minor, count(*) AS line_count
                    FROM order_lines l WHERE l.order_id = o.id AND l.cancelled_at IS NULL) n
ORDER BY o.id DESC"""
"""Rows of the list; the few that are shown are found before anything is added up."""


def code(key: str, length: int = 8) -> str:
    """Return the SQL of `kernel.ids.code` for an order's id: the code of a bulk-made order."""
    bits = f"('x' || right(replace({key}::text, '-', ''), 10))::bit(40)::bigint"
    letters = " || ".join(f"substr('{ALPHABET}', (bits >> {5 * n} & 31)::int + 1, 1)" for n in range(length))
    return f"(SELECT '{PREFIX}-' || {letters} FROM (SELECT {bits} AS bits) b)"


def visible(ctx: Ctx) -> str:
    """Return the SQL condition for the orders `o` an actor reaches: all, their own, their shop's.

    Its values come from `identity.rules.reach`.
    """
    return within(
        ctx,
        own="o.customer_id = ANY(CAST(:my_customers AS uuid[]))",
        shop="o.site_id = ANY(CAST(:my_sites AS uuid[]))",
    )


def get_for_update(session: Session, ctx: Ctx, order_id: UUID) -> Order:
    """Return the order the actor reaches, locked until the transaction ends."""
    o = aliased(Order, name="o")
    found = session.scalars(
        select(o)
        .where(o.id == order_id, text(visible(ctx)))
        .with_for_update(of=o)
        .execution_options(populate_existing=True),
        reach(ctx),
    ).one_or_none()
    if found is None:
        raise NoSuchOrder(field="order_id", order_id=order_id)
    return found


def lines(session: Session, order_id: UUID) -> Sequence[OrderLine]:
    """Return the lines of an order that stand, in their order."""
    return session.scalars(
        select(OrderLine)
        .where(OrderLine.order_id == order_id, OrderLine.cancelled_at.is_(None))
        .order_by(OrderLine.position, OrderLine.id)
        .execution_options(populate_existing=True)
    ).all()


def page(
    session: Session,
    ctx: Ctx,
    *,
    cursor: UUID | None,
    limit: int,
    customer_id: UUID | None = None,
    site_id: UUID | None = None,
    first_on: date | None = None,
    last_on: date | None = None,
    state: OrderState | None = None,
    source: OrderSource | None = None,
    q: str | None = None,
) -> Page[dict[str, Any]]:
    """Return the actor's orders, newest first; `q` is a code, with or without its prefix."""
    asked = {
        "o.id < :cursor": ("cursor", cursor),
        "o.customer_id = :customer_id": ("customer_id", customer_id),
        "o.site_id = :site_id": ("site_id", site_id),
        "o.service_on >= :first_on": ("first_on", first_on),
        "o.service_on <= :last_on": ("last_on", last_on),
        "o.state = :state": ("state", state and str(state)),
        "o.source = :source": ("source", source and str(source)),
        "o.code = ANY(:codes)": ("codes", codes(q) if q else None),
    }
    which = " AND ".join([visible(ctx), *(sql for sql, (_, wanted) in asked.items() if wanted is not None)])
    found = rows(session, ROW.format(which=which), {**dict(asked.values()), **reach(ctx), "most": limit + 1})
    return Page(found[:limit], found[limit - 1]["id"] if len(found) > limit else None)


def codes(q: str) -> list[str]:
    """Return the codes that what somebody typed may mean."""
    typed = q.strip().upper()
    return [typed, f"{PREFIX}-{typed}"]


def find_buyer(session: Session, ctx: Ctx, customer_id: UUID) -> dict[str, Any] | None:
    """Return whom the actor may order for: business, site, zone, kind, whether and since when gone; None for others."""
    whose = within(ctx, own="c.id = ANY(CAST(:my_customers AS uuid[]))")
    found = rows(session, BUYER + whose, {"customer_id": customer_id, **reach(ctx)})
    return found[0] if found else None


def has_address(session: Session, customer_id: UUID, address_id: UUID) -> bool:
    """Say whether the customer has that address in use."""
    return bool(
        value(
            session,
            "SELECT true FROM addresses WHERE id = :id AND customer_id = :customer_id AND archived_at IS NULL",
            {"id": address_id, "customer_id": customer_id},
        )
    )


def address_of(session: Session, customer_id: UUID, address_id: UUID | None) -> dict[str, Any] | None:
    """Return the snapshot of that address of the customer, of their default one where none is named."""
    found: dict[str, Any] | None = value(
        session,
        f"SELECT {ADDRESS} FROM addresses a WHERE a.customer_id = :customer_id AND CASE WHEN CAST(:id AS uuid) IS NULL "
        "THEN a.is_default AND a.archived_at IS NULL ELSE a.id = :id END",
        {"id": address_id, "customer_id": customer_id},
    )
    return found


def zone_of(session: Session, site_id: UUID) -> str:
    """Return the zone of a site."""
    return str(value(session, "SELECT zone FROM sites WHERE id = :id", {"id": site_id}))


def offers(
    session: Session, business_id: UUID, customer_id: UUID, product_ids: Sequence[UUID], day: date
) -> dict[UUID, dict[str, Any]]:
    """Return by id what products of the business cost the customer on that day; `unit_price` None without a price."""
    facts = {
        "business_id": business_id,
        "customer_id": customer_id,
        "product_ids": [str(key) for key in product_ids],
        "day": day,
    }
    return {row["id"]: row for row in rows(session, OFFERS, facts)}
