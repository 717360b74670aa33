"""What comes before a door's transaction: passwords are compared and hashed while no connection is held."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import UUID

from fastapi import Request
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from earlybird.identity import passwords, queries, rules
from earlybird.identity.access import Lock
from earlybird.identity.errors import CodeWrong, LinkSpent, SignInNeeded
from earlybird.identity.models import User
from earlybird.identity.rules import COOKIE, DEVICE_COOKIE
from earlybird.identity.service import codes, links, people, sessions, signing_in, throttle, vouching
from earlybird.identity.service import passwords as setting
from earlybird.identity.states import Method, Purpose
from earlybird.infra import http
from earlybird.infra.db import transaction
from earlybird.infra.hashing import Verdict
from earlybird.infra.ports.provider import Known
from earlybird.infra.security import Keys
from earlybird.kernel.ctx import Ctx

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Checked:
    """A try that was counted, and what comparing its password showed."""

    attempt: signing_in.Attempt
    verdict: Verdict
    word: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A new password in normal form and its hash; `proof` is the old one's check, where it was asked for."""

    word: str = field(repr=False)
    hashed: str = field(repr=False)
    proof: Checked | None = None


def keys_of(request: Request) -> Keys:
    """Return the server's keys."""
    keys: Keys = request.app.state.keys
    return keys


def first_of(request: Request) -> str | None:
    """Return the configured first password of new logins, None where they are invited."""
    found = request.app.state.settings.first_password
    return found.get_secret_value() if found is not None else None


async def first_hash(request: Request) -> str | None:
    """Return the Argon2id hash of the configured first password, made once per process; None where there is none."""
    kept: str | None = getattr(request.app.state, "first_hash", None)
    word = first_of(request)
    if kept is None and word is not None:
        hasher = request.app.state.hasher
        kept = await hasher.beside(lambda: hasher.hash(passwords.normal(word)))
        request.app.state.first_hash = kept
    return kept


def site_of(request: Request) -> str:
    """Return how people reach the server. A request's own Host is not believed: it could lead a link astray."""
    settings = request.app.state.settings
    return str(settings.public_url or f"http://{settings.host}:{settings.port}").rstrip("/")


async def check(request: Request, password: str, *, email: str | None = None, phone: str | None = None) -> Checked:
    """Count a try on a login, then compare the password; a login nobody has costs the same work."""
    name = rules.email(email) if email is not None else None
    mark = request.cookies.get(DEVICE_COOKIE)

    def begin(session: Session, ctx: Ctx) -> signing_in.Attempt:
        return signing_in.approach(session, ctx, keys_of(request), email=name, phone=phone, mark=mark)

    with_attempt = await run_in_threadpool(_within, request, begin)
    return await _compare(request, with_attempt, password)


async def choose(request: Request, password: str, *, current: str | None) -> Chosen:
    """Judge and hash a new password of who is signed in, after their old one was compared where it is needed."""
    lock = await Lock("me.renew")(request)
    mark = request.cookies.get(DEVICE_COOKIE)

    def begin(session: Session, ctx: Ctx) -> signing_in.Attempt | None:
        return signing_in.prove_again(session, lock.admit(session, ctx), keys_of(request), mark=mark)

    attempt = await run_in_threadpool(_within, request, begin)
    proof = await _compare(request, attempt, current or "") if attempt is not None else None
    return await _hash(request, password, proof)


async def choose_by_link(request: Request, password: str, token: str) -> Chosen:
    """Judge and hash a new password that a link leads to; a link that is over costs no hash."""

    def look(session: Session, ctx: Ctx) -> None:
        if queries.link_purpose(session, token, ctx.now) is None:
            raise LinkSpent

    await run_in_threadpool(_within, request, look)
    return await _hash(request, password, None)


async def choose_by_code(request: Request, password: str, phone: str) -> Chosen:
    """Judge and hash a new password that a one-time code leads to; without a living code there is no hash."""

    def look(session: Session, ctx: Ctx) -> None:
        if not queries.code_is_open(session, queries.full_number(session, phone), ctx.now):
            raise CodeWrong

    await run_in_threadpool(_within, request, look)
    return await _hash(request, password, None)


def prove(session: Session, ctx: Ctx, request: Request, checked: Checked, *, otp: str | None) -> User:
    """Return the user, locked, who signed in with the password that was checked."""
    return signing_in.finish(
        session,
        ctx,
        keys_of(request),
        checked.attempt,
        word=checked.word,
        verdict=checked.verdict,
        first=first_of(request),
        otp=otp,
    )


def renew(session: Session, ctx: Ctx, request: Request, chosen: Chosen) -> User:
    """Give who is signed in the password they chose; return them, locked. Every session of theirs ends."""
    if chosen.proof is not None:
        user = signing_in.finish(
            session,
            ctx,
            keys_of(request),
            chosen.proof.attempt,
            word=chosen.proof.word,
            verdict=chosen.proof.verdict,
            first=first_of(request),
            is_inside=True,
        )
    else:
        user = people.get_for_update(session, ctx.actor.id)
    _put(session, ctx, request, user, chosen)
    return user


def renew_by_link(session: Session, ctx: Ctx, request: Request, chosen: Chosen, token: str) -> User:
    """Spend a link for a new password; return its user, locked."""
    user = links.spend(session, ctx, token, (Purpose.reset, Purpose.invitation))
    _put(session, ctx, request, user, chosen)
    return user


def renew_by_code(
    session: Session, ctx: Ctx, request: Request, chosen: Chosen, *, phone: str, code: str, user_id: UUID | None
) -> User | SignInNeeded:
    """Spend a code for a new password; return its user, locked. A wrong one is returned, so that it counts."""
    user = codes.spend(session, ctx, keys_of(request), phone, code, purpose=Purpose.reset, user_id=user_id)
    if isinstance(user, User):
        _put(session, ctx, request, user, chosen)
    return user


def _put(session: Session, ctx: Ctx, request: Request, user: User, chosen: Chosen) -> None:
    keys = keys_of(request)
    setting.put(session, ctx, keys, user, word=chosen.word, hashed=chosen.hashed, first=first_of(request))
    throttle.forgive(session, ctx, throttle.counters(session, ctx, keys, "", user.id, None))


async def let_in_vouched(request: Request, known: Known) -> str:
    """Open a browser's session for whom a provider vouches; return the token of its cookie."""

    def let_in(session: Session, ctx: Ctx) -> str:
        user = vouching.recognise(session, ctx, known)
        sessions.forget_browser(session, ctx, request.cookies.get(COOKIE, ""))
        return sessions.open_browser(session, ctx, user, method=Method.oidc)

    return await run_in_threadpool(_within, request, let_in)


def _within(request: Request, work: Callable[[Session, Ctx], T]) -> T:
    with transaction(request.app.state.engine) as session:
        return work(session, http.circumstances(request))


async def _compare(request: Request, attempt: signing_in.Attempt, password: str) -> Checked:
    word = passwords.normal(password)
    hasher = request.app.state.hasher
    verdict = await hasher.beside(lambda: hasher.check(word, attempt.password_hash, typed=password))
    return Checked(attempt, verdict, word)


async def _hash(request: Request, password: str, proof: Checked | None) -> Chosen:
    word = passwords.judge(password, first=first_of(request))
    hasher = request.app.state.hasher
    return Chosen(word, await hasher.beside(lambda: hasher.hash(word)), proof)
