"""Customers as everybody may see them, their doors, who looks like whom, and what they refer to."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.customers.errors import (
    Archived,
    AreaUnknown,
    DriverUnknown,
    MarketerUnknown,
    NoSuchAddress,
    NoSuchCustomer,
    PayerUnknown,
    SiteUnknown,
)
from earlybird.customers.models import DIGITS, FOLDED, Customer
from earlybird.identity.rules import Scope, reach, within
from earlybird.identity.states import Role
from earlybird.infra.db import rows, value
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.pages import Page, cut

DEPOTS = """
SELECT s.id, s.business_id, b.country, s.kind FROM sites s JOIN businesses b ON b.id = s.business_id
WHERE s.archived_at IS NULL ORDER BY s.id
"""


def depots(session: Session) -> dict[UUID | None, dict[str, Any]]:
    """Return the sites in use (id, business_id, country, kind) by id; the only depot, where it is one, under None."""
    found = rows(session, DEPOTS)
    by_id: dict[UUID | None, dict[str, Any]] = {row["id"]: row for row in found}
    only = [row for row in found if row["kind"] == "depot"]
    return by_id | ({None: only[0]} if len(only) == 1 else {})


def depot_of(known: dict[UUID | None, dict[str, Any]], site_id: UUID | None) -> dict[str, Any]:
    """Return the depot of that id, the only one where none is named."""
    if site_id not in known:
        raise SiteUnknown(field="site_id")
    return known[site_id]


def country(session: Session, site_id: UUID) -> str:
    """Return the country of a site (ISO 3166-1, two letters)."""
    asked = "SELECT b.country FROM sites s JOIN businesses b ON b.id = s.business_id WHERE s.id = :id"
    return str(value(session, asked, {"id": site_id}))


def zone(session: Session, site_id: UUID) -> str:
    """Return the time zone of a site."""
    return str(value(session, "SELECT zone FROM sites WHERE id = :id", {"id": site_id}))


MISFITS = """
SELECT g.place, CASE
    WHEN g.area_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM areas a WHERE a.id = g.area_id AND a.site_id = g.site_id AND a.archived_at IS NULL) THEN 'area_id'
    WHEN g.driver_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM memberships m JOIN users u ON u.id = m.user_id AND u.state <> 'disabled'
        WHERE m.user_id = g.driver_id AND m.role = 'driver' AND m.ended_at IS NULL) THEN 'driver_id'
    WHEN g.marketer_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM memberships m JOIN users u ON u.id = m.user_id AND u.state <> 'disabled'
        WHERE m.user_id = g.marketer_id AND m.role = 'marketing' AND m.ended_at IS NULL) THEN 'marketer_id'
    WHEN g.bill_to_id IS NOT NULL AND (
        g.bill_to_id = g.id OR EXISTS (SELECT FROM customers o WHERE o.bill_to_id = g.id) OR NOT EXISTS (
            SELECT FROM customers c WHERE c.id = g.bill_to_id AND c.business_id = g.business_id
              AND c.bill_to_id IS NULL AND c.archived_at IS NULL)) THEN 'bill_to_id'
    END AS field
FROM unnest(CAST(:id AS uuid[]), CAST(:business_id AS uuid[]), CAST(:site_id AS uuid[]), CAST(:area_id AS uuid[]),
            CAST(:driver_id AS uuid[]), CAST(:marketer_id AS uuid[]), CAST(:bill_to_id AS uuid[]))
     WITH ORDINALITY AS g (id, business_id, site_id, area_id, driver_id, marketer_id, bill_to_id, place)
"""
LINKS = ("area_id", "driver_id", "marketer_id", "bill_to_id")
UNKNOWN = {
    "area_id": AreaUnknown,
    "driver_id": DriverUnknown,
    "marketer_id": MarketerUnknown,
    "bill_to_id": PayerUnknown,
}


def check_links(session: Session, customers: Sequence[dict[str, Any]]) -> None:
    """Refuse the first customer whose area, driver, marketer or payer is none of theirs; `row` says which, from 0."""
    if not any(row[name] for row in customers for name in LINKS):
        return
    columns = ("id", "business_id", "site_id", *LINKS)
    given = {name: [str(row[name]) if row[name] else None for row in customers] for name in columns}
    found = rows(session, f"SELECT * FROM ({MISFITS}) x WHERE field IS NOT NULL ORDER BY place LIMIT 1", given)
    if found:
        raise UNKNOWN[found[0]["field"]](field=found[0]["field"], row=found[0]["place"] - 1)


def visible(ctx: Ctx) -> str:
    """Return the condition, over a customer `c`, for the customers an actor reaches; its values come from `reach`."""
    return within(ctx, own=own(ctx, "c.id"))


def own(ctx: Ctx, customer: str) -> str:
    """Return the condition for the customers who are an actor's own, `customer` being the column that names them.

    They are those one is a member of, and for marketing those one brought; its values come from `reach`.
    """
    mine = f"{customer} = ANY(CAST(:my_customers AS uuid[]))"
    if any(reach.role == Role.marketing for reach in ctx.actor.reaches):
        mine += f" OR {customer} = ANY(ARRAY(SELECT id FROM customers WHERE marketer_id = :me))"
    return mine


def is_office(ctx: Ctx) -> bool:
    """Say whether the actor acts for the business, not only on customers who are theirs."""
    return Scope.all in ctx.actor.scopes


SHOWN = """
SELECT c.id, c.code, c.business_id, c.site_id, c.kind, c.name, c.phone, c.email, c.language, c.area_id,
       a.name AS area, c.driver_id, c.marketer_id, c.bill_to_id, c.billing_cycle, c.state, c.state_from, c.trial_from,
       {notes} AS notes, c.delivery_instructions, c.merged_into_id, c.created_at, c.archived_at,
       u.id AS login_id, u.email AS login_email, u.state AS login_state
FROM customers c
LEFT JOIN areas a ON a.id = c.area_id
LEFT JOIN users u ON u.customer_id = c.id
"""

PAGE = """
WHERE {visible} AND (c.archived_at IS NOT NULL) = :is_archived
  AND (CAST(:area_id AS uuid) IS NULL OR c.area_id = :area_id)
  AND (CAST(:state AS text) IS NULL OR c.state = :state)
  AND (CAST(:cursor AS uuid) IS NULL OR c.id < :cursor)
  AND (CAST(:q AS text) IS NULL OR c.code = upper(:q) OR c.name ILIKE :like OR c.email ILIKE :like
       OR (:digits <> '' AND c.phone LIKE '%' || :digits || '%'))
ORDER BY c.id DESC LIMIT :count
"""


def page(
    session: Session,
    ctx: Ctx,
    *,
    q: str | None = None,
    area_id: UUID | None = None,
    state: str | None = None,
    is_archived: bool = False,
    cursor: UUID | None = None,
    limit: int = 50,
) -> Page[Mapping[str, Any]]:
    """List the customers an actor reaches; `q` is looked for in code, name, e-mail and phone."""
    wanted = q.strip() if q else None
    escaped = re.sub(r"([\\%_])", r"\\\1", wanted or "")
    facts = {
        "q": wanted or None,
        "like": f"%{escaped}%",
        "digits": "".join(sign for sign in wanted or "" if sign in "0123456789"),
        "area_id": area_id,
        "state": state,
        "is_archived": is_archived,
        "cursor": cursor,
        "count": limit + 1,
    }
    found = rows(session, _shown(ctx) + PAGE.format(visible=visible(ctx)), facts | reach(ctx))
    return cut(found, limit)


def get(session: Session, ctx: Ctx, customer_id: UUID) -> dict[str, Any]:
    """Return one customer the actor reaches, with area and login; a merged one says into whom."""
    sql = _shown(ctx) + f"WHERE c.id = :id AND {visible(ctx)}"
    found = rows(session, sql, {"id": customer_id} | reach(ctx))
    if not found:
        raise NoSuchCustomer(field="customer_id")
    return found[0]


def _shown(ctx: Ctx) -> str:
    return SHOWN.format(notes="c.notes" if is_office(ctx) else "CAST(NULL AS text)")


def get_for_update(session: Session, ctx: Ctx, customer_id: UUID, *, field: str = "customer_id") -> Customer:
    """Return a customer the actor reaches, locked; one that was merged or archived is refused."""
    sql = f"SELECT c.id FROM customers c WHERE c.id = :id AND {visible(ctx)} FOR UPDATE"
    if not rows(session, sql, {"id": customer_id} | reach(ctx)):
        raise NoSuchCustomer(field=field)
    row = session.get_one(Customer, customer_id, populate_existing=True)
    if row.archived_at is not None:
        raise Archived(field=field, merged_into_id=row.merged_into_id)
    return row


def family(session: Session, customer_id: UUID) -> list[UUID]:
    """Return the customer and everybody who was merged into them: their documents and balances are read together."""
    found = rows(
        session,
        "WITH RECURSIVE f AS (SELECT CAST(:id AS uuid) AS id UNION SELECT c.id FROM customers c JOIN f "
        "ON c.merged_into_id = f.id) SELECT id FROM f",
        {"id": customer_id},
    )
    return [row["id"] for row in found]


def find_by_keys(session: Session, source: str, kind: str, keys: Sequence[str]) -> dict[str, UUID]:
    """Return the customers that another system knows by these keys."""
    found = rows(
        session,
        "SELECT key, customer_id FROM customer_keys WHERE source = :source AND kind = :kind AND key = ANY(:keys)",
        {"source": source, "kind": kind, "keys": list(keys)},
    )
    return {row["key"]: row["customer_id"] for row in found}


ADDRESSES = """
SELECT d.id, d.customer_id, d.label, d.line1, d.line2, d.city, d.region, d.postal_code, d.latitude, d.longitude,
       d.map_url, d.is_default, d.created_at
FROM addresses d JOIN customers c ON c.id = d.customer_id
WHERE d.archived_at IS NULL AND d.customer_id = ANY(:family)
"""


def addresses(session: Session, ctx: Ctx, customer_id: UUID) -> list[dict[str, Any]]:
    """List the doors of a customer, the usual one first, those of customers merged into them last."""
    get(session, ctx, customer_id)
    sql = ADDRESSES + "ORDER BY d.customer_id <> :id, NOT d.is_default, d.id"
    return rows(session, sql, {"family": family(session, customer_id), "id": customer_id})


def address(session: Session, ctx: Ctx, customer_id: UUID, address_id: UUID) -> dict[str, Any]:
    """Return one door of a customer."""
    get(session, ctx, customer_id)
    sql = ADDRESSES + "AND d.id = :id"
    found = rows(session, sql, {"family": family(session, customer_id), "id": address_id})
    if not found:
        raise NoSuchAddress(field="address_id")
    return found[0]


def serves_standing_orders(session: Session, address_id: UUID) -> bool:
    """Say whether a standing order that is not over goes to that address."""
    sql = "SELECT EXISTS (SELECT FROM subscriptions WHERE address_id = :id AND state <> 'stopped')"
    return bool(value(session, sql, {"id": address_id}))


DUPLICATES = f"""
SELECT o.id, o.code, o.name, o.phone, o.email, o.state,
       array_remove(ARRAY[
           CASE WHEN {{phone_o}} = {{phone_c}} THEN 'phone' END,
           CASE WHEN o.email = c.email THEN 'email' END,
           CASE WHEN {{name_o}} = {{name_c}} AND EXISTS (
               SELECT FROM addresses x JOIN addresses y ON {FOLDED.format("x.line1")} = {FOLDED.format("y.line1")}
               WHERE x.customer_id = o.id AND y.customer_id = c.id AND x.archived_at IS NULL AND y.archived_at IS NULL
           ) THEN 'name_and_address' END], NULL) AS same
FROM customers c
JOIN customers o ON o.business_id = c.business_id AND o.id <> c.id AND o.archived_at IS NULL
     AND ({{phone_o}} = {{phone_c}} OR o.email = c.email OR {{name_o}} = {{name_c}})
WHERE c.id = :id
ORDER BY o.id LIMIT 100
""".format(
    phone_o=DIGITS.format("o.phone"),
    phone_c=DIGITS.format("c.phone"),
    name_o=FOLDED.format("o.name"),
    name_c=FOLDED.format("c.name"),
)


def duplicates(session: Session, ctx: Ctx, customer_id: UUID) -> list[dict[str, Any]]:
    """List who may be the same customer, and what is the same: phone, e-mail, or name and address."""
    get(session, ctx, customer_id)
    return [row for row in rows(session, DUPLICATES, {"id": customer_id}) if row["same"]]


PRICES_APART = """
SELECT p.name FROM products p
WHERE EXISTS (
    SELECT FROM subscriptions s JOIN subscription_versions v ON v.subscription_id = s.id
    WHERE s.customer_id = :id AND s.state <> 'stopped' AND v.product_id = p.id)
  AND (SELECT r.unit_price FROM prices r WHERE r.product_id = p.id AND r.customer_id = :id
       ORDER BY r.valid_from DESC LIMIT 1)
  IS DISTINCT FROM (SELECT r.unit_price FROM prices r WHERE r.product_id = p.id AND r.customer_id = :into_id
       ORDER BY r.valid_from DESC LIMIT 1)
ORDER BY p.name
"""


def prices_apart(session: Session, customer_id: UUID, into_id: UUID) -> list[str]:
    """Name what the first has on standing order and the two pay different prices of their own for."""
    return [row["name"] for row in rows(session, PRICES_APART, {"id": customer_id, "into_id": into_id})]


RECIPIENTS = """
SELECT c.id, c.email, c.phone, c.language, s.zone, b.name AS business, p.channel,
       coalesce(p.is_silent, false) AS is_silent, coalesce(p.is_at_once, false) AS is_at_once,
       coalesce(p.opted_out, '{}') AS opted_out
FROM customers c JOIN sites s ON s.id = c.site_id JOIN businesses b ON b.id = c.business_id
LEFT JOIN message_preferences p ON p.customer_id = c.id
WHERE c.id = ANY(CAST(:ids AS uuid[])) AND c.archived_at IS NULL"""


def recipients(session: Session, customer_ids: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
    """Return how customers in use are reached (email, phone, language, zone, business) and what they prefer, by id."""
    found = rows(session, RECIPIENTS, {"ids": [str(key) for key in customer_ids]})
    return {row["id"]: row for row in found}
