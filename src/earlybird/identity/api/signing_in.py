"""Signing in over HTTP: passwords, codes, tokens, the second factor and one's own sessions."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request

from earlybird.identity import entrance, queries
from earlybird.identity.access import allow
from earlybird.identity.entrance import Checked, Chosen, keys_of
from earlybird.identity.errors import NotByThis, RefreshReused, SignInNeeded
from earlybird.identity.rules import CODE_MINUTES, RESET_MINUTES
from earlybird.identity.schemas import (
    CodeIn,
    CodeRequest,
    EnrolmentOut,
    FactorCode,
    LoginIn,
    PasswordIn,
    RecoveryOut,
    RefreshIn,
    ResetIn,
    ResetRequest,
    SentOut,
    SessionOut,
    TokensOut,
    UserOut,
)
from earlybird.identity.service import codes, passwords, second_factors, sessions
from earlybird.identity.states import Method, Purpose
from earlybird.infra.db import Session
from earlybird.infra.http import PROBLEMS, PUBLIC, door
from earlybird.kernel.ctx import Ctx

router = APIRouter(prefix="/api/auth", tags=["signing in"], responses=PROBLEMS)
legacy = APIRouter(prefix="/auth", tags=["legacy paths"], responses=PROBLEMS, deprecated=True)


def _tokens(session: Session, ctx: Ctx, pair: sessions.Pair) -> TokensOut:
    facts = queries.claims(session, pair.user_id, ctx.now) or {}
    return TokensOut(
        access_token=pair.access_token,
        expires_in=pair.expires_in,
        refresh_token=pair.refresh_token,
        must_change_password=facts["must_change_password"],
        user=UserOut(customer_v2_id=facts["customer_id"], **facts),
    )


def _me(ctx: Ctx) -> UUID:
    if ctx.actor.kind != "user" or ctx.actor.id is None:
        raise NotByThis
    return ctx.actor.id


async def checked(request: Request, body: LoginIn) -> tuple[LoginIn, Checked]:
    """Compare the password of a sign-in."""
    return body, await entrance.check(request, body.password, email=body.email, phone=body.phone)


async def chosen(request: Request, body: PasswordIn) -> Chosen:
    """Judge and hash the new password of who is signed in."""
    return await entrance.choose(request, body.password, current=body.current_password)


async def reset(request: Request, body: ResetIn) -> tuple[ResetIn, Chosen]:
    """Judge and hash the new password of who proves it by link or code."""
    if body.token is not None:
        return body, await entrance.choose_by_link(request, body.password, body.token)
    return body, await entrance.choose_by_code(request, body.password, body.phone or "")


@legacy.post("/login")
@router.post("/login")
@door(PUBLIC, secret=True)
def login(
    session: Session, ctx: Ctx, *, request: Request, given: Annotated[tuple[LoginIn, Checked], Depends(checked)]
) -> TokensOut:
    """Sign in with a password. With a second factor set up, its digits are asked for as `otp`.

    After five wrong tries each further one waits longer, from strange places first; Retry-After says how long.
    """
    body, found = given
    user = entrance.prove(session, ctx, request, found, otp=body.otp)
    pair = sessions.open_app(session, ctx, keys_of(request), user, method=Method.password)
    return _tokens(session, ctx, pair)


@legacy.post("/refresh")
@router.post("/refresh")
@door(PUBLIC, secret=True)
def refresh(session: Session, ctx: Ctx, *, request: Request, body: RefreshIn) -> TokensOut | RefreshReused:
    """Spend a refresh token for the next pair. One that comes twice ends its session: ask with one at a time."""
    found = sessions.refresh(session, ctx, keys_of(request), body.refresh_token)
    return found if isinstance(found, RefreshReused) else _tokens(session, ctx, found)


@legacy.post("/logout", status_code=204)
@router.post("/logout", status_code=204)
@door(allow("me.leave"))
def logout(session: Session, ctx: Ctx) -> None:
    """End the session that asks, at once: its access token is not good any more either."""
    sessions.sign_out(session, ctx)


@router.post("/codes", status_code=202)
@door(PUBLIC)
def send_code(session: Session, ctx: Ctx, *, request: Request, body: CodeRequest) -> SentOut:
    """Send a one-time code to a phone: six digits, five minutes, five tries; the newest is the only good one."""
    codes.request(session, ctx, keys_of(request), body.phone, purpose=body.purpose)
    return SentOut(detail="If a login has that phone, a code is on its way.", expires_in=CODE_MINUTES * 60)


@router.post("/codes/redeem")
@door(PUBLIC, secret=True)
def redeem_code(session: Session, ctx: Ctx, *, request: Request, body: CodeIn) -> TokensOut | SignInNeeded:
    """Sign in with the code that came. Where several logins share the phone, 409 lists them: say which by `user_id`."""
    keys = keys_of(request)
    user = codes.spend(
        session, ctx, keys, body.phone, body.code, purpose=Purpose.sign_in, user_id=body.user_id, otp=body.otp
    )
    if isinstance(user, SignInNeeded):
        return user
    return _tokens(session, ctx, sessions.open_app(session, ctx, keys, user, method=Method.code))


@router.post("/password")
@door(allow("me.renew"), secret=True)
def change_password(
    session: Session, ctx: Ctx, *, request: Request, given: Annotated[Chosen, Depends(chosen)]
) -> TokensOut:
    """Choose a new password. Every session ends, the one that asks too; the answer holds a new one."""
    user = entrance.renew(session, ctx, request, given)
    return _tokens(session, ctx, sessions.open_app(session, ctx, keys_of(request), user, method=Method.password))


@router.post("/password/reset-request", status_code=202)
@door(PUBLIC)
def request_reset(session: Session, ctx: Ctx, *, request: Request, body: ResetRequest) -> SentOut:
    """Send the way to a new password: a link by e-mail, or a code to the phone."""
    keys = keys_of(request)
    if body.phone is not None:
        codes.request(session, ctx, keys, body.phone, purpose=Purpose.reset)
        return SentOut(detail="If a login has that phone, a code is on its way.", expires_in=CODE_MINUTES * 60)
    passwords.send_reset(session, ctx, keys, body.email or "", site=entrance.site_of(request))
    return SentOut(detail="If a login has that address, a link is on its way.", expires_in=RESET_MINUTES * 60)


@router.post("/password/reset", status_code=204)
@door(PUBLIC)
def reset_password(
    session: Session, ctx: Ctx, *, request: Request, given: Annotated[tuple[ResetIn, Chosen], Depends(reset)]
) -> SignInNeeded | None:
    """Choose a new password by the link or code that came. Every session of the login ends; sign in anew."""
    body, new = given
    if body.token is not None:
        entrance.renew_by_link(session, ctx, request, new, body.token)
        return None
    found = entrance.renew_by_code(
        session, ctx, request, new, phone=body.phone or "", code=body.code or "", user_id=body.user_id
    )
    return found if isinstance(found, SignInNeeded) else None


@router.post("/second-factor", status_code=201)
@door(allow("me.secure"), secret=True)
def enrol_second_factor(session: Session, ctx: Ctx, *, request: Request) -> EnrolmentOut:
    """Make a secret for an authenticator app (TOTP); it is asked for from its first confirmed code on."""
    return EnrolmentOut.model_validate(second_factors.enrol(session, ctx, keys_of(request), _me(ctx)))


@router.post("/second-factor/confirm")
@door(allow("me.secure"), secret=True)
def confirm_second_factor(session: Session, ctx: Ctx, *, request: Request, body: FactorCode) -> RecoveryOut:
    """Prove that the app has the secret; the answer holds ten recovery codes, once."""
    return RecoveryOut(recovery_codes=second_factors.confirm(session, ctx, keys_of(request), _me(ctx), body.code))


@router.post("/second-factor/remove", status_code=204)
@door(allow("me.secure"))
def remove_second_factor(session: Session, ctx: Ctx, *, request: Request, body: FactorCode) -> None:
    """Do without a second factor again, on proof of having it."""
    second_factors.remove(session, ctx, keys_of(request), _me(ctx), body.code)


@router.get("/sessions")
@door(allow("me.read"))
def my_sessions(session: Session, ctx: Ctx) -> list[SessionOut]:
    """Show where one is signed in, newest first."""
    found = queries.own_sessions(session, _me(ctx), ctx.actor.session_id, ctx.now)
    return [SessionOut.model_validate(row) for row in found]


@router.delete("/sessions/{session_id}", status_code=204)
@door(allow("me.leave"))
def end_session(session: Session, ctx: Ctx, *, session_id: UUID) -> None:
    """End one of one's own sessions, at once."""
    sessions.end_own(session, ctx, session_id)
