"""A way into the console for somebody who exists."""

from __future__ import annotations

from sqlalchemy import Engine

from earlybird.identity.service import links
from earlybird.infra import db
from earlybird.kernel.ctx import Actor, Ctx
from make.month import NOW

CTX = Ctx(actor=Actor(kind="cli", name="test", role="admin"), now=NOW, via="cli")


def link(engine: Engine, email: str = "asha@example.com") -> str:
    """Return the token of a fresh one-time sign-in link."""
    with db.transaction(engine) as session:
        user = db.value(session, "SELECT id FROM users WHERE email = :email", {"email": email})
        return links.issue(session, CTX, user)
