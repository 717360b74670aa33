"""New passwords: chosen by their owner, by link or by code; every one ends the sessions of the old."""

from __future__ import annotations

from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.identity import passwords, queries, rules
from earlybird.identity.models import User
from earlybird.identity.service import links, sessions
from earlybird.identity.states import Purpose, UserState
from earlybird.infra.db import run
from earlybird.infra.security import Keys
from earlybird.kernel.ctx import Ctx
from earlybird.notifications import service as notifications
from earlybird.notifications.states import Channel, MessageKind


def put(session: Session, ctx: Ctx, keys: Keys, user: User, *, word: str, hashed: str, first: str | None) -> None:
    """Give a locked user a new password, already hashed; end all their sessions and tell them."""
    passwords.judge(word, about=queries.known_about(session, user.id), first=first)
    user.password_hash, user.must_change_password = hashed, False
    session.flush()  # whoever checks a password next reads it
    run(
        session,
        "UPDATE sign_in_links SET expires_at = :now WHERE user_id = :id AND used_at IS NULL AND expires_at > :now",
        {"now": ctx.now, "id": user.id},
    )
    audit.record(session, ctx, "identity.change_password", "user", user.id)
    sessions.end_all(session, ctx, user.id, reason="the password was changed")
    if user.email:
        notifications.tell(
            session,
            ctx,
            keys,
            kind=MessageKind.password_changed,
            channel=Channel.email,
            address=user.email,
            facts={},
            user_id=user.id,
            customer_id=user.customer_id,
        )


def send_reset(session: Session, ctx: Ctx, keys: Keys, email: str, *, site: str) -> None:
    """Send a link to a new password. Whether anybody has that address makes no difference to who asks.

    `site` is the start of the link, as https://milk.example.com.
    """
    found = queries.find_user(session, email)
    user = session.get(User, found, with_for_update=True) if found else None
    if user is None or user.state == UserState.disabled or user.archived_at is not None:
        return
    token = links.issue(session, ctx, user.id, purpose=Purpose.reset)
    notifications.tell(
        session,
        ctx,
        keys,
        kind=MessageKind.password_reset,
        channel=Channel.email,
        address=email,
        facts={"link": f"{site}/sign-in/{token}", "minutes": rules.RESET_MINUTES},
        user_id=user.id,
        customer_id=user.customer_id,
        expires_at=ctx.now + links.LIVES[Purpose.reset],
    )
