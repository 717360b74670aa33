"""A business in which everybody has something of their own and something that is not theirs, and ways in for all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from earlybird.deliveries.service import links
from earlybird.identity import tokens
from earlybird.identity.rules import KEY_MARK, fingerprint
from earlybird.identity.service import grants
from earlybird.infra import db
from earlybird.infra.security import Keys
from earlybird.kernel import ids
from earlybird.requests import service as requests
from earlybird.requests.states import Kind
from earlybird.routes.service import cutting
from make.entrance import CTX, person, token_of
from make.month import month

ROLES = ("admin", "support", "customer", "driver", "merchant", "warehouse", "marketing", "supplier")
STRANGERS = ("nobody", "garbage", "expired", "revoked", "disabled", "ended", "other_key", "cookie_guess", "dead_key")

SPLIT = (
    "INSERT INTO sites (business_id, kind, name, zone) SELECT business_id, 'warehouse', 'Far away', zone FROM sites LIMIT 1",
    (
        "UPDATE orders SET site_id = (SELECT id FROM sites WHERE name = 'Far away') "
        "WHERE customer_id = (SELECT id FROM customers WHERE code = 'C-0002')"
    ),
    "INSERT INTO users (name, email, state) VALUES ('Other Driver', 'other@example.com', 'active')",
    (
        "INSERT INTO memberships (user_id, role, site_id) SELECT u.id, 'driver', s.id FROM users u, sites s "
        "WHERE u.name = 'Other Driver' AND s.name = 'Far away'"
    ),
    (
        "UPDATE deliveries SET driver_id = (SELECT id FROM users WHERE name = 'Other Driver') "
        "WHERE customer_id = (SELECT id FROM customers WHERE code = 'C-0002')"
    ),
    "INSERT INTO areas (site_id, name) SELECT id, 'Main - ' || name FROM sites",
    (
        "INSERT INTO area_drivers (area_id, shift, driver_id, valid_from) SELECT a.id, 'morning', m.user_id, '2025-01-01' "
        "FROM areas a JOIN memberships m ON m.site_id = a.site_id AND m.role = 'driver'"
    ),
    (
        "INSERT INTO messages (kind, channel, address, language, customer_id, subject, state, state_at, queued_at, next_try_at, facts) "
        "SELECT 'pause_open', 'sms', phone, language, id, 'Paused', 'sent', now(), now(), now(), "
        """'{"business": "Dairy", "since": "2026-01-10", "items": "Milk"}' FROM customers"""
    ),
    "UPDATE customers c SET area_id = (SELECT a.id FROM areas a WHERE a.site_id = c.site_id)",
    (
        "INSERT INTO adjustments (business_id, customer_id, kind, amount_minor, currency, effective_on, reason) "
        "SELECT business_id, id, 'fee', 1500, 'INR', '2026-01-10', 'crate lost' FROM customers"
    ),
)
"""Customer C-0002 is served from another site by another driver: theirs. C-0001 is mine."""

THINGS: Mapping[str, str] = {
    "customer_id": "SELECT id FROM customers WHERE id = :customer",
    "address_id": "SELECT id FROM addresses WHERE customer_id = :customer LIMIT 1",
    "subscription_id": "SELECT id FROM subscriptions WHERE customer_id = :customer LIMIT 1",
    "order_id": "SELECT id FROM orders WHERE customer_id = :customer ORDER BY service_on DESC, id LIMIT 1",
    "delivery_id": "SELECT id FROM deliveries WHERE customer_id = :customer ORDER BY planned_on DESC, id LIMIT 1",
    "driver_id": "SELECT driver_id FROM deliveries WHERE customer_id = :customer AND driver_id IS NOT NULL LIMIT 1",
    "invoice_id": "SELECT id FROM invoices WHERE customer_id = :customer AND state <> 'draft' LIMIT 1",
    "line_id": "SELECT l.id FROM invoice_lines l JOIN invoices i ON i.id = l.invoice_id "
    "WHERE i.customer_id = :customer LIMIT 1",
    "payment_id": "SELECT id FROM payments WHERE customer_id = :customer LIMIT 1",
    "charge_id": "SELECT id FROM charges WHERE customer_id = :customer LIMIT 1",
    "message_id": "SELECT id FROM messages WHERE customer_id = :customer LIMIT 1",
    "product_id": "SELECT id FROM products ORDER BY id LIMIT 1",
    "price_id": "SELECT id FROM prices ORDER BY id LIMIT 1",
    "tax_class_id": "SELECT id FROM tax_classes LIMIT 1",
    "business_id": "SELECT id FROM businesses LIMIT 1",
    "site_id": "SELECT site_id FROM customers WHERE id = :customer",
    "area_id": "SELECT a.id FROM areas a JOIN orders o ON o.site_id = a.site_id WHERE o.customer_id = :customer LIMIT 1",
    "link_id": "SELECT l.id FROM shared_links l JOIN orders o ON o.id = l.order_id WHERE o.customer_id = :customer "
    "AND l.name = 'Spare'",
    "request_id": "SELECT id FROM requests WHERE customer_id = :customer LIMIT 1",
    "user_id": "SELECT id FROM users WHERE name = 'Spare'",
    "round_id": "SELECT s.round_id FROM round_stops s JOIN deliveries d ON d.id = s.delivery_id "
    "WHERE d.customer_id = :customer ORDER BY d.planned_on DESC, d.id LIMIT 1",
    "item_id": "SELECT id FROM adjustments WHERE state = 'proposed' AND customer_id = :customer LIMIT 1",
    "standing_round_id": "SELECT id FROM standing_rounds ORDER BY id LIMIT 1",
}
"""How a path parameter is filled for a customer; what is not listed gets an id nobody has."""


@dataclass
class World:
    """Who can knock, with which credential, and what each path parameter stands for."""

    engine: Engine
    keys: Keys
    now: datetime
    mine: UUID
    theirs: UUID
    credentials: dict[str, dict[str, str]] = field(default_factory=dict)
    things: dict[tuple[str, UUID], str] = field(default_factory=dict)

    def fill(self, path: str, customer: UUID) -> str:
        """Return the path with its parameters standing for that customer's things."""
        for name in [part[1:-1] for part in path.split("/") if part.startswith("{")]:
            path = path.replace("{" + name + "}", self.things.get((name, customer), OTHERS.get(name, NOBODY)))
        return path

    def count(self) -> dict[str, int]:
        """Return how many rows each table holds: what no refused request may change."""
        with db.transaction(self.engine) as session:
            names = [r["n"] for r in db.rows(session, "SELECT relname AS n FROM pg_class WHERE relkind = 'r' AND "
                                             "relnamespace = 'public'::regnamespace")]  # fmt: skip
            return {name: int(db.value(session, f"SELECT count(*) FROM {name}") or 0) for name in names}


NOBODY = "01890000-0000-7000-8000-000000000000"
OTHERS = {
    "shift": "morning",
    "closed_on": "2026-01-26",
    "service_on": "2026-01-20",
    "month": "2025-12",
    "name": "charge_one_time_orders",
    "kind": "customers",
    "day": "2026-01-20",
}


def build(engine: Engine, keys: Keys, now: datetime) -> World:
    """Make the world in an empty database."""
    with db.transaction(engine) as session:
        month(session)
    with db.transaction(engine) as session:
        for statement in SPLIT:
            db.run(session, statement)
        grants.seed(session, CTX)
        for row in db.rows(session, "SELECT DISTINCT o.site_id, d.planned_on FROM deliveries d JOIN orders o "
                                    "ON o.id = d.order_id WHERE d.planned_on >= '2026-01-14' ORDER BY 1, 2"):  # fmt: skip
            cutting.cut(session, CTX.at(now), row["site_id"], row["planned_on"])
        by_code = {r["code"]: r["id"] for r in db.rows(session, "SELECT code, id FROM customers")}
        world = World(engine, keys, now, by_code["C-0001"], by_code["C-0002"])
        _knockers(session, world)
        _links(session, world)
        _requests(session, world)
        for customer in (world.mine, world.theirs):
            for name, sql in THINGS.items():
                found = db.value(session, sql, {"customer": customer} if ":customer" in sql else {})
                if found is not None:
                    world.things[name, customer] = str(found)
    return world


def _bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


def _knockers(session: Session, world: World) -> None:
    site = db.value(session, "SELECT site_id FROM customers WHERE id = :id", {"id": world.mine})
    person(session, "support", name="Spare")
    users: dict[str, UUID] = {
        role: person(session, role, site_id=site if role in {"merchant", "warehouse"} else None)
        for role in ROLES
        if role not in {"customer", "driver"}
    }
    own = {"id": world.mine}
    users["customer"] = db.value(session, "SELECT id FROM users WHERE customer_id = :id", own)
    users["driver"] = db.value(session, "SELECT id FROM users WHERE name = 'Prakash'")
    has_marketer = "SELECT 1 FROM information_schema.columns WHERE column_name = 'marketer_id'"
    if db.value(session, has_marketer):
        db.run(session, "UPDATE customers SET marketer_id = :m WHERE id = :id", own | {"m": users["marketing"]})
    for role, user_id in users.items():
        world.credentials[role] = _bearer(token_of(session, world.keys, world.now, user_id, role=role))
    old = world.now - timedelta(minutes=11)
    admin = users["admin"]
    world.credentials |= {
        "nobody": {},
        "garbage": _bearer("eyJhbGciOiJub25lIn0.e30."),
        "expired": _bearer(token_of(session, world.keys, old, admin)),
        "revoked": _bearer(token_of(session, world.keys, world.now, _admin(session, "sessions", "revoked_at"))),
        "disabled": _bearer(token_of(session, world.keys, world.now, person(session, "admin", state="disabled"))),
        "ended": _bearer(token_of(session, world.keys, world.now, _admin(session, "memberships", "ended_at"))),
        "other_key": _bearer(_forged(world.now, admin)),
        "cookie_guess": {"Cookie": "earlybird_session=" + "x" * 43, "Sec-Fetch-Site": "same-origin"},
        "dead_key": _bearer(_machine(session, world.now - timedelta(days=1))),
    }
    db.run(session, "UPDATE sessions SET revoked_at = :now WHERE user_id IN (SELECT id FROM users WHERE name = 'sessions')",
           {"now": world.now})  # fmt: skip
    world.credentials["must_change"] = _bearer(
        token_of(session, world.keys, world.now, person(session, "admin", must_change_password=True))
    )
    world.credentials["narrow_key"] = _bearer(_machine(session, world.now + timedelta(days=1)))


def _admin(session: Session, name: str, column: str) -> UUID:
    key = person(session, "admin", name=name)
    if name == "memberships":
        db.run(session, f"UPDATE memberships SET {column} = '2025-01-01' WHERE user_id = :id", {"id": key})
    return key


def _forged(now: datetime, user_id: UUID) -> str:
    facts: dict[str, Any] = {"user_id": user_id, "session_id": ids.new_id(), "role": "admin", "customer_id": None}
    return tokens.issue(Keys.random(), now, **facts)


def _machine(session: Session, until: datetime) -> str:
    """A machine's key for an admin who may only read the proof."""
    key = KEY_MARK + ids.new_id().hex
    db.run(
        session,
        "INSERT INTO api_keys (name, prefix, key_hash, role, actions, created_at, expires_at) "
        "VALUES ('a till', :prefix, :hash, 'admin', ARRAY['reconcile.read'], '2025-01-01', :until)",
        {"prefix": key[:8], "hash": fingerprint(key), "until": until},
    )
    return key


def _links(session: Session, world: World) -> None:
    """A link for the newest order of each customer; the ones on mine are open, one of them may only see, one is over."""
    ctx = CTX.at(world.now)

    def opened(order_id: UUID, *actions: str) -> tuple[UUID, dict[str, str]]:
        """A link and the credential of a device that opened it."""
        made = links.create(session, ctx, world.keys, order_id=order_id, name="Gopal", actions=("see", *actions))
        found = links.open_link(session, ctx, world.keys, token=made.token)
        assert isinstance(found, links.Opened)
        return made.id, _bearer(found.access_token)

    for customer in (world.theirs, world.mine):
        order_id = db.value(session, THINGS["order_id"], {"customer": customer})
        links.create(session, ctx, world.keys, order_id=order_id, name="Spare")
        _, world.credentials["link"] = opened(order_id, "confirm", "ask")
    _, world.credentials["link_that_sees"] = opened(order_id)
    key, world.credentials["link_that_is_over"] = opened(order_id, "confirm", "ask")
    links.revoke(session, ctx, key, reason="sent to the wrong group")


def _requests(session: Session, world: World) -> None:
    """A request for each customer: my driver asked for the one for me."""
    driver = db.value(session, "SELECT id FROM users WHERE name = 'Prakash'")
    for n, customer in enumerate((world.mine, world.theirs)):
        actor = replace(CTX.actor, kind="user", id=driver if n == 0 else None)
        ctx = replace(CTX, actor=actor, now=world.now)
        requests.ask(
            session, ctx, client_id=f"wish-{n}", kind=Kind.pause, customer_id=customer, service_on=date(2026, 1, 20)
        )
