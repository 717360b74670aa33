"""Ways in for somebody who exists, and for somebody made for the occasion."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from earlybird.identity import tokens
from earlybird.identity.models import LoginSession, Membership, User
from earlybird.identity.service import links
from earlybird.infra import db
from earlybird.infra.security import Keys
from earlybird.kernel import ids
from earlybird.kernel.ctx import EVERYWHERE, Actor, Ctx
from make.month import NOW

CTX = Ctx(actor=Actor(kind="cli", name="test", role="admin", reaches=EVERYWHERE), now=NOW, via="cli")


def link(engine: Engine, email: str = "asha@example.com") -> str:
    """Return the token of a fresh one-time sign-in link."""
    with db.transaction(engine) as session:
        user = db.value(session, "SELECT id FROM users WHERE email = :email", {"email": email})
        return links.issue(session, CTX, user)


def person(
    session: Session,
    role: str,
    *,
    customer_id: UUID | None = None,
    site_id: UUID | None = None,
    **over: Any,
) -> UUID:
    """Somebody active who holds one role; return their id."""
    key = ids.new_id()
    facts = {"name": f"A {role}", "email": f"{role}-{key.hex}@example.com", "state": "active"} | over
    session.add(User(id=key, **facts))
    session.flush()
    session.add(Membership(user_id=key, role=role, customer_id=customer_id, site_id=site_id))
    session.flush()
    return key


def token_of(session: Session, keys: Keys, now: datetime, user_id: UUID, *, role: str = "customer") -> str:
    """A living session of that user and its access token, good for ten minutes from `now`."""
    signed_in = LoginSession(
        id=ids.new_id(),
        user_id=user_id,
        kind="app",
        method="password",
        token_hash=ids.new_id().hex,
        created_at=now,
        expires_at=now + timedelta(days=1),
    )
    session.add(signed_in)
    session.flush()
    return tokens.issue(keys, now, user_id=user_id, session_id=signed_in.id, role=role, customer_id=None)


def token(
    session: Session,
    keys: Keys,
    now: datetime,
    role: str,
    *,
    customer_id: UUID | None = None,
    site_id: UUID | None = None,
) -> str:
    """The access token of somebody made for the occasion, who holds that one role. Seed the grants first."""
    user_id = person(session, role, customer_id=customer_id, site_id=site_id)
    return token_of(session, keys, now, user_id, role=role)
