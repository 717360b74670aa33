"""Customers as a table: one row each, found again by `key`, else by phone and name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.customers.states import MACHINE
from earlybird.importers.tables import cells, people
from earlybird.importers.tables.columns import Column, Columns, Problem, Row, differences
from earlybird.importers.tables.home import Home
from earlybird.importers.tables.kinds import Export, Kind, Piece, Written, alone, as_json
from earlybird.infra.db import rows, run
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.errors import Conflict

COLUMNS = Columns(
    (
        Column("key", cells.word, "how your own list names the customer", also=("external_id", "id", "customer_key")),
        Column("name", cells.text, "household or firm", required=True, also=("customer", "customer_name")),
        Column("phone", cells.phone, "as dialled in the business's country, or +CC…", also=("mobile", "phone_number")),
        Column("email", cells.email, "also the login's, unless another login has it"),
        Column("kind", cells.one_of("household", "business"), "household (default) or business"),
        Column("language", cells.word, "en (default), te, hi …"),
        Column("area", cells.word, "part of town; made where it is not there"),
        Column("driver", cells.word, "name of the driver who always comes", also=("delivery_boy",)),
        Column("billing_cycle", cells.word, "monthly (default)"),
        Column(
            "status",
            cells.one_of("trial", "active", "paused", "stopped"),
            "trial (default), active, paused, stopped",
            also=("state",),
        ),
        Column("trial_from", cells.day, "first day of the trial", also=("trial_start_date",)),
        Column("notes", cells.text, "for the office"),
        Column("delivery_instructions", cells.text, "for the driver"),
        Column("address", cells.text, "the door: house and street", also=("line1", "address_line1")),
        Column("line2", cells.text, "more of the address", also=("address_line2",)),
        Column("city", cells.text, "city"),
        Column("region", cells.text, "state or province"),
        Column("postal_code", cells.text, "PIN or postal code", also=("pincode", "zip", "zip_code")),
        Column("latitude", cells.degrees(90), "degrees north", also=("lat",)),
        Column("longitude", cells.degrees(180), "degrees east", also=("lng", "lon")),
        Column("map_url", cells.text, "link to a map", also=("map_link",)),
    )
)

OWN = ("name", "phone", "email", "kind", "language", "billing_cycle", "trial_from", "notes", "delivery_instructions")
DOOR = ("address", "line2", "city", "region", "postal_code", "latitude", "longitude", "map_url")
MOVES = {"active": "activate", "paused": "pause", "stopped": "stop"}

KNOWN = """
WITH told AS (
    SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (line integer, key text, phone text)
), found AS (
    SELECT t.line, k.customer_id AS id FROM told t
    JOIN customer_keys k ON k.source = :source AND k.kind = :kind AND k.key = t.key
    UNION
    SELECT t.line, c.id FROM told t JOIN customers c ON c.code = t.key AND c.business_id = :business_id
    WHERE NOT EXISTS (SELECT FROM customer_keys k WHERE k.source = :source AND k.kind = :kind AND k.key = t.key)
    UNION
    SELECT t.line, c.id FROM told t CROSS JOIN LATERAL (VALUES (t.phone), (right(t.phone, 10))) AS n (phone)
    JOIN customers c ON c.phone = n.phone
    WHERE t.key IS NULL AND c.business_id = :business_id AND c.archived_at IS NULL
)
SELECT f.line, c.id, c.name, c.phone, c.email, c.kind, c.language, c.billing_cycle, c.trial_from, c.notes,
       c.delivery_instructions, c.state AS status, a.name AS area, c.driver_id, d.id AS door_id, d.line1 AS address,
       d.line2, d.city, d.region, d.postal_code, d.latitude, d.longitude, d.map_url
FROM found f JOIN customers c ON c.id = f.id
LEFT JOIN areas a ON a.id = c.area_id
LEFT JOIN addresses d ON d.customer_id = c.id AND d.is_default AND d.archived_at IS NULL
"""

CHANGE = """
UPDATE customers c SET name = coalesce(r.name, c.name), phone = coalesce(r.phone, c.phone),
    email = coalesce(r.email, c.email), kind = coalesce(r.kind, c.kind), language = coalesce(r.language, c.language),
    billing_cycle = coalesce(r.billing_cycle, c.billing_cycle), trial_from = coalesce(r.trial_from, c.trial_from),
    notes = coalesce(r.notes, c.notes), area_id = coalesce(a.id, c.area_id),
    delivery_instructions = coalesce(r.delivery_instructions, c.delivery_instructions),
    driver_id = coalesce(r.driver_id, c.driver_id)
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (id uuid, name text, phone text, email text, kind text,
    language text, billing_cycle text, trial_from date, notes text, delivery_instructions text, area text,
    driver_id uuid)
LEFT JOIN areas a ON a.site_id = :site_id AND a.name = r.area
WHERE c.id = r.id
"""

CHANGE_DOORS = """
UPDATE addresses d SET line1 = coalesce(r.address, d.line1), line2 = coalesce(r.line2, d.line2),
    city = coalesce(r.city, d.city), region = coalesce(r.region, d.region),
    postal_code = coalesce(r.postal_code, d.postal_code), latitude = coalesce(r.latitude, d.latitude),
    longitude = coalesce(r.longitude, d.longitude), map_url = coalesce(r.map_url, d.map_url)
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (door_id uuid, address text, line2 text, city text, region text,
    postal_code text, latitude numeric, longitude numeric, map_url text)
WHERE d.id = r.door_id
"""

# A customer who stopped keeps the day of it.
GONE_FROM = """
UPDATE customers SET state_from = CASE WHEN state IN ('paused', 'stopped') THEN CAST(:today AS date) END
WHERE id = ANY(CAST(:ids AS uuid[]))
"""

EXPORT = Export(
    "customers",
    """
    SELECT coalesce(k.key, c.code) AS key, c.name, c.phone, c.email, c.kind, c.language, a.name AS area,
           u.name AS driver, c.billing_cycle, c.state AS status, c.trial_from, c.notes, c.delivery_instructions,
           d.line1 AS address, d.line2, d.city, d.region, d.postal_code, d.latitude, d.longitude, d.map_url
    FROM customers c
    LEFT JOIN LATERAL (SELECT min(k.key) AS key FROM customer_keys k
                       WHERE k.customer_id = c.id AND k.source = :source AND k.kind = :kind) k ON true
    LEFT JOIN areas a ON a.id = c.area_id
    LEFT JOIN users u ON u.id = c.driver_id
    LEFT JOIN addresses d ON d.customer_id = c.id AND d.is_default AND d.archived_at IS NULL
    WHERE c.business_id = :business_id AND c.archived_at IS NULL
    ORDER BY c.id
    """,
)


def write(session: Session, ctx: Ctx, home: Home, pieces: Sequence[Piece]) -> Written:
    """Make who is not known yet, change who is told otherwise, list what may not be changed."""
    done = Written()
    drivers = people.drivers_by_name(session, home) if any("driver" in row.facts for row in alone(pieces)) else {}
    known = find(session, home, list(alone(pieces)), done)
    made: list[dict[str, Any]] = []
    told_otherwise: list[tuple[Row, dict[str, Any]]] = []
    for piece in pieces:
        row = piece.rows[0]
        if row.line in done.refused:
            continue
        if "driver" in row.facts:
            driver_id = drivers.get(people.folded(row.facts["driver"]))
            if driver_id is None:
                done.refuse(piece, "driver", "There is no driver of that name, or there are several.")
                continue
            row.facts["driver_id"] = driver_id
        stands = known.get(row.line)
        if stands is None:
            made.append(row.facts)
        else:
            told_otherwise.append((row, stands))
    people.create_many(session, ctx, home, made)
    done.counts["created"] += len(made)
    change(session, ctx, home, told_otherwise, done)
    return done


def find(session: Session, home: Home, given: Sequence[Row], done: Written) -> dict[int, dict[str, Any]]:
    """Return who the rows speak of, by line; several of one phone and name refuse the row."""
    asked = [{"line": row.line, "key": row.facts.get("key"), "phone": row.facts.get("phone")} for row in given]
    by_line: dict[int, list[dict[str, Any]]] = {}
    names = {row.line: row for row in given}
    for found in rows(session, KNOWN, {**home.keys, "rows": as_json(asked)}):
        row = names[found["line"]]
        if "key" in row.facts or people.folded(found["name"]) == people.folded(row.facts["name"]):
            by_line.setdefault(found["line"], []).append(found)
    for line, candidates in by_line.items():
        if len(candidates) > 1:
            done.refused[line] = Problem("phone", "Several customers have this phone and name; give the key.")
    return {line: candidates[0] for line, candidates in by_line.items()}


def change(session: Session, ctx: Ctx, home: Home, told: Sequence[tuple[Row, dict[str, Any]]], done: Written) -> None:
    """Change what rows tell otherwise; an empty cell changes nothing."""
    own: list[dict[str, Any]] = []
    doors: list[dict[str, Any]] = []
    new_doors: list[dict[str, Any]] = []
    moves: dict[str, list[tuple[Row, UUID]]] = {}
    for row, stands in told:
        if "key" not in row.facts and stands["phone"] and str(row.facts.get("phone", "")).endswith(stands["phone"]):
            stands = {**stands, "phone": row.facts.get("phone")}  # noqa: PLW2901  an older spelling of the same number
        changed = differences(row.facts, stands, (*OWN, "area", "driver_id"))
        door = differences(row.facts, stands, DOOR)
        status = differences(row.facts, stands, ("status",)).get("status")
        if status:
            refused = _move_problem(stands["status"], status)
            if refused:
                done.refused[row.line] = refused
                continue
            moves.setdefault(status, []).append((row, stands["id"]))
        if changed:
            own.append({"id": stands["id"], **changed})
        if door:
            (doors if stands["door_id"] else new_doors).append(
                {"id": stands["id"], "door_id": stands["door_id"], **door}
            )
        if changed or door:
            after = {name: str(value) for name, value in (changed | door).items()}
            before = {name: None if stands.get(name) is None else str(stands[name]) for name in after}
            audit.record(session, ctx, "customers.change", "customer", stands["id"], before=before, after=after)
        done.counts["changed" if changed or door or status else "same"] += 1
    _write_changes(session, ctx, home, own, doors, new_doors)
    for status, moved in moves.items():
        found = [key for _, key in moved]
        audit.move_many(session, ctx, "customers", MACHINE, MOVES[status], found, reason="told by a table")
        run(session, GONE_FROM, {"today": home.today, "ids": [str(key) for key in found]})


def _write_changes(
    session: Session,
    ctx: Ctx,
    home: Home,
    own: Sequence[dict[str, Any]],
    doors: Sequence[dict[str, Any]],
    new_doors: Sequence[dict[str, Any]],
) -> None:
    people.make_areas(session, home, sorted({row["area"] for row in own if row.get("area")}))
    if own:
        run(session, CHANGE, {"site_id": home.site_id, "rows": as_json(own)})
    if doors:
        run(session, CHANGE_DOORS, {"rows": as_json(doors)})
    if new_doors:
        run(session, people.DOORS, {"now": ctx.now, "rows": as_json(new_doors)})


def _move_problem(stands: str, status: str) -> Problem | None:
    """Say why a customer may not come to a state by one move of the machine; None where he may."""
    if status not in MOVES:
        return Problem("status", f"A customer who is {stands} is not on trial.")
    try:
        MACHINE.target(type(MACHINE.start)(stands), MOVES[status])
    except Conflict as failure:
        return Problem("status", str(failure))
    return None


def judge(row: Row, home: Home) -> Problem | None:
    """Refuse a row that has nothing to be found again by."""
    del home
    if "key" not in row.facts and "phone" not in row.facts:
        return Problem("phone", "Give a phone or a key: without one the customer cannot be found again.")
    return None


def identity(piece: Piece) -> tuple[object, ...]:
    """Return the key, else phone and name."""
    facts = piece.facts
    return ("key", facts["key"]) if "key" in facts else (facts["phone"], people.folded(facts["name"]))


KIND = Kind("customers", COLUMNS, write, identity, judge=judge)
