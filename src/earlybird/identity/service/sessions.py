"""Sessions: opened by a sign-in, carried on by refresh tokens, ended at once."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.identity import queries, rules, tokens
from earlybird.identity.errors import (
    LifeOutOfRange,
    NoRole,
    NoSuchSession,
    RefreshRefused,
    RefreshReused,
    SignInNeeded,
)
from earlybird.identity.models import LoginSession, User
from earlybird.identity.states import MACHINE, Method, SessionKind, UserState
from earlybird.infra.db import rows, run
from earlybird.infra.security import Keys
from earlybird.kernel import ids
from earlybird.kernel.ctx import Ctx

LIVES = {
    SessionKind.browser: timedelta(days=rules.SESSION_DAYS),
    SessionKind.app: timedelta(days=rules.APP_DAYS),
}


@dataclass(frozen=True, slots=True)
class Pair:
    """What an app gets: an access token and the refresh token that brings the next one."""

    user_id: UUID
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: int


def open_browser(session: Session, ctx: Ctx, user: User, *, method: Method) -> str:
    """Open a browser's session for a locked user; return the token of its cookie, which is kept nowhere."""
    cookie = secrets.token_urlsafe(32)
    _open(session, ctx, user, SessionKind.browser, method, cookie)
    return cookie


def open_app(session: Session, ctx: Ctx, keys: Keys, user: User, *, method: Method) -> Pair:
    """Open an app's session for a locked user; return its first tokens."""
    session_id = _open(session, ctx, user, SessionKind.app, method, secrets.token_urlsafe(32))
    return _pair(session, ctx, keys, user.id, session_id)


def open_script(session: Session, ctx: Ctx, keys: Keys, user: User, *, life: timedelta) -> str:
    """Open a session that lives as long as one access token; return the token."""
    if not rules.SHORTEST_LIFE <= life <= rules.LONGEST_LIFE:
        raise LifeOutOfRange(field="ttl")
    secret = secrets.token_urlsafe(32)
    session_id = _open(session, ctx, user, SessionKind.script, Method.script, secret, life)
    return _access(session, ctx, keys, user.id, session_id, life)


def _open(
    session: Session,
    ctx: Ctx,
    user: User,
    kind: SessionKind,
    method: Method,
    secret: str,
    life: timedelta | None = None,
) -> UUID:
    if user.state != UserState.active and method != Method.script:
        audit.move(session, ctx, user, MACHINE, "activate", reason="first sign-in")
    key = ids.new_id()
    session.add(
        LoginSession(
            id=key,
            user_id=user.id,
            kind=kind,
            method=method,
            token_hash=rules.fingerprint(secret),
            created_at=ctx.now,
            expires_at=ctx.now + (life or LIVES[kind]),
            address=ctx.address,
            device=ctx.device,
        )
    )
    session.flush()  # refresh tokens point at it, and the claims are read with it
    after = {"session_id": str(key), "kind": str(kind), "method": str(method)}
    audit.record(session, ctx, "identity.sign_in", "user", user.id, after=after)
    return key


def _access(session: Session, ctx: Ctx, keys: Keys, user_id: UUID, session_id: UUID, life: timedelta) -> str:
    facts = queries.claims(session, user_id, ctx.now)
    if facts is None:
        raise NoRole
    return tokens.issue(
        keys,
        ctx.now,
        user_id=user_id,
        session_id=session_id,
        role=facts["role"],
        customer_id=facts["customer_id"],
        life=life,
    )


def _pair(session: Session, ctx: Ctx, keys: Keys, user_id: UUID, session_id: UUID) -> Pair:
    life = timedelta(minutes=tokens.MINUTES)
    access = _access(session, ctx, keys, user_id, session_id, life)
    refresh = secrets.token_urlsafe(32)
    run(
        session,
        "INSERT INTO refresh_tokens (session_id, token_hash, issued_at, expires_at) "
        "SELECT id, :token, :now, least(CAST(:until AS timestamptz), expires_at) FROM sessions WHERE id = :session_id",
        {
            "session_id": session_id,
            "token": rules.fingerprint(refresh),
            "now": ctx.now,
            "until": ctx.now + timedelta(days=rules.REFRESH_DAYS),
        },
    )
    return Pair(user_id, access, refresh, int(life.total_seconds()))


def refresh(session: Session, ctx: Ctx, keys: Keys, token: str) -> Pair | RefreshReused:
    """Spend a refresh token for the next two tokens.

    One that was spent before is a theft, by whoever came second: its session is over, and the refusal is returned
    for the door to commit. Of many at once one is first; the others end its session all the same.
    """
    facts = {"now": ctx.now, "token": rules.fingerprint(token)}
    spent = rows(
        session,
        "UPDATE refresh_tokens r SET used_at = :now FROM sessions s JOIN users u ON u.id = s.user_id "
        "WHERE r.token_hash = :token AND r.used_at IS NULL AND r.expires_at > :now AND s.id = r.session_id "
        "AND s.revoked_at IS NULL AND s.expires_at > :now AND u.state <> 'disabled' AND u.archived_at IS NULL "
        "RETURNING s.id, s.user_id",
        facts,
    )
    if spent:
        return _pair(session, ctx, keys, spent[0]["user_id"], spent[0]["id"])
    reused = queries.spent_refresh(session, token)
    if reused is None:
        raise RefreshRefused
    end(session, ctx, [reused["session_id"]], reason="a refresh token came twice")
    return RefreshReused()


def end(session: Session, ctx: Ctx, session_ids: Sequence[UUID], *, reason: str) -> int:
    """End sessions; those that are over stay over. Return how many ended."""
    ended = rows(
        session,
        "UPDATE sessions SET revoked_at = :now, revoked_reason = :reason WHERE id = ANY(:ids) AND revoked_at IS NULL "
        "RETURNING id, user_id",
        {"now": ctx.now, "reason": reason, "ids": list(session_ids)},
    )
    for row in ended:
        after = {"session_id": str(row["id"])}
        audit.record(session, ctx, "identity.sign_out", "user", row["user_id"], after=after, reason=reason)
    return len(ended)


def end_all(session: Session, ctx: Ctx, user_id: UUID, *, reason: str) -> int:
    """End every session of a user: after a new password or role, or when the login is disabled."""
    return end(session, ctx, queries.living_sessions(session, user_id, ctx.now), reason=reason)


def end_own(session: Session, ctx: Ctx, session_id: UUID) -> None:
    """End one of one's own sessions."""
    if ctx.actor.id is None or session_id not in queries.living_sessions(session, ctx.actor.id, ctx.now):
        raise NoSuchSession
    end(session, ctx, [session_id], reason="ended by its owner")


def sign_out(session: Session, ctx: Ctx) -> None:
    """End the session that asks."""
    if ctx.actor.session_id is None:
        raise SignInNeeded
    end(session, ctx, [ctx.actor.session_id], reason="signed out")


def forget_browser(session: Session, ctx: Ctx, cookie: str) -> None:
    """End the session of that cookie; one that is over already stays over."""
    found = queries.session_of_cookie(session, cookie)
    if found is not None:
        end(session, ctx, [found], reason="signed out")
