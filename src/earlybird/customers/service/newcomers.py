"""Take customers on: the customer, the door and the login in one transaction, one or ten thousand alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.customers import queries, rules
from earlybird.customers.models import Customer
from earlybird.customers.rules import Door, Newcomer
from earlybird.identity import rules as identity
from earlybird.identity.service import customer_logins
from earlybird.infra import fields as bounds
from earlybird.infra.db import run
from earlybird.kernel import ids
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.errors import Failure

PREFIX = "C"
"""What a customer's short code begins with."""


GIVEN = """
FROM jsonb_to_recordset(CAST(:customers AS jsonb)) AS g (
    id uuid, business_id uuid, site_id uuid, code text, kind text, name text, phone text,
    phone_as_given text, email text, language text, area_id uuid, driver_id uuid,
    marketer_id uuid, bill_to_id uuid, billing_cycle text, state text,
    state_from date, trial_from date, notes text, delivery_instructions text, address jsonb, keys jsonb)
"""

CUSTOMERS = (
    """
INSERT INTO customers (id, business_id, site_id, code, kind, name, phone, phone_as_given, email, language, area_id,
    driver_id, marketer_id, bill_to_id, billing_cycle, state, state_at, state_from, trial_from, notes,
    delivery_instructions, created_at)
SELECT id, business_id, site_id, code, kind, name, phone, phone_as_given, email, language, area_id,
    driver_id, marketer_id, bill_to_id, billing_cycle, state, :now, state_from, trial_from, notes,
    delivery_instructions, :now
"""
    + GIVEN
)

DOORS = (
    """
INSERT INTO addresses (customer_id, label, line1, line2, city, region, postal_code, latitude, longitude, map_url,
    is_default, created_at)
SELECT g.id, a.label, a.line1, a.line2, a.city, a.region, a.postal_code, a.latitude, a.longitude, a.map_url, true, :now
"""
    + GIVEN
    + """
CROSS JOIN LATERAL jsonb_to_record(g.address) AS a (label text, line1 text, line2 text, city text, region text,
    postal_code text, latitude numeric, longitude numeric, map_url text)
WHERE jsonb_typeof(g.address) = 'object'
"""
)

KEYS = (
    "INSERT INTO customer_keys (source, kind, key, customer_id) SELECT k.value->>0, k.value->>1, k.value->>2, g.id "
    + GIVEN
    + "CROSS JOIN LATERAL jsonb_array_elements(g.keys) AS k (value)"
)


def create(session: Session, ctx: Ctx, wanted: Newcomer, *, first_hash: str | None = None) -> Customer:
    """Take one customer on, with their login; see `create_many`. Who has only their own wins them for themselves."""
    if not queries.is_office(ctx):
        wanted = replace(wanted, marketer_id=ctx.actor.id)
    key = _write(session, ctx, [wanted], first_hash)[0]
    row = session.get_one(Customer, key)
    said = _plain({name: fact for name, fact in _facts(wanted).items() if fact is not None and fact != ()})
    audit.record(session, ctx, "customers.create", "customer", key, after=said | {"code": row.code})
    return row


def create_many(session: Session, ctx: Ctx, wanted: Sequence[Newcomer], *, first_hash: str | None = None) -> list[UUID]:
    """Take customers on, each with a login of their own, in a few statements; return their ids in the same order.

    A fact that breaks a rule refuses them all, and names its place (`row`, from 0) and field. `first_hash` is the
    Argon2id hash of the configured first password, made once before the transaction; without it they are invited.
    """
    if not wanted:
        return []
    made = _write(session, ctx, wanted, first_hash)
    audit.record_many(session, ctx, "customers.create", "customer", made)
    return made


def logins_later(session: Session, reason: str) -> None:
    """Let the customers of this transaction be written without logins: who brings them opens those in a later step."""
    run(session, "SELECT set_config('earlybird.logins_later', :reason, true)", {"reason": reason})


def _write(session: Session, ctx: Ctx, wanted: Sequence[Newcomer], first_hash: str | None) -> list[UUID]:
    from psycopg.types.json import Jsonb

    session.flush()  # what the caller made is there for the statements below
    depots = queries.depots(session)
    made = []
    for place, (key, each) in enumerate(zip(ids.new_ids(len(wanted)), wanted, strict=True)):
        try:
            made.append(_judged(key, each, depots))
            if each.address and each.address.postal_code:
                country = queries.depot_of(depots, each.site_id)["country"]
                bounds.check_postal_code(session, each.address.postal_code, country, field="address.postal_code")
        except Failure as failure:
            failure.facts["row"] = place
            raise
    queries.check_links(session, made)
    facts = {"customers": Jsonb([_plain(row) for row in made]), "now": ctx.now}
    run(session, CUSTOMERS, facts)
    run(session, DOORS, facts)
    if any(row["keys"] for row in made):
        run(session, KEYS, facts)
    people = [
        {name: row[name] for name in ("name", "email", "phone", "language")} | {"customer_id": row["id"]}
        for row in made
    ]
    customer_logins.open_many(session, ctx, people, first_hash=first_hash)
    return [row["id"] for row in made]


def _judged(key: UUID, each: Newcomer, depots: dict[UUID | None, dict[str, Any]]) -> dict[str, Any]:
    """Return the row of a customer, its phone, e-mail and language in their one spelling."""
    depot = queries.depot_of(depots, each.site_id)
    return _facts(each) | {
        "id": key,
        "code": ids.code(PREFIX, key),
        "site_id": depot["id"],
        "business_id": depot["business_id"],
        "phone": identity.number(each.phone, depot["country"]) if each.phone else None,
        "phone_as_given": each.phone,
        "email": identity.email(each.email) if each.email else None,
        "language": rules.language(each.language),
        "address": asdict(each.address) if each.address else None,
        "keys": [list(name) for name in each.keys],
    }


def _facts(each: Newcomer) -> dict[str, Any]:
    return {field.name: getattr(each, field.name) for field in fields(each)}


def _plain(facts: dict[str, Any]) -> dict[str, Any]:
    """Return facts as JSON holds them."""
    plain = (str, int, bool, list, type(None))
    return {
        name: _plain(asdict(fact)) if isinstance(fact, Door) else _plain(fact) if isinstance(fact, dict)
        else fact if isinstance(fact, plain) else str(fact)
        for name, fact in facts.items()
    }  # fmt: skip
