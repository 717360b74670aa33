"""Standing orders as a table: one row each, as wanted now; found again by `key`, else by customer, product and start.

A standing order may have begun long ago; what is due counts from its start, and is planned from the
first day whose cut-off has not passed: a table never makes a day due that was planned or is over.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.identity.states import Role
from earlybird.importers.tables import cells, parties
from earlybird.importers.tables.columns import Column, Columns, Problem, Row, differences
from earlybird.importers.tables.home import Home
from earlybird.importers.tables.kinds import Export, Kind, Piece, Written, alone, as_json
from earlybird.importers.tables.people import folded, staff_by_name
from earlybird.importers.tables.products import Shelf
from earlybird.infra.db import rows, run
from earlybird.kernel import ids
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.errors import Failure
from earlybird.subscriptions import service as subscriptions
from earlybird.subscriptions.errors import DatesReversed, NotAStandingOrder
from earlybird.subscriptions.states import Pattern, StandingShift, SubscriptionState
from earlybird.territory import queries as territory
from earlybird.territory.states import Shift

COLUMNS = Columns(
    (
        Column("key", cells.word, "how your own list names the standing order", also=("external_id", "id")),
        Column("customer", cells.word, "key or code of the customer", required=True, also=("customer_key",)),
        Column("product", cells.word, "key or name of the product", required=True, also=("product_key",)),
        Column("quantity", cells.quantity, "in the product's unit, each time it is due", required=True),
        Column(
            "pattern",
            cells.one_of(
                *Pattern, also={"fixed_daily": "daily", "weekly_pattern": "weekly", "alternate_days": "every_nth"}
            ),
            "daily (default), weekly, every_nth, one_time, irregular",
        ),
        Column("weekdays", cells.weekdays, "of a weekly order: mon,wed,fri or 0,2,4 (0 = Monday)"),
        Column("every_n", cells.whole(1, 366), "of every_nth: each n-th day from the start"),
        Column("until_on", cells.day, "of one_time: its last day"),
        Column("shift", cells.one_of(*StandingShift), "morning (default), evening or both"),
        Column("starts_on", cells.day, "first day it is due", required=True, also=("start_date",)),
        Column("stops_on", cells.day, "first day without it", also=("stop_date",)),
        Column("price", cells.price, "agreed unit price; else the list's", also=("agreed_price",)),
        Column("driver", cells.word, "name of the driver who brings it"),
        Column("status", cells.one_of(*SubscriptionState), "active (default), draft, stopped", also=("state",)),
    )
)

WISHES = ("quantity", "pattern", "weekdays", "every_n", "until_on", "agreed_price", "shift", "driver_id")

KNOWN = """
WITH told AS (
    SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (line integer, key text, customer_id uuid,
        product_id uuid, starts_on date)
), found AS (
    SELECT t.line, k.subscription_id AS id FROM told t
    JOIN subscription_keys k ON k.source = :source AND k.kind = :kind AND k.key = t.key
    UNION
    SELECT t.line, s.id FROM told t
    JOIN subscriptions s ON s.customer_id = t.customer_id AND s.starts_on = t.starts_on
    WHERE t.key IS NULL AND EXISTS (SELECT FROM subscription_versions v WHERE v.subscription_id = s.id
                                    AND v.product_id = t.product_id)
)
SELECT f.line, s.id, s.customer_id, s.starts_on, s.stops_on, s.state AS status, v.product_id, v.quantity, v.pattern,
       CAST(v.weekdays AS integer[]) AS weekdays, v.every_n, v.until_on, v.agreed_price, v.shift, v.driver_id
FROM found f JOIN subscriptions s ON s.id = f.id
JOIN LATERAL (SELECT * FROM subscription_versions v WHERE v.subscription_id = s.id
              ORDER BY v.valid_from DESC LIMIT 1) v ON true
"""

ORDERS = """
INSERT INTO subscriptions (id, customer_id, starts_on, stops_on, state, state_at, created_at)
SELECT r.id, r.customer_id, r.starts_on, r.stops_on, r.status, :now, :now
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (id uuid, customer_id uuid, starts_on date, stops_on date,
    status text)
"""

VERSIONS = """
INSERT INTO subscription_versions (subscription_id, valid_from, product_id, quantity, pattern, weekdays, every_n,
    until_on, agreed_price, shift, driver_id, made_at, made_by, via)
SELECT r.id, r.valid_from, r.product_id, r.quantity, r.pattern,
       CASE WHEN r.weekdays IS NOT NULL THEN ARRAY(SELECT CAST(d AS smallint) FROM jsonb_array_elements_text(r.weekdays)
                                                   AS d) END,
       r.every_n, r.until_on, r.agreed_price, r.shift, r.driver_id, :now, :by, :via
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (id uuid, valid_from date, product_id uuid, quantity numeric,
    pattern text, weekdays jsonb, every_n integer, until_on date, agreed_price numeric, shift text, driver_id uuid)
"""

KEYS = """
INSERT INTO subscription_keys (source, kind, key, subscription_id)
SELECT :source, :kind, r.key, r.id FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (id uuid, key text)
WHERE r.key IS NOT NULL
"""

EXPORT = Export(
    "subscriptions",
    """
    SELECT sk.key, coalesce(ck.key, c.code) AS customer, coalesce(pk.key, p.name) AS product, v.quantity,
           v.pattern, array_to_string(v.weekdays, ',') AS weekdays, v.every_n, v.until_on, v.shift, s.starts_on,
           s.stops_on, v.agreed_price AS price, u.name AS driver, s.state AS status
    FROM subscriptions s
    JOIN customers c ON c.id = s.customer_id AND c.business_id = :business_id
    JOIN LATERAL (SELECT * FROM subscription_versions v WHERE v.subscription_id = s.id
                  ORDER BY v.valid_from DESC LIMIT 1) v ON true
    JOIN products p ON p.id = v.product_id
    LEFT JOIN users u ON u.id = v.driver_id
    LEFT JOIN LATERAL (SELECT min(k.key) AS key FROM subscription_keys k
                       WHERE k.subscription_id = s.id AND k.source = :source AND k.kind = :kind) sk ON true
    LEFT JOIN LATERAL (SELECT min(k.key) AS key FROM customer_keys k
                       WHERE k.customer_id = c.id AND k.source = :source AND k.kind = :kind) ck ON true
    LEFT JOIN LATERAL (SELECT min(k.key) AS key FROM product_keys k
                       WHERE k.product_id = p.id AND k.source = :source AND k.kind = :kind) pk ON true
    ORDER BY s.id
    """,
)


def judge(row: Row, home: Home) -> Problem | None:
    """Hold the rules of a standing order: what its pattern needs, and days in their order."""
    del home
    facts = row.facts
    facts.setdefault("pattern", str(Pattern.daily))
    facts.setdefault("shift", str(StandingShift.morning))
    facts.setdefault("status", str(SubscriptionState.active))
    if "price" in facts:
        facts["agreed_price"] = facts["price"]
    needed = {"weekly": "weekdays", "every_nth": "every_n", "one_time": "until_on"}.get(facts["pattern"])
    if facts["pattern"] == "every_nth":
        facts.setdefault("every_n", 2)
    if needed and needed not in facts:
        return Problem(needed, str(NotAStandingOrder()))
    for last in ("stops_on", "until_on"):
        if last in facts and facts[last] < facts["starts_on"]:
            return Problem(last, str(DatesReversed()))
    if facts["status"] == "stopped" and "stops_on" not in facts:
        return Problem("stops_on", "A stopped order has its first day without.")
    return None


def resolve(session: Session, home: Home, pieces: Sequence[Piece], done: Written) -> list[Piece]:
    """Put customer, product and driver into the facts of rows that name ones there are; refuse the others."""
    customers = parties.find(session, home, {row.facts["customer"] for row in alone(pieces)})
    shelf = Shelf(session, home)
    drivers = staff_by_name(session, home, Role.driver) if any("driver" in row.facts for row in alone(pieces)) else {}
    found = []
    for piece in pieces:
        facts = piece.facts
        customer = customers.get(facts["customer"])
        product = shelf.named(facts["product"])
        if customer is None:
            done.refuse(piece, "customer", parties.UNKNOWN)
        elif product is None:
            done.refuse(piece, "product", shelf.rule(facts["product"]))
        elif "driver" in facts and drivers.get(folded(facts["driver"])) is None:
            done.refuse(piece, "driver", "There is no driver of that name, or there are several.")
        else:
            facts |= {"customer_id": customer["id"], "site_id": customer["site_id"], "product_id": product["id"]}
            if "driver" in facts:
                facts["driver_id"] = drivers[folded(facts["driver"])]
            found.append(piece)
    return found


def write(session: Session, ctx: Ctx, home: Home, pieces: Sequence[Piece]) -> Written:
    """Take new standing orders in one set; what a known one wants otherwise is asked of its service."""
    done = Written()
    found = resolve(session, home, pieces, done)
    told = [{"line": piece.line, **piece.facts} for piece in found]
    known = {row["line"]: row for row in rows(session, KNOWN, {**home.keys, "rows": as_json(told)})}
    made: list[dict[str, Any]] = []
    seen: dict[tuple[object, ...], Piece] = {}
    for piece in found:
        stands = known.get(piece.line)
        place = (piece.facts["customer_id"], piece.facts["product_id"], piece.facts["starts_on"])
        if stands is None and "key" not in piece.facts and seen.setdefault(place, piece) is not piece:
            done.refuse(piece, "starts_on", f"Line {seen[place].line} is of the same customer, product and day.")
        elif stands is None:
            made.append(piece.facts)
        else:
            _change(session, ctx, piece, stands, done)
    create_many(session, ctx, home, made)
    done.counts["created"] += len(made)
    return done


def create_many(session: Session, ctx: Ctx, home: Home, told: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Make standing orders of rows whose rules were held; return the rows with their ids."""
    opens: dict[tuple[Any, str], date] = {}
    made = []
    for key, facts in zip(ids.new_ids(len(told)), told, strict=True):
        place = (facts["site_id"], facts["shift"])
        if place not in opens:
            shifts = list(Shift) if facts["shift"] == StandingShift.both else [Shift(facts["shift"])]
            opens[place] = territory.first_open_on(session, facts["site_id"], shifts, ctx.now)
        valid_from = max(facts["starts_on"], opens[place])
        made.append({**facts, "id": key, "valid_from": valid_from})
    if made:
        bound = {**home.keys, "now": ctx.now, "by": ctx.actor.name, "via": ctx.via, "rows": as_json(made)}
        run(session, ORDERS, bound)
        run(session, VERSIONS, bound)
        run(session, KEYS, bound)
        audit.record_many(session, ctx, "subscriptions.create", "subscription", [row["id"] for row in made])
    return made


def _change(session: Session, ctx: Ctx, piece: Piece, stands: dict[str, Any], done: Written) -> None:
    """Ask the service for what the row wants otherwise, from the first open day on; list what it refuses."""
    facts = piece.facts
    fixed = differences(facts, stands, ("customer_id", "product_id", "starts_on"))
    if fixed:
        name = next(iter(fixed)).removesuffix("_id")
        done.refuse(
            piece, name, "Customer, product and start of a standing order do not change; stop it, take a new one."
        )
        return
    wishes = differences(facts, stands, WISHES)
    stop = differences(facts, stands, ("stops_on",)).get("stops_on")
    status = differences(facts, stands, ("status",)).get("status")
    if not wishes and stop is None and status is None:
        done.counts["same"] += 1
        return
    if (status and not (status == "stopped" and stop)) or stands["status"] == "stopped":
        done.refuse(piece, "status", f"The standing order is {stands['status']}; a table stops one, and no more.")
        return
    shifts = (
        list(Shift) if "both" in {facts["shift"], stands["shift"]} else [Shift(facts["shift"]), Shift(stands["shift"])]
    )
    try:
        with session.begin_nested():
            if wishes:
                since = max(stands["starts_on"], territory.first_open_on(session, facts["site_id"], shifts, ctx.now))
                subscriptions.change(session, ctx, stands["id"], valid_from=since, **wishes)
            if stop:
                subscriptions.stop(session, ctx, stands["id"], stops_on=stop, reason="told by a table")
    except Failure as failure:
        done.refuse(piece, failure.field, failure.message)
        return
    done.counts["changed"] += 1


def identity(piece: Piece) -> tuple[object, ...] | None:
    """Return the key; without one, customer, product and start as they were written."""
    facts = piece.facts
    if "key" in facts:
        return ("key", facts["key"])
    return (facts["customer"], folded(facts["product"]), facts["starts_on"])


KIND = Kind("subscriptions", COLUMNS, write, identity, judge=judge)
