"""One-time links: to sign in, to take up an invitation, to choose a new password."""

from __future__ import annotations

import secrets
from datetime import timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.identity import rules
from earlybird.identity.errors import LinkSpent
from earlybird.identity.models import SignInLink, User
from earlybird.identity.states import Purpose, UserState
from earlybird.infra.db import rows, run
from earlybird.kernel.ctx import Ctx

LIVES = {
    Purpose.sign_in: timedelta(minutes=rules.SIGN_IN_MINUTES),
    Purpose.invitation: timedelta(days=rules.INVITATION_DAYS),
    Purpose.reset: timedelta(minutes=rules.RESET_MINUTES),
}
"""How long a link is good, by what it is for."""


def issue(session: Session, ctx: Ctx, user_id: UUID, *, purpose: Purpose = Purpose.sign_in) -> str:
    """Make a one-time link; return its token, which is kept nowhere. Earlier ones of its kind are spent by it."""
    run(
        session,
        "UPDATE sign_in_links SET expires_at = :now WHERE user_id = :user_id AND purpose = :purpose "
        "AND purpose <> 'sign_in' AND used_at IS NULL AND expires_at > :now",
        {"now": ctx.now, "user_id": user_id, "purpose": purpose},
    )
    token = secrets.token_urlsafe(32)
    session.add(
        SignInLink(
            user_id=user_id,
            token_hash=rules.fingerprint(token),
            expires_at=ctx.now + LIVES[purpose],
            purpose=purpose,
        )
    )
    audit.record(session, ctx, "identity.issue_link", "user", user_id, after={"purpose": str(purpose)})
    return token


def spend(session: Session, ctx: Ctx, token: str, purposes: tuple[Purpose, ...]) -> User:
    """Spend a link of one of the purposes, once; return its user, locked. A spent or expired one is refused."""
    spent = rows(
        session,
        "UPDATE sign_in_links SET used_at = :now WHERE token_hash = :token AND purpose = ANY(:purposes) "
        "AND used_at IS NULL AND expires_at > :now RETURNING user_id",
        {"now": ctx.now, "token": rules.fingerprint(token), "purposes": [str(purpose) for purpose in purposes]},
    )
    user = session.get(User, spent[0]["user_id"], with_for_update=True) if spent else None
    if user is None or user.state == UserState.disabled or user.archived_at is not None:
        raise LinkSpent
    return user
