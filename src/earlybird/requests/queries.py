"""Requests as people see them, whom somebody may ask for, and what a request would change."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from earlybird.deliveries.queries import shown
from earlybird.identity.rules import reach, within
from earlybird.infra.db import rows, value
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.pages import LIMIT, Page
from earlybird.requests.errors import NoSuchRequest
from earlybird.requests.models import Request
from earlybird.requests.rules import OF_A_DAY, OPEN_DAYS
from earlybird.requests.states import Kind, RequestState
from earlybird.subscriptions import queries as subscriptions

NEAR_DAYS = 7
"""How many days before and after today a driver's stops make somebody their customer."""

TODAY = "CAST(CAST(:now AS timestamptz) AT TIME ZONE s.zone AS date)"

CUSTOMER = f"""
SELECT c.id, c.site_id, c.business_id, s.zone, {TODAY} AS today FROM customers c JOIN sites s ON s.id = c.site_id
WHERE c.archived_at IS NULL"""

ROW = """
SELECT r.*, c.name AS customer_name, p.name AS product_name, p.unit_code, u.name AS driver_name
FROM requests r JOIN customers c ON c.id = r.customer_id
LEFT JOIN products p ON p.id = r.product_id
LEFT JOIN users u ON u.id = r.driver_id"""

OVER = f"""
SELECT r.id FROM requests r JOIN sites s ON s.id = r.site_id
WHERE r.state = 'waiting' AND r.service_on < {TODAY} AND CASE
    WHEN r.kind = ANY(:of_a_day) THEN true
    WHEN r.ends_on IS NOT NULL THEN r.ends_on < {TODAY}
    ELSE r.service_on < {TODAY} - :open_days END
ORDER BY r.id"""

RUNNING = """
SELECT id FROM subscriptions WHERE customer_id = :customer_id AND state <> 'draft'
  AND (state = 'active' OR NOT :is_stop) AND (stops_on > :day OR stops_on IS NULL AND state = 'active')
  AND (CAST(:last_on AS date) IS NULL OR starts_on <= :last_on) ORDER BY id"""


def visible(ctx: Ctx) -> str:
    """Return the condition for the requests `r` somebody sees: all, those of their customer, those they asked."""
    return within(
        ctx,
        own="r.customer_id = ANY(CAST(:my_customers AS uuid[]))",
        round="r.asked_by_kind <> 'link' AND r.asked_by_id = :me",
        link="r.asked_by_kind = 'link' AND r.asked_by_id = :me",
    )


def find_customer(
    session: Session, ctx: Ctx, *, customer_id: UUID | None, delivery_id: UUID | None
) -> dict[str, Any] | None:
    """Return the customer somebody may ask for, by themselves or by a stop of theirs: id, site_id, business_id, today.

    A driver asks for those with a stop on a round of theirs a week before or after today, a link at its stops.
    """
    stop = (
        f"EXISTS (SELECT FROM deliveries d WHERE d.customer_id = c.id AND {shown.visible(ctx)} "
        "AND (CAST(:delivery_id AS uuid) IS NULL OR d.id = :delivery_id) {near})"
    )
    near = f"AND d.planned_on BETWEEN {TODAY} - {NEAR_DAYS} AND {TODAY} + {NEAR_DAYS}"
    mine = within(
        ctx, own="c.id = ANY(CAST(:my_customers AS uuid[]))", round=stop.format(near=near), link=stop.format(near="")
    )
    which = [mine]
    if customer_id is not None:
        which.append("c.id = :customer_id")
    if delivery_id is not None:
        which.append("c.id = (SELECT d.customer_id FROM deliveries d WHERE d.id = :delivery_id)")
    facts = reach(ctx) | {"customer_id": customer_id, "delivery_id": delivery_id, "now": ctx.now}
    found = rows(session, f"{CUSTOMER} AND {' AND '.join(which)}", facts)
    return found[0] if len(found) == 1 else None


def is_theirs(session: Session, customer_id: UUID, subscription_id: UUID) -> bool:
    """Return whether a standing order is the customer's."""
    return bool(
        value(
            session,
            "SELECT true FROM subscriptions WHERE id = :id AND customer_id = :customer_id",
            {"id": subscription_id, "customer_id": customer_id},
        )
    )


def running(
    session: Session, customer_id: UUID, day: date, *, last_on: date | None = None, is_stop: bool = False
) -> list[UUID]:
    """Return the standing orders of a customer that a pause or stop from `day` on would touch."""
    facts = {"customer_id": customer_id, "day": day, "last_on": last_on, "is_stop": is_stop}
    return [row["id"] for row in rows(session, RUNNING, facts)]


def shifts(session: Session, row: Request, day: date) -> list[str | None]:
    """Return the shifts whose cut-off binds a request on a day."""
    if row.subscription_id is not None:
        concerned = [row.subscription_id]
    elif row.kind == Kind.extra_product:
        concerned = []
    else:
        concerned = running(session, row.customer_id, day, last_on=row.ends_on)
    found = {shift for key in concerned for shift in subscriptions.shifts_on(session, key, day)}
    return [*sorted(found), row.shift]


def said_of(session: Session, subscription_id: UUID, day: date) -> dict[str, Any]:
    """Return what an override says of a day already: quantity, shift, driver_id; nothing where none does."""
    found = rows(
        session,
        "SELECT quantity, shift, driver_id FROM subscription_overrides WHERE subscription_id = :id "
        "AND service_on = :day AND kind = 'override' AND superseded_at IS NULL",
        {"id": subscription_id, "day": day},
    )
    return found[0] if found else {}


def find_known(session: Session, ctx: Ctx, client_id: str) -> dict[str, Any] | None:
    """Return id and digest of what the asker asked for under that name before."""
    found = rows(
        session,
        "SELECT id, digest FROM requests WHERE asked_by_kind = :kind AND asked_by_id IS NOT DISTINCT FROM :me "
        "AND client_id = :client_id",
        {"kind": ctx.actor.kind, "me": ctx.actor.id, "client_id": client_id},
    )
    return found[0] if found else None


def waiting_count(session: Session, ctx: Ctx) -> int:
    """Return how many requests of the asker wait."""
    facts = {"kind": ctx.actor.kind, "me": ctx.actor.id}
    return int(
        value(
            session,
            "SELECT count(*) FROM requests WHERE asked_by_kind = :kind AND asked_by_id IS NOT DISTINCT FROM :me "
            "AND state = 'waiting'",
            facts,
        )
    )


def get_for_update(session: Session, ctx: Ctx, request_id: UUID) -> Request:
    """Return one request, locked; what somebody may not see is not there."""
    found = session.scalar(
        select(Request)
        .where(Request.id == request_id, text(visible(ctx).replace("r.", "requests.")))
        .params(**reach(ctx))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if found is None:
        raise NoSuchRequest(field="request_id", request_id=request_id)
    return found


def page(
    session: Session,
    ctx: Ctx,
    *,
    cursor: UUID | None = None,
    limit: int = LIMIT,
    state: RequestState | None = None,
    kind: Kind | None = None,
    customer_id: UUID | None = None,
    site_id: UUID | None = None,
    first_on: date | None = None,
    last_on: date | None = None,
) -> Page[dict[str, Any]]:
    """Return the requests somebody sees, newest first."""
    asked = {
        "r.id < :cursor": ("cursor", cursor),
        "r.state = :state": ("state", state and str(state)),
        "r.kind = :kind": ("kind", kind and str(kind)),
        "r.customer_id = :customer_id": ("customer_id", customer_id),
        "r.site_id = :site_id": ("site_id", site_id),
        "r.service_on >= :first_on": ("first_on", first_on),
        "r.service_on <= :last_on": ("last_on", last_on),
    }
    which = " AND ".join([visible(ctx), *(sql for sql, (_, wanted) in asked.items() if wanted is not None)])
    facts = {**dict(asked.values()), **reach(ctx), "most": limit + 1}
    found = rows(session, f"{ROW} WHERE {which} ORDER BY r.id DESC LIMIT :most", facts)
    return Page(found[:limit], found[limit - 1]["id"] if len(found) > limit else None)


def show(session: Session, ctx: Ctx, request_id: UUID) -> dict[str, Any]:
    """Return one request with everything that happened to it."""
    facts = reach(ctx) | {"id": request_id}
    found = rows(session, f"{ROW} WHERE r.id = :id AND {visible(ctx)}", facts)
    if not found:
        raise NoSuchRequest(field="request_id", request_id=request_id)
    events = rows(
        session,
        "SELECT at, action, actor_name, reason FROM audit_entries WHERE entity = 'request' AND entity_id = :id "
        "ORDER BY id",
        facts,
    )
    return found[0] | {"events": events}


def over(session: Session, ctx: Ctx) -> Sequence[UUID]:
    """Return the waiting requests whose day went by without an answer."""
    facts = {"now": ctx.now, "of_a_day": [str(kind) for kind in OF_A_DAY], "open_days": OPEN_DAYS}
    return [row["id"] for row in rows(session, OVER, facts)]
