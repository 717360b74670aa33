"""Signing in with a password: counted first, compared with no connection held, then let in."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.identity import passwords, queries
from earlybird.identity.errors import PasswordResetNeeded, WrongCredentials
from earlybird.identity.models import User
from earlybird.identity.service import second_factors, throttle
from earlybird.identity.states import UserState
from earlybird.infra.hashing import Verdict
from earlybird.infra.security import Keys
from earlybird.kernel.ctx import Ctx


@dataclass(frozen=True, slots=True)
class Attempt:
    """A counted try: whose login it is (perhaps nobody's), and the hash to compare with."""

    user_id: UUID | None
    password_hash: str | None = field(repr=False)
    counted: list[throttle.Counter]


def begin(
    session: Session, ctx: Ctx, keys: Keys, *, email: str | None = None, phone: str | None = None, mark: str | None = None
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


def begin_again(session: Session, ctx: Ctx, keys: Keys, user_id: UUID, *, mark: str | None = None) -> Attempt:
    """Count a try of somebody who is signed in and proves it again with their password."""
    user = session.get(User, user_id)
    if user is None:
        raise WrongCredentials
    counted = throttle.counters(session, ctx, keys, str(user_id), user_id, mark)
    throttle.count(session, ctx, counted)
    return Attempt(user_id, user.password_hash, counted)


def finish(
    session: Session, ctx: Ctx, keys: Keys, attempt: Attempt, *, word: str, verdict: Verdict, first: str | None
) -> User:
    """Return the user, locked, whose password fitted; keep the better hash of an old one.

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
    return user


def admit(session: Session, ctx: Ctx, keys: Keys, attempt: Attempt, user: User, *, otp: str | None) -> None:
    """Ask for the second factor where there is one, and take the count of this try back."""
    second_factors.ask(session, ctx, keys, user.id, otp)
    throttle.forgive(session, ctx, attempt.counted)
