"""What changed of somebody's rounds since they last asked: the stops anew, and which stops are theirs at all."""

from __future__ import annotations

import base64
import binascii
from datetime import date, timedelta
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from earlybird.deliveries.queries import door
from earlybird.identity.rules import reach
from earlybird.infra.db import rows
from earlybird.kernel.ctx import Ctx

BEHIND, AHEAD = timedelta(hours=12), timedelta(hours=14)
"""The zones of the world: a day has begun somewhere 14 hours before UTC's, and lasts 12 hours longer elsewhere."""

MARK = """
SELECT pg_snapshot_xmin(now)::text AS xmin, pg_snapshot_xmax(now)::text AS xmax FROM pg_current_snapshot() AS now"""
"""Whatever a later look sees that this moment does not was written by a transaction numbered `xmin` or above.

A transaction that is under way now holds `xmin` down until it ends, and its savepoints are numbered above it.
"""

MINE = """
SELECT d.id FROM deliveries d WHERE d.driver_id = :me AND d.planned_on BETWEEN :first_on AND :last_on
UNION SELECT w.delivery_id FROM rounds r JOIN round_stops w ON w.round_id = r.id
WHERE r.substitute_id = :me AND r.service_on BETWEEN :first_on AND :last_on
UNION SELECT w.delivery_id FROM round_stops w WHERE w.round_id = ANY(CAST(:my_rounds AS uuid[]))
UNION SELECT d.id FROM deliveries d WHERE d.order_id = ANY(CAST(:my_orders AS uuid[]))"""

STOPS = f"""
SELECT d.id, d.planned_on, w.round_id FROM ({MINE}) m JOIN deliveries d ON d.id = m.id
LEFT JOIN round_stops w ON w.delivery_id = d.id ORDER BY d.planned_on, w.round_id, w.position, d.id"""

ROUNDS = f"""
SELECT r.id, r.site_id, r.service_on, r.shift, r.name, r.driver_id, r.substitute_id, r.state
FROM rounds r WHERE r.id IN (
    SELECT w.round_id FROM ({MINE}) m JOIN round_stops w ON w.delivery_id = m.id
    UNION SELECT id FROM rounds WHERE driver_id = :me AND service_on BETWEEN :first_on AND :last_on
    UNION SELECT id FROM rounds WHERE substitute_id = :me AND service_on BETWEEN :first_on AND :last_on)
ORDER BY r.service_on, r.shift DESC, r.id"""

CHANGED = f"""
SELECT d.id, d.order_id, o.code AS order_code, d.customer_id, c.name AS customer_name, c.phone AS customer_phone,
       o.site_id, o.address, c.delivery_instructions AS instructions, o.note, d.planned_on, d.shift, d.driver_id,
       u.name AS driver_name, d.attempt, d.state, d.state_at, coalesce(k.lines, '[]') AS lines, w.round_id, w.position,
       coalesce(w.is_locked, false) AS is_locked
FROM ({MINE}) m
CROSS JOIN (SELECT CAST(:newest AS xid8) AS newest) n
JOIN deliveries d ON d.id = m.id
JOIN orders o ON o.id = d.order_id
JOIN customers c ON c.id = d.customer_id
LEFT JOIN users u ON u.id = d.driver_id
LEFT JOIN round_stops w ON w.delivery_id = d.id
LEFT JOIN rounds r ON r.id = w.round_id
LEFT JOIN LATERAL (
    SELECT max(greatest(written_by(k.xmin, newest), written_by(l.xmin, newest))) AS written,
           jsonb_agg(jsonb_build_object('id', k.id, 'order_line_id', l.id, 'product_id', l.product_id,
               'product_name', l.product_name, 'unit', l.unit, 'ordered_quantity', k.ordered_quantity::text,
               'delivered_quantity', k.delivered_quantity::text) ORDER BY l.position, l.id) AS lines
    FROM delivery_lines k JOIN order_lines l ON l.id = k.order_line_id WHERE k.delivery_id = d.id) k ON true
WHERE CAST(:since AS bigint) IS NULL OR d.planned_on NOT BETWEEN :known_from AND :known_to
   OR greatest(written_by(d.xmin, newest), written_by(o.xmin, newest), written_by(c.xmin, newest),
               written_by(w.xmin, newest), written_by(r.xmin, newest), k.written) >= :since
ORDER BY d.planned_on, w.round_id, w.position, d.id"""


class Place(NamedTuple):
    """Until where a device knows its stops: every transaction below `xmin`, of the days from first to last."""

    xmin: int
    first_on: date
    last_on: date
    whose: str

    def text(self) -> str:
        """Return the cursor a device keeps and sends back."""
        told = f"{self.xmin}|{self.first_on}|{self.last_on}|{self.whose}"
        return base64.urlsafe_b64encode(told.encode()).rstrip(b"=").decode()


def read_place(cursor: str | None) -> Place | None:
    """Return what a cursor says; None for none, and for one nobody gave: then everything is new."""
    try:
        told = base64.urlsafe_b64decode((cursor or "") + "==").decode().split("|")
        xmin, first_on, last_on, whose = told
        return Place(int(xmin), date.fromisoformat(first_on), date.fromisoformat(last_on), whose)
    except (ValueError, binascii.Error):
        return None


def changes(session: Session, ctx: Ctx, cursor: str | None) -> dict[str, Any]:
    """Return the actor's rounds and stops of these days: which there are, those that changed whole, and the cursor.

    Nothing is kept for it and no writer does anything for it: what PostgreSQL notes of every row, which transaction
    wrote it, is compared with the oldest that was under way when the device last asked. So a change is never passed
    over, however late it was committed; one that was committed around the last answer may come twice.
    """
    days = timedelta(days=door.policy(session).window_days)
    first_on, last_on = (ctx.now - days - BEHIND).date(), (ctx.now + days + AHEAD).date()
    whose = f"{ctx.actor.kind}:{ctx.actor.id}"
    mark = rows(session, MARK)[0]
    known = read_place(cursor)
    if known and (known.whose != whose or known.xmin > int(mark["xmax"])):
        known = None  # another's cursor, or one of a database that has been restored since
    reached = reach(ctx)
    facts = {
        "me": reached["me"],
        "my_rounds": reached["my_rounds"],
        "my_orders": reached["my_orders"],
        "first_on": first_on,
        "last_on": last_on,
    }
    asked = {
        **facts,
        "newest": mark["xmax"],
        "since": known.xmin if known else None,
        "known_from": known.first_on if known else None,
        "known_to": known.last_on if known else None,
    }
    return {
        "cursor": Place(int(mark["xmin"]), first_on, last_on, whose).text(),
        "first_on": first_on,
        "last_on": last_on,
        "rounds": rows(session, ROUNDS, facts),
        "stops": rows(session, STOPS, facts),
        "changed": rows(session, CHANGED, asked),
    }
