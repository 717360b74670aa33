"""Signing in with a password: counted first, compared with no connection held, then let in."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.identity import passwords, queries, rules
from earlybird.identity.errors import NotByThis, PasswordResetNeeded, WrongCredentials
from earlybird.identity.models import User
from earlybird.identity.service import second_factors, throttle
from earlybird.identity.states import Method, UserState
from earlybird.infra.hashing import Verdict
from earlybird.infra.security import Keys
from earlybird.kernel.ctx import Ctx


@dataclass(frozen=True, slots=True)
class Attempt:
    """A counted try: whose login it is (perhaps nobody's), and the hash to compare with."""

    user_id: UUID | None
    password_hash: str | None = field(repr=False)
    counted: list[throttle.Counter]


def approach(
    session: Session,
    ctx: Ctx,
    keys: Keys,
    *,
    email: str | None = None,
    phone: str | None = None,
    mark: str | None = None,
) -> Attempt:
    """Count a try on a login named by e-mail or phone; unknown ones and phones of several are tries on nobody."""
    if email is not None:
        name, found = email, queries.find_login(session, email)
    else:
        name = queries.full_number(session, phone or "")
        people = queries.people_by_phone(session, name)
        found = people[0] if len(people) == 1 else None
    user_id = found["id"] if found else None
    counted = throttle.counters(session, ctx, keys, name, user_id, mark)
    throttle.count(session, ctx, counted)
    return Attempt(user_id, found["password_hash"] if found else None, counted)


def must_prove(session: Session, ctx: Ctx) -> str | None:
    """Return the kept hash of the password that who is signed in proves themselves with; None where none is asked.

    None is asked of who has no password, and of who came in by link or code a quarter of an hour ago at most.
    """
    user_id = ctx.actor.id
    facts = queries.password_facts(session, user_id, ctx.actor.session_id) if user_id else None
    if facts is None or facts["method"] == Method.script:
        raise NotByThis
    is_recent = facts["created_at"] > ctx.now - timedelta(minutes=rules.RECENT_MINUTES)
    found: str | None = facts["password_hash"]
    return None if is_recent and facts["method"] != Method.password else found


def prove_again(session: Session, ctx: Ctx, keys: Keys, *, mark: str | None = None) -> Attempt | None:
    """Count a try of who is signed in and proves it again; None where no proof is asked."""
    kept = must_prove(session, ctx)
    if kept is None:
        return None
    counted = throttle.counters(session, ctx, keys, str(ctx.actor.id), ctx.actor.id, mark)
    throttle.count(session, ctx, counted)
    return Attempt(ctx.actor.id, kept, counted)


def finish(
    session: Session,
    ctx: Ctx,
    keys: Keys,
    attempt: Attempt,
    *,
    word: str,
    verdict: Verdict,
    first: str | None,
    otp: str | None = None,
    is_inside: bool = False,
) -> User:
    """Return the user, locked, whose password (and second factor) fitted; keep the better hash of an old one.

    Who `is_inside` already, and only proves it again, gave the second factor when coming in.

    A password that everybody was given opens nothing, unless it is the configured first one: then it must be
    changed. What is refused here stays counted.
    """
    is_first = first is not None and word == passwords.normal(first)
    if passwords.is_default(word) and not is_first:
        raise PasswordResetNeeded
    user = session.get(User, attempt.user_id, with_for_update=True) if attempt.user_id and verdict.fits else None
    if (
        user is None
        or user.password_hash != attempt.password_hash
        or user.state == UserState.disabled
        or user.archived_at is not None
    ):
        raise WrongCredentials
    if verdict.better:
        user.password_hash = verdict.better
        audit.record(session, ctx, "identity.strengthen_hash", "user", user.id)
    if is_first:
        user.must_change_password = True
    if not is_inside:
        second_factors.ask(session, ctx, keys, user.id, otp)
    throttle.forgive(session, ctx, attempt.counted)
    return user
