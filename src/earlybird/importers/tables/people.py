"""Customers of a chunk of rows, each with a door and a login of their own, made in whole sets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.customers.rules import Door, Newcomer
from earlybird.customers.service import newcomers
from earlybird.customers.states import MACHINE, CustomerKind, CustomerState
from earlybird.identity.states import MACHINE as MACHINE_OF_LOGINS
from earlybird.identity.states import Role
from earlybird.importers.tables.home import SOURCE, Home
from earlybird.importers.tables.kinds import as_json
from earlybird.infra.db import rows, run
from earlybird.kernel import ids
from earlybird.kernel.ctx import Ctx

AREAS = """
INSERT INTO areas (site_id, name)
SELECT DISTINCT CAST(:site_id AS uuid), name FROM unnest(CAST(:names AS text[])) AS n (name) ORDER BY name
ON CONFLICT (site_id, name) DO NOTHING
"""

MEMBERS = """
WITH made AS (
    INSERT INTO users (id, name, state, state_at, created_at)
    SELECT r.id, r.name, :state, :now, :now FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (id uuid, name text)
    RETURNING id
)
INSERT INTO memberships (user_id, role, site_id, created_at) SELECT id, :role, :site_id, :now FROM made
"""

DOOR = tuple(field.name for field in fields(Door) if field.name not in {"label", "line1"})


def create_many(session: Session, ctx: Ctx, home: Home, told: Sequence[Mapping[str, Any]]) -> list[UUID]:
    """Take customers on with their doors, keys and logins (no message goes out); return their ids in order.

    Areas that are not there are made. A row's words are those of `customers.COLUMNS`, with ids for drivers.
    """
    if not told:
        return []
    areas = have_areas(session, home, sorted({row["area"] for row in told if row.get("area")}))
    people = [_newcomer(home, row, areas) for row in told]
    return newcomers.create_many(session, ctx, people, first_hash=home.first_hash)


def _newcomer(home: Home, row: Mapping[str, Any], areas: Mapping[str, UUID]) -> Newcomer:
    door = {name: row[name] for name in DOOR if row.get(name) is not None}
    same = ("phone", "email", "driver_id", "marketer_id", "trial_from", "notes", "delivery_instructions")
    state = CustomerState(row.get("status") or MACHINE.start)
    return Newcomer(
        name=row["name"],
        site_id=home.site_id,
        kind=CustomerKind(row.get("kind") or CustomerKind.household),
        language=row.get("language") or "en",
        billing_cycle=row.get("billing_cycle") or "monthly",
        area_id=areas.get(row.get("area") or ""),
        state=state,
        state_from=home.today if state in {CustomerState.paused, CustomerState.stopped} else None,
        address=Door(line1=row.get("address") or "", **door) if door or row.get("address") else None,
        keys=[(SOURCE, str(home.business_id), row["key"])] if row.get("key") else [],
        **{name: row.get(name) for name in same},
    )


def have(session: Session, ctx: Ctx, home: Home, told: Mapping[str, Mapping[str, Any]]) -> dict[str, UUID]:
    """Return the customers of those keys; one that is not there is made of what is told of him."""
    found = {
        row["key"]: row["customer_id"]
        for row in rows(
            session,
            "SELECT key, customer_id FROM customer_keys "
            "WHERE source = :source AND kind = :kind AND key = ANY(CAST(:keys AS text[]))",
            {**home.keys, "keys": list(told)},
        )
    }
    lacking = [key for key in told if key not in found]
    made = create_many(session, ctx, home, [{**told[key], "key": key} for key in lacking])
    return found | dict(zip(lacking, made, strict=True))


def have_areas(session: Session, home: Home, names: Sequence[str]) -> dict[str, UUID]:
    """Return the areas of those names; one that is not there is made."""
    bound = {"site_id": home.site_id, "names": list(names)}
    if not names:
        return {}
    run(session, AREAS, bound)
    sql = "SELECT name, id FROM areas WHERE site_id = :site_id AND name = ANY(CAST(:names AS text[]))"
    return {row["name"]: row["id"] for row in rows(session, sql, bound)}


def have_staff(
    session: Session, ctx: Ctx, home: Home, role: Role, names: Iterable[str]
) -> tuple[dict[str, UUID | None], int]:
    """Return who has that role by folded name, made with a login where nobody has it, and how many were made."""
    there = staff_by_name(session, home, role)
    lacking: dict[str, str] = {}
    for name in names:
        if folded(name) not in there:
            lacking.setdefault(folded(name), name)
    made: list[dict[str, Any]] = [
        {"id": key, "name": name} for key, name in zip(ids.new_ids(len(lacking)), lacking.values(), strict=True)
    ]
    if made:
        bound = {"now": ctx.now, "site_id": home.site_id, "role": str(role), "state": str(MACHINE_OF_LOGINS.start)}
        run(session, MEMBERS, bound | {"rows": as_json(made)})
        audit.record_many(session, ctx, "users.create", "user", [row["id"] for row in made])
    return there | dict(zip(lacking, (row["id"] for row in made), strict=True)), len(made)


def staff_by_name(session: Session, home: Home, role: Role) -> dict[str, UUID | None]:
    """Return who holds a role at the site by folded name; None where several have it."""
    found: dict[str, UUID | None] = {}
    for row in rows(
        session,
        "SELECT DISTINCT u.id, u.name FROM users u JOIN memberships m ON m.user_id = u.id AND m.role = :role "
        "AND m.ended_at IS NULL AND (m.site_id IS NULL OR m.site_id = :site_id) WHERE u.archived_at IS NULL",
        {"site_id": home.site_id, "role": str(role)},
    ):
        name = folded(row["name"])
        found[name] = None if name in found else row["id"]
    return found


def folded(name: str) -> str:
    """Return a name as it is compared: without regard to case and blanks."""
    return " ".join(name.split()).casefold()
