"""Orders with their stops, deliveries with what was told about them, and the days that were planned."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy.orm import Session

from earlybird.deliveries.errors import NoSuchDelivery
from earlybird.deliveries.states import DeliveryState, Reason
from earlybird.identity.rules import Scope, among, reach, within
from earlybird.infra.db import rows, value
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.pages import Page
from earlybird.orders import queries as orders
from earlybird.orders.errors import NoSuchOrder
from earlybird.territory import queries as territory
from earlybird.territory.states import Shift

ORDER = """
SELECT o.*, c.name AS customer_name, b.currency
FROM orders o JOIN customers c ON c.id = o.customer_id JOIN businesses b ON b.id = o.seller_id
WHERE o.id = :order_id AND {which}"""

ORDER_LINES = """
SELECT l.*, coalesce((SELECT sum(k.delivered_quantity) FROM delivery_lines k WHERE k.order_line_id = l.id), 0)
       AS delivered_quantity
FROM order_lines l WHERE l.order_id = :order_id ORDER BY l.position, l.id"""

STOPS = """
SELECT d.id, d.attempt, d.planned_on, d.shift, d.driver_id, u.name AS driver_name, d.state, d.state_at,
       said.device_at AS confirmed_at, said.actor_name AS confirmed_by, said.via
FROM deliveries d
LEFT JOIN users u ON u.id = d.driver_id
LEFT JOIN LATERAL (
    SELECT e.device_at, e.actor_name, e.via FROM delivery_events e WHERE e.delivery_id = d.id AND e.kind <> 'return'
    ORDER BY e.authority DESC, e.device_at DESC, e.client_id COLLATE "C" DESC LIMIT 1) said ON true
WHERE d.order_id = :order_id ORDER BY d.attempt"""

DELIVERIES = """
SELECT d.id, d.order_id, o.code AS order_code, d.customer_id, c.name AS customer_name, c.phone AS customer_phone,
       o.site_id, o.address, c.delivery_instructions AS instructions, o.note, d.planned_on, d.shift, d.driver_id,
       u.name AS driver_name, d.attempt, d.state, d.state_at, coalesce(k.lines, '[]') AS lines
FROM (SELECT d.* FROM deliveries d {source} ORDER BY d.id DESC LIMIT :most) d
JOIN orders o ON o.id = d.order_id
JOIN customers c ON c.id = d.customer_id
LEFT JOIN users u ON u.id = d.driver_id
LEFT JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_object('id', k.id, 'order_line_id', l.id, 'product_id', l.product_id,
               'product_name', l.product_name, 'unit', l.unit, 'ordered_quantity', k.ordered_quantity::text,
               'delivered_quantity', k.delivered_quantity::text) ORDER BY l.position, l.id) AS lines
    FROM delivery_lines k JOIN order_lines l ON l.id = k.order_line_id WHERE k.delivery_id = d.id) k ON true
ORDER BY d.id DESC"""
"""Stops with their lines; the few that are shown are found before anything is gathered."""

EVENTS = """
SELECT e.id, e.client_id, e.kind, e.actor_name, e.actor_kind, e.via, e.device_at, e.received_at, e.reason,
       CASE WHEN :is_staff THEN e.address END AS address, CASE WHEN :is_staff THEN e.device END AS device,
       CASE WHEN :is_staff THEN e.place END AS place, CASE WHEN :is_staff THEN e.device_seq END AS device_seq,
       CASE WHEN e.reason = ANY(:reasons) THEN e.reason WHEN e.reason <> '' THEN 'other' END AS reason_code,
       e.told ->> 'note' AS note, e.told -> 'lines' AS quantities, e.told -> 'empties' AS empties,
       e.told -> 'given' AS given, e.told -> 'cash' AS cash, coalesce(e.told -> 'photos', '[]') AS photos,
       coalesce(n.lines, '[]') AS lines
FROM delivery_events e
LEFT JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_object('delivery_line_id', n.delivery_line_id, 'revision', n.revision,
               'delta_quantity', n.delta_quantity::text, 'reason', n.reason) ORDER BY n.delivery_line_id) AS lines
    FROM delivery_event_lines n WHERE n.event_id = e.id) n ON true
WHERE e.delivery_id = :delivery_id ORDER BY e.received_at, e.id"""

CONFLICTS = """
SELECT f.check_name AS about, f.state, f.subject, f.facts -> 'told' AS told, f.facts ->> 'counts' AS counts,
       f.first_seen_at, f.state_at
FROM findings f WHERE f.check_name IN ('confirmations_disagree', 'cash_disagrees') AND f.subject = ANY(:subjects)
ORDER BY f.check_name DESC, f.subject"""

RUNS = """
SELECT r.id, r.site_id, s.name AS site_name, r.service_on, r.first_planned_at, r.planned_at, r.line_count
FROM plan_runs r JOIN sites s ON s.id = r.site_id WHERE {which} ORDER BY r.id DESC LIMIT :most"""


ON_ITS_DAYS = (
    "NOT EXISTS (SELECT FROM shared_links l WHERE l.id = :me AND d.planned_on NOT BETWEEN l.first_on AND l.last_on)"
)
OF_SITE = "EXISTS (SELECT FROM orders o WHERE o.id = d.order_id AND o.site_id = ANY(CAST(:my_sites AS uuid[])))"


def visible(ctx: Ctx) -> str:
    """Return the SQL condition for the deliveries `d` an actor reaches: all, their own, their round, their site's.

    A round is also its substitute's; a link reaches the stops of its round or order on its days.

    Its values come from `identity.rules.reach`.
    """
    return within(
        ctx,
        own="d.customer_id = ANY(CAST(:my_customers AS uuid[]))",
        round="d.driver_id = :me OR EXISTS (SELECT FROM round_stops w JOIN rounds r ON r.id = w.round_id "
        "WHERE w.delivery_id = d.id AND r.substitute_id = :me)",
        link="(d.order_id = ANY(CAST(:my_orders AS uuid[])) OR EXISTS (SELECT FROM round_stops w "
        f"WHERE w.delivery_id = d.id AND w.round_id = ANY(CAST(:my_rounds AS uuid[])))) AND {ON_ITS_DAYS}",
        warehouse=OF_SITE,
    )


def listed(ctx: Ctx) -> str:
    """Return what `visible` does, for a list: the stops of rounds are found first, not asked of every delivery."""
    by_substitute = "rounds r JOIN round_stops w ON w.round_id = r.id WHERE r.substitute_id = :me"
    by_round = "round_stops w WHERE w.round_id = ANY(CAST(:my_rounds AS uuid[]))"
    return within(
        ctx,
        own="d.customer_id = ANY(CAST(:my_customers AS uuid[]))",
        round=f"d.driver_id = :me OR d.id = ANY(ARRAY(SELECT w.delivery_id FROM {by_substitute}))",
        link="(d.order_id = ANY(CAST(:my_orders AS uuid[])) "
        f"OR d.id = ANY(ARRAY(SELECT w.delivery_id FROM {by_round}))) AND {ON_ITS_DAYS}",
        warehouse=OF_SITE,
    )


def order(session: Session, ctx: Ctx, order_id: UUID) -> dict[str, Any]:
    """Return the order the actor reaches, whole: lines, stops, cut-off."""
    found = rows(session, ORDER.format(which=orders.visible(ctx)), {"order_id": order_id, **reach(ctx)})
    if not found:
        raise NoSuchOrder(field="order_id", order_id=order_id)
    shown = found[0]
    lines = rows(session, ORDER_LINES, {"order_id": order_id})
    standing = [line for line in lines if line["cancelled_at"] is None]
    cutoffs = (
        territory.cutoffs(session, shown["site_id"], shown["service_on"], [Shift(shown["shift"])])
        if shown["service_on"] and shown["shift"]
        else {}
    )
    return {
        **shown,
        "amount_minor": sum(line["amount_minor"] for line in standing),
        "line_count": len(standing),
        "cutoff_at": min(cutoffs.values(), default=None),
        "lines": lines,
        "deliveries": rows(session, STOPS, {"order_id": order_id}),
    }


def page(
    session: Session,
    ctx: Ctx,
    *,
    cursor: UUID | None,
    limit: int,
    first_on: date | None = None,
    last_on: date | None = None,
    shift: Shift | None = None,
    driver_id: UUID | None = None,
    customer_id: UUID | None = None,
    site_id: UUID | None = None,
    state: DeliveryState | None = None,
) -> Page[dict[str, Any]]:
    """Return the actor's deliveries with their lines, the latest planned first."""
    asked = {
        "d.id < :cursor": ("cursor", cursor),
        "d.planned_on >= :first_on": ("first_on", first_on),
        "d.planned_on <= :last_on": ("last_on", last_on),
        "d.shift = :shift": ("shift", shift and str(shift)),
        "d.driver_id = :driver_id": ("driver_id", driver_id),
        "d.customer_id = :customer_id": ("customer_id", customer_id),
        "EXISTS (SELECT FROM orders o WHERE o.id = d.order_id AND o.site_id = :site_id)": ("site_id", site_id),
        "d.state = :state": ("state", state and str(state)),
    }
    which = [sql for sql, (_, wanted) in asked.items() if wanted is not None]
    source = "WHERE " + " AND ".join([listed(ctx), *which])
    facts = {**dict(asked.values()), **reach(ctx), "most": limit + 1}
    found = rows(session, DELIVERIES.format(source=source), facts)
    return Page(found[:limit], found[limit - 1]["id"] if len(found) > limit else None)


def delivery(session: Session, ctx: Ctx, delivery_id: UUID) -> dict[str, Any]:
    """Return the delivery the actor reaches, with its lines, all that was told about it, and where words disagree."""
    source = f"WHERE d.id = :delivery_id AND {visible(ctx)}"
    facts = {"delivery_id": delivery_id, **reach(ctx), "most": 1}
    found = rows(session, DELIVERIES.format(source=source), facts)
    if not found:
        raise NoSuchDelivery(field="delivery_id", delivery_id=delivery_id)
    is_staff = Scope.all in ctx.actor.scopes
    asked = {"delivery_id": delivery_id, "is_staff": is_staff, "reasons": [str(reason) for reason in Reason]}
    subjects = [str(delivery_id), *(line["id"] for line in found[0]["lines"])]
    return {
        **found[0],
        "events": rows(session, EVENTS, asked),
        "conflicts": rows(session, CONFLICTS, {"subjects": subjects}) if Scope.own not in ctx.actor.scopes else [],
    }


def latest_of_order(session: Session, ctx: Ctx, order_id: UUID) -> UUID | None:
    """Return the latest attempt of an order that the actor reaches, None where they reach none."""
    sql = (
        f"SELECT d.id FROM deliveries d WHERE d.order_id = :order_id AND {visible(ctx)} ORDER BY d.attempt DESC LIMIT 1"
    )
    found: UUID | None = value(session, sql, {"order_id": order_id, **reach(ctx)})
    return found


def order_of(session: Session, ctx: Ctx, delivery_id: UUID) -> dict[str, Any]:
    """Return order_id, site_id, zone and shift of the delivery the actor reaches."""
    found = rows(
        session,
        "SELECT d.order_id, d.shift, o.site_id, s.zone FROM deliveries d JOIN orders o ON o.id = d.order_id "
        f"JOIN sites s ON s.id = o.site_id WHERE d.id = :delivery_id AND {visible(ctx)}",
        {"delivery_id": delivery_id, **reach(ctx)},
    )
    if not found:
        raise NoSuchDelivery(field="delivery_id", delivery_id=delivery_id)
    return found[0]


def orders_of(session: Session, asked: Sequence[tuple[Ctx, UUID, Any]]) -> list[UUID | None]:
    """Return the order of each delivery, None where its actor does not reach it: one statement for each kind of reach.

    Each of `asked` begins with its circumstances and the delivery.
    """
    found: list[UUID | None] = [None] * len(asked)
    kinds: dict[str, list[dict[str, Any]]] = {}
    for n, (ctx, delivery_id, *_) in enumerate(asked):
        kinds.setdefault(visible(ctx), []).append({"n": n, "delivery_id": delivery_id, **reach(ctx)})
    for condition, facts in kinds.items():
        sql = (
            "SELECT a.n, d.order_id FROM json_to_recordset(CAST(:asked AS json)) AS a(n integer, delivery_id uuid, "
            "me uuid, my_customers uuid[], my_sites uuid[], my_rounds uuid[], my_orders uuid[]) "
            f"JOIN deliveries d ON d.id = a.delivery_id WHERE {among(condition, 'a')}"
        )
        for row in rows(session, sql, {"asked": orjson.dumps(facts).decode()}):
            found[row["n"]] = row["order_id"]
    return found


def plan_runs(
    session: Session,
    *,
    cursor: UUID | None,
    limit: int,
    site_id: UUID | None = None,
    first_on: date | None = None,
    last_on: date | None = None,
) -> Page[dict[str, Any]]:
    """Return the days that were planned, the one that was planned first of all last."""
    asked = {
        "r.id < :cursor": ("cursor", cursor),
        "r.site_id = :site_id": ("site_id", site_id),
        "r.service_on >= :first_on": ("first_on", first_on),
        "r.service_on <= :last_on": ("last_on", last_on),
    }
    which = " AND ".join(["true", *(sql for sql, (_, wanted) in asked.items() if wanted is not None)])
    found = rows(session, RUNS.format(which=which), {**dict(asked.values()), "most": limit + 1})
    return Page(found[:limit], found[limit - 1]["id"] if len(found) > limit else None)
