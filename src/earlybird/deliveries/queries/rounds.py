"""Rounds with their stops and how far they are; whose a round is."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.deliveries.errors import NoSuchRound
from earlybird.deliveries.models import Round
from earlybird.deliveries.states import RoundState
from earlybird.identity.rules import reach, within
from earlybird.infra.db import rows, value
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.pages import Page, cut
from earlybird.territory.states import Shift

ROUNDS = """
SELECT r.id, r.site_id, t.name AS site_name, r.service_on, r.shift, r.name, r.driver_id, u.name AS driver_name,
       r.substitute_id, v.name AS substitute_name, r.usual_driver_id, r.standing_round_id, r.merged_into_id, r.state,
       r.state_at, coalesce(k.stops, 0) AS stops, coalesce(k.open, 0) AS open, coalesce(k.delivered, 0) AS delivered,
       coalesce(k.partially_delivered, 0) AS partially_delivered, coalesce(k.not_delivered, 0) AS not_delivered
FROM (SELECT r.* FROM rounds r WHERE {which} ORDER BY r.id DESC LIMIT :most) r
JOIN sites t ON t.id = r.site_id
LEFT JOIN users u ON u.id = r.driver_id
LEFT JOIN users v ON v.id = r.substitute_id
LEFT JOIN LATERAL (
    SELECT count(*) AS stops, count(*) FILTER (WHERE d.state IN ('planned', 'out')) AS open,
           count(*) FILTER (WHERE d.state = 'delivered') AS delivered,
           count(*) FILTER (WHERE d.state = 'partially_delivered') AS partially_delivered,
           count(*) FILTER (WHERE d.state = 'not_delivered') AS not_delivered
    FROM round_stops s JOIN deliveries d ON d.id = s.delivery_id
    WHERE s.round_id = r.id AND d.state <> 'cancelled') k ON true
ORDER BY r.id DESC"""

STOPS = """
SELECT s.position, s.is_locked, s.is_held, d.id AS delivery_id, d.order_id, o.code AS order_code, d.customer_id,
       c.name AS customer_name, c.phone AS customer_phone, o.address, c.delivery_instructions AS instructions, o.note,
       d.driver_id, d.attempt, d.state, d.state_at, coalesce(k.lines, '[]') AS lines
FROM round_stops s
JOIN deliveries d ON d.id = s.delivery_id
JOIN orders o ON o.id = d.order_id
JOIN customers c ON c.id = d.customer_id
LEFT JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_object('id', k.id, 'order_line_id', l.id, 'product_id', l.product_id,
               'product_name', l.product_name, 'unit', l.unit, 'ordered_quantity', k.ordered_quantity::text,
               'delivered_quantity', k.delivered_quantity::text) ORDER BY l.position, l.id) AS lines
    FROM delivery_lines k JOIN order_lines l ON l.id = k.order_line_id
    WHERE k.delivery_id = d.id AND k.ordered_quantity > 0) k ON true
WHERE s.round_id = :round_id AND d.state <> 'cancelled' ORDER BY s.position"""


def visible(ctx: Ctx) -> str:
    """Return the SQL condition for the rounds `r` an actor reaches: all, those they drive, the one of their link.

    Its values come from `identity.rules.reach`.
    """
    return within(
        ctx,
        round="r.driver_id = :me OR r.substitute_id = :me",
        link="r.id = ANY(CAST(:my_rounds AS uuid[]))",
    )


def page(
    session: Session,
    ctx: Ctx,
    *,
    cursor: UUID | None = None,
    limit: int = 50,
    first_on: date | None = None,
    last_on: date | None = None,
    shift: Shift | None = None,
    site_id: UUID | None = None,
    driver_id: UUID | None = None,
    state: RoundState | None = None,
) -> Page[dict[str, Any]]:
    """Return the actor's rounds with how many of their stops are made, the youngest first."""
    asked = {
        "r.id < :cursor": ("cursor", cursor),
        "r.service_on >= :first_on": ("first_on", first_on),
        "r.service_on <= :last_on": ("last_on", last_on),
        "r.shift = :shift": ("shift", shift and str(shift)),
        "r.site_id = :site_id": ("site_id", site_id),
        "(r.driver_id = :driver_id OR r.substitute_id = :driver_id)": ("driver_id", driver_id),
        "r.state = :state": ("state", state and str(state)),
    }
    which = " AND ".join([visible(ctx), *(sql for sql, (_, wanted) in asked.items() if wanted is not None)])
    found = rows(session, ROUNDS.format(which=which), {**dict(asked.values()), **reach(ctx), "most": limit + 1})
    return cut(found, limit)  # type: ignore[return-value]  # rows are mappings


def round_shown(session: Session, ctx: Ctx, round_id: UUID) -> dict[str, Any]:
    """Return a round the actor reaches, with its stops in the order they are driven."""
    which = f"r.id = :round_id AND {visible(ctx)}"
    found = rows(session, ROUNDS.format(which=which), {"round_id": round_id, **reach(ctx), "most": 1})
    if not found:
        raise NoSuchRound(field="round_id", round_id=round_id)
    return {**found[0], "in_order": rows(session, STOPS, {"round_id": round_id})}


def reached(session: Session, ctx: Ctx, round_id: UUID) -> dict[str, Any]:
    """Return site_id and service_on of a round the actor reaches."""
    found = rows(
        session,
        f"SELECT r.site_id, r.service_on FROM rounds r WHERE r.id = :round_id AND {visible(ctx)}",
        {"round_id": round_id, **reach(ctx)},
    )
    if not found:
        raise NoSuchRound(field="round_id", round_id=round_id)
    return found[0]


def for_update(session: Session, round_id: UUID) -> Round:
    """Return the round, locked until the transaction ends."""
    found = session.get(Round, round_id, with_for_update=True, populate_existing=True)
    if found is None:
        raise NoSuchRound(field="round_id", round_id=round_id)
    return found


def stops(session: Session, round_id: UUID) -> list[dict[str, Any]]:
    """List delivery_id, order_id, state, is_locked of a round's stops that are not cancelled, in their order."""
    return rows(
        session,
        "SELECT s.delivery_id, d.order_id, d.state, s.is_locked FROM round_stops s "
        "JOIN deliveries d ON d.id = s.delivery_id WHERE s.round_id = :id AND d.state <> 'cancelled' "
        "ORDER BY s.position",
        {"id": round_id},
    )


def drives_at(session: Session, driver_id: UUID, site_id: UUID) -> bool:
    """Say whether somebody drives for a site."""
    return bool(
        value(
            session,
            "SELECT true FROM memberships m JOIN users u ON u.id = m.user_id WHERE m.user_id = :driver_id "
            "AND m.role = 'driver' AND (m.site_id IS NULL OR m.site_id = :site_id) AND m.ended_at IS NULL "
            "AND u.archived_at IS NULL AND u.state <> 'disabled' LIMIT 1",
            {"driver_id": driver_id, "site_id": site_id},
        )
    )


def open_stops(session: Session, ids: Collection[UUID]) -> list[dict[str, Any]]:
    """Lock the orders of these deliveries, in the order of their ids, and return those still to be made.

    delivery_id, order_id, state of each: whoever changes a delivery holds its order first.
    """
    facts = {"ids": "{" + ",".join(map(str, ids)) + "}"}
    rows(
        session,
        "SELECT o.id FROM orders o WHERE o.id IN (SELECT order_id FROM deliveries "
        "WHERE id = ANY(CAST(:ids AS uuid[]))) ORDER BY o.id FOR NO KEY UPDATE OF o",
        facts,
    )
    return rows(
        session,
        "SELECT d.id AS delivery_id, d.order_id, d.state FROM deliveries d "
        "WHERE d.id = ANY(CAST(:ids AS uuid[])) AND d.state IN ('planned', 'out')",
        facts,
    )
