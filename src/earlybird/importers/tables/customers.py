"""Customers as a table: one row each, found again by `key`, else by phone and name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from earlybird.customers.service import facts as service
from earlybird.customers.states import CustomerState
from earlybird.identity.states import Role
from earlybird.importers.tables import cells, people
from earlybird.importers.tables.columns import Column, Columns, Problem, Row, differences
from earlybird.importers.tables.home import Home
from earlybird.importers.tables.kinds import Export, Kind, Piece, Written, alone, as_json
from earlybird.infra.db import rows
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.errors import Failure
from earlybird.kernel.states import MoveRefused

COLUMNS = Columns(
    (
        Column("key", cells.word, "how your own list names the customer", also=("external_id", "id", "customer_key")),
        Column("name", cells.text, "household or firm", required=True, also=("customer", "customer_name")),
        Column("phone", cells.phone, "as dialled in the business's country, or +CC…", also=("mobile", "phone_number")),
        Column("email", cells.email, "also the login's, unless another login has it"),
        Column("kind", cells.one_of("household", "business"), "household (default) or business"),
        Column("language", cells.language, "en (default), te, hi …"),
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

OWN = (
    "name", "phone", "email", "kind", "language", "billing_cycle", "trial_from", "notes", "delivery_instructions",
    "driver_id", "marketer_id",
)  # fmt: skip
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
       c.delivery_instructions, c.state AS status, a.name AS area, c.driver_id, c.marketer_id,
       d.id AS door_id, d.line1 AS address, d.line2, d.city, d.region, d.postal_code, d.latitude, d.longitude, d.map_url
FROM found f JOIN customers c ON c.id = f.id
LEFT JOIN areas a ON a.id = c.area_id
LEFT JOIN addresses d ON d.customer_id = c.id AND d.is_default AND d.archived_at IS NULL
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
    drivers = (
        people.staff_by_name(session, home, Role.driver) if any("driver" in row.facts for row in alone(pieces)) else {}
    )
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
    """Ask the service for what rows tell otherwise; an empty cell changes nothing, what is refused is listed."""
    areas = people.have_areas(session, home, sorted({row.facts["area"] for row, _ in told if "area" in row.facts}))
    for row, stands in told:
        facts = dict(row.facts)
        if stands["phone"] and str(facts.get("phone", "")).endswith(stands["phone"]):
            del facts["phone"]  # an older spelling of the same number
        own = differences(facts, stands, OWN)
        if facts.get("area") not in {None, stands["area"]}:
            own["area_id"] = areas[facts["area"]]
        door = differences(facts, stands, DOOR)
        if "address" in door:
            door["line1"] = door.pop("address")
        status = differences(facts, stands, ("status",)).get("status")
        try:
            with session.begin_nested():
                _ask(session, ctx, stands, own, door, status)
        except Failure as failure:
            done.refused[row.line] = Problem(failure.field or ("status" if status else None), failure.message)
            continue
        done.counts["changed" if own or door or status else "same"] += 1


def _ask(
    session: Session, ctx: Ctx, stands: dict[str, Any], own: dict[str, Any], door: dict[str, Any], status: str | None
) -> None:
    if own:
        service.change(session, ctx, stands["id"], **own)
    if door and stands["door_id"]:
        service.change_address(session, ctx, stands["id"], stands["door_id"], **door)
    elif door:
        service.add_address(session, ctx, stands["id"], is_default=True, **({"line1": ""} | door))
    if status == CustomerState.trial:
        raise MoveRefused(field="status", state=stands["status"])
    if status:
        service.move(session, ctx, stands["id"], MOVES[status], reason="told by a table")


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
