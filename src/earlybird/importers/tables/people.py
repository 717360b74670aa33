"""Customers of a chunk of rows, each with a door and a login of their own, made in whole sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.customers.states import MACHINE, CustomerState
from earlybird.importers.tables.home import Home
from earlybird.importers.tables.kinds import as_json
from earlybird.infra.db import rows, run
from earlybird.kernel import ids
from earlybird.kernel.ctx import Ctx

CUSTOMERS = """
INSERT INTO customers (id, business_id, site_id, code, kind, name, phone, phone_as_given, email, language, area_id,
    driver_id, billing_cycle, state, state_at, state_from, trial_from, notes, delivery_instructions, created_at)
SELECT r.id, :business_id, :site_id, r.code, coalesce(r.kind, 'household'), r.name, r.phone, r.phone, r.email,
       coalesce(r.language, 'en'), a.id, r.driver_id, coalesce(r.billing_cycle, 'monthly'),
       coalesce(r.status, :start), :now, CASE WHEN r.status IN ('paused', 'stopped') THEN CAST(:today AS date) END,
       r.trial_from, r.notes, r.delivery_instructions, :now
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (id uuid, code text, kind text, name text, phone text, email text,
    language text, area text, driver_id uuid, billing_cycle text, status text, trial_from date, notes text,
    delivery_instructions text)
LEFT JOIN areas a ON a.site_id = :site_id AND a.name = r.area
ORDER BY r.id
"""

AREAS = """
INSERT INTO areas (site_id, name)
SELECT DISTINCT CAST(:site_id AS uuid), name FROM unnest(CAST(:names AS text[])) AS n (name) ORDER BY name
ON CONFLICT (site_id, name) DO NOTHING
"""

DOORS = """
INSERT INTO addresses (customer_id, line1, line2, city, region, postal_code, latitude, longitude, map_url, is_default,
                       created_at)
SELECT r.id, coalesce(r.address, ''), r.line2, r.city, r.region, r.postal_code, r.latitude, r.longitude, r.map_url,
       true, :now
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (id uuid, address text, line2 text, city text, region text,
    postal_code text, latitude numeric, longitude numeric, map_url text)
WHERE num_nonnulls(r.address, r.line2, r.city, r.region, r.postal_code, r.latitude, r.longitude, r.map_url) > 0
"""

KEYS = """
INSERT INTO customer_keys (source, kind, key, customer_id)
SELECT :source, :kind, r.key, r.id FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (id uuid, key text)
WHERE r.key IS NOT NULL
"""

# The customer's e-mail becomes the login's unless another login has it; families share addresses.
LOGINS = """
WITH made AS (
    INSERT INTO users (id, name, email, phone, customer_id, state, state_at, created_at)
    SELECT new_id(), r.name,
           CASE WHEN r.email IS NOT NULL AND NOT EXISTS (SELECT FROM users u WHERE u.email = r.email)
                 AND row_number() OVER (PARTITION BY r.email ORDER BY r.id) = 1
                THEN r.email ELSE 'customer-' || r.id || '@earlybird.local' END,
           r.phone, r.id, 'uninvited', :now, :now
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (id uuid, name text, email text, phone text)
    RETURNING id, customer_id
)
INSERT INTO memberships (user_id, role, customer_id, created_at)
SELECT id, 'customer', customer_id, :now FROM made
"""


def create_many(session: Session, ctx: Ctx, home: Home, told: Sequence[Mapping[str, Any]]) -> list[UUID]:
    """Make customers with their doors, keys and logins (uninvited: no message goes out); return their ids in order.

    Areas that are not there are made. A row's words are those of `customers.COLUMNS`, with `driver_id`.
    """
    made = [
        {**facts, "id": key, "code": ids.code("C", key)}
        for key, facts in zip(ids.new_ids(len(told)), told, strict=True)
    ]
    if not made:
        return []
    bound = {
        **home.keys,
        "site_id": home.site_id,
        "now": ctx.now,
        "today": home.today,
        "start": str(CustomerState(MACHINE.start)),
        "rows": as_json(made),
    }
    areas = sorted({row["area"] for row in made if row.get("area")})
    make_areas(session, home, areas)
    run(session, CUSTOMERS, bound)
    run(session, DOORS, bound)
    run(session, KEYS, bound)
    run(session, LOGINS, bound)
    found = [row["id"] for row in made]
    audit.record_many(session, ctx, "customers.create", "customer", found)
    return found


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


def make_areas(session: Session, home: Home, names: Sequence[str]) -> int:
    """Have the areas of those names; return how many were missing."""
    return run(session, AREAS, {"site_id": home.site_id, "names": list(names)}) if names else 0


def drivers_by_name(session: Session, home: Home) -> dict[str, UUID | None]:
    """Return the site's drivers by folded name; None where several have it."""
    found: dict[str, UUID | None] = {}
    for row in rows(
        session,
        "SELECT DISTINCT u.id, u.name FROM users u JOIN memberships m ON m.user_id = u.id AND m.role = 'driver' "
        "AND m.ended_at IS NULL AND (m.site_id IS NULL OR m.site_id = :site_id) WHERE u.archived_at IS NULL",
        {"site_id": home.site_id},
    ):
        name = folded(row["name"])
        found[name] = None if name in found else row["id"]
    return found


def folded(name: str) -> str:
    """Return a name as it is compared: without regard to case and blanks."""
    return " ".join(name.split()).casefold()
