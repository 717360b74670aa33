"""Grants, people, sign-in links and sessions."""

from __future__ import annotations

import secrets
from datetime import timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.identity import queries, rules
from earlybird.identity.errors import LinkSpent
from earlybird.identity.models import Membership, SignInLink, User
from earlybird.identity.states import MACHINE, Role, UserState
from earlybird.infra.db import rows, run
from earlybird.kernel import ids
from earlybird.kernel.ctx import Ctx


def seed_grants(session: Session, ctx: Ctx) -> int:
    """Make the grants table what `rules.GRANTS` says; return how many cells changed."""
    cells = rules.cells()
    given = {name: [cell[name] for cell in cells] for name in ("role", "action", "scope")}
    wanted = (
        "SELECT * FROM unnest(CAST(:role AS text[]), CAST(:action AS text[]), CAST(:scope AS text[])) "
        "AS w (role, action, scope)"
    )
    changed = run(
        session,
        f"INSERT INTO grants (role, action, scope) {wanted} ON CONFLICT (role, action) DO UPDATE "
        "SET scope = excluded.scope WHERE grants.scope <> excluded.scope",
        given,
    )
    changed += run(
        session,
        f"DELETE FROM grants g WHERE NOT EXISTS (SELECT FROM ({wanted}) x "
        "WHERE x.role = g.role AND x.action = g.action)",
        given,
    )
    if changed:
        audit.record(session, ctx, "identity.seed_grants", "grants", row_count=changed)
    return changed


def create_owner(session: Session, ctx: Ctx, address: str) -> UUID:
    """Create the first person: an admin who signs in by link."""
    email = rules.email(address)
    found = queries.find_user(session, email)
    key = found or ids.new_id()
    if found is None:
        session.add(User(id=key, name=email.split("@", maxsplit=1)[0], email=email, state=UserState.invited))
        session.flush()  # the membership points at it
    session.add(Membership(user_id=key, role=Role.admin))
    audit.record(session, ctx, "identity.create_owner", "user", key, after={"email": email})
    return key


def issue_link(session: Session, ctx: Ctx, user_id: UUID) -> str:
    """Make a one-time sign-in link good for 15 minutes; return its token, which is kept nowhere."""
    token = secrets.token_urlsafe(32)
    session.add(
        SignInLink(
            user_id=user_id,
            token_hash=rules.fingerprint(token),
            expires_at=ctx.now + timedelta(minutes=rules.SIGN_IN_MINUTES),
        )
    )
    audit.record(session, ctx, "identity.issue_link", "user", user_id)
    return token


def sign_in(session: Session, ctx: Ctx, token: str) -> str:
    """Spend a link and open a session; return the session's token. A spent or expired link is refused."""
    spent = rows(
        session,
        "UPDATE sign_in_links SET used_at = :now WHERE token_hash = :token AND used_at IS NULL AND expires_at > :now "
        "RETURNING user_id",
        {"now": ctx.now, "token": rules.fingerprint(token)},
    )
    user = session.get(User, spent[0]["user_id"], with_for_update=True) if spent else None
    if user is None or user.state == UserState.disabled or user.archived_at is not None:
        raise LinkSpent
    if user.state != UserState.active:
        audit.move(session, ctx, user, MACHINE, "activate", reason="first sign-in")
    cookie = secrets.token_urlsafe(32)
    run(
        session,
        "INSERT INTO sessions (user_id, token_hash, created_at, expires_at, address, device) "
        "VALUES (:user_id, :token, :now, :until, :address, :device)",
        {
            "user_id": user.id,
            "token": rules.fingerprint(cookie),
            "now": ctx.now,
            "until": ctx.now + timedelta(days=rules.SESSION_DAYS),
            "address": ctx.address,
            "device": ctx.device,
        },
    )
    audit.record(session, ctx, "identity.sign_in", "user", user.id)
    return cookie


def sign_out(session: Session, ctx: Ctx, token: str) -> None:
    """End the session of that token; one that is over already stays over."""
    ended = rows(
        session,
        "UPDATE sessions SET revoked_at = :now WHERE token_hash = :token AND revoked_at IS NULL RETURNING user_id",
        {"now": ctx.now, "token": rules.fingerprint(token)},
    )
    for row in ended:
        audit.record(session, ctx, "identity.sign_out", "user", row["user_id"])
