"""The pages by which people come in: password, code, link, a new password, the second factor, one's own login."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

import segno
from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from earlybird.identity import entrance, queries
from earlybird.identity.access import allow
from earlybird.identity.entrance import Checked, Chosen, keys_of
from earlybird.identity.errors import ChooseLogin, SecondFactorNeeded, SecondFactorWrong
from earlybird.identity.models import User
from earlybird.identity.rules import COOKIE, DEVICE_COOKIE, RESET_MINUTES, SESSION_DAYS
from earlybird.identity.service import codes, links, passwords, second_factors, sessions, signing_in, throttle
from earlybird.identity.states import Method, Purpose
from earlybird.infra.db import Session
from earlybird.infra.http import PUBLIC, STATUS, door
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.errors import Failure, Invalid
from earlybird.web.admin.pages import render

DEVICE_DAYS = 365
router = APIRouter(include_in_schema=False)

Email = Annotated[str, Form(max_length=254)]
Phone = Annotated[str, Form(max_length=30)]
Password = Annotated[str, Form(max_length=256)]
Code = Annotated[str, Form(max_length=20)]
Login = Annotated[str, Form(pattern=r"^([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})?$")]


@dataclass(frozen=True, slots=True)
class Entered:
    """What a form brought, and what became of checking it: to be shown on the same page."""

    found: Checked | Chosen | Failure
    email: str = ""
    otp: str = ""


async def by_form(request: Request, email: Email, password: Password, otp: Code = "") -> Entered:
    """Compare the password of the sign-in form."""
    try:
        return Entered(await entrance.check(request, password, email=email), email, otp)
    except Failure as failure:
        return Entered(failure, email)


async def chosen(request: Request, password: Password, current: Password = "") -> Entered:
    """Judge and hash the new password of who is signed in."""
    try:
        return Entered(await entrance.choose(request, password, current=current))
    except Invalid as failure:
        return Entered(failure)


async def chosen_by_link(request: Request, token: str, password: Password) -> Entered:
    """Judge and hash the new password that a link leads to."""
    try:
        return Entered(await entrance.choose_by_link(request, password, token))
    except Invalid as failure:
        return Entered(failure)


async def chosen_by_code(request: Request, password: Password, phone: Phone) -> Entered:
    """Judge and hash the new password that a code leads to."""
    try:
        return Entered(await entrance.choose_by_code(request, password, phone))
    except Failure as failure:
        return Entered(failure)


def _let_in(session: Session, ctx: Ctx, request: Request, user: User, method: Method) -> Response:
    """Open a session under a new name, end the one the browser had, and remember the device."""
    sessions.forget_browser(session, ctx, request.cookies.get(COOKIE, ""))
    cookie = sessions.open_browser(session, ctx, user, method=method)
    must_change = user.must_change_password and method == Method.password
    answer = RedirectResponse("/password" if must_change else "/", 303)
    is_secure = request.url.scheme == "https" or entrance.site_of(request).startswith("https:")
    mark = throttle.device_mark(keys_of(request), user.id)
    for name, text, days in ((COOKIE, cookie, SESSION_DAYS), (DEVICE_COOKIE, mark, DEVICE_DAYS)):
        answer.set_cookie(name, text, max_age=days * 86400, httponly=True, samesite="lax", secure=is_secure)
    return answer


def _again(failure: Failure, page: str, **facts: object) -> Response:
    """Show the form again with what was wrong with it."""
    sentence = failure.message
    wait = failure.facts.get("retry_after")
    if isinstance(failure, ChooseLogin):
        sentence = "Several logins share that phone: choose yours and type the code again."
    elif wait:
        sentence = f"Too many tries. Try again in {wait} seconds, or take another way in."
    answer = render(page, STATUS[failure.kind], sentence=sentence, person=facts.pop("person", None), **facts)
    if wait:
        answer.headers["Retry-After"] = str(wait)
    return answer


@router.get("/sign-in")
@door(PUBLIC)
def sign_in_page(_session: Session, _ctx: Ctx) -> Response:
    """Show the ways to sign in."""
    return render("sign_in.html", sentence=None, person=None, email="", asks_otp=False)


@router.post("/sign-in")
@door(PUBLIC)
def sign_in(session: Session, ctx: Ctx, *, request: Request, given: Annotated[Entered, Depends(by_form)]) -> Response:
    """Sign in with e-mail and password."""
    if isinstance(given.found, Failure):
        return _again(given.found, "sign_in.html", email=given.email, asks_otp=False)
    assert isinstance(given.found, Checked)  # noqa: S101  # by_form compares
    try:
        user = entrance.prove(session, ctx, request, given.found, otp=given.otp or None)
    except Failure as failure:
        asks_otp = isinstance(failure, SecondFactorNeeded | SecondFactorWrong)
        return _again(failure, "sign_in.html", email=given.email, asks_otp=asks_otp)
    return _let_in(session, ctx, request, user, Method.password)


@router.post("/sign-in/code")
@door(PUBLIC)
def send_code(session: Session, ctx: Ctx, *, request: Request, phone: Phone) -> Response:
    """Send a one-time code, and ask for it."""
    try:
        codes.request(session, ctx, keys_of(request), phone, purpose=Purpose.sign_in)
    except Failure as failure:
        return _again(failure, "sign_in.html", email="", asks_otp=False)
    return render("code.html", sentence=None, person=None, phone=phone, logins=(), asks_otp=False)


@router.post("/sign-in/redeem")
@door(PUBLIC)
def redeem(
    session: Session, ctx: Ctx, *, request: Request, phone: Phone, code: Code, login: Login = "", otp: Code = ""
) -> Response:
    """Sign in with the code that came; where several logins share the phone, ask which."""
    asked = {"phone": phone, "logins": (), "asks_otp": False}
    try:
        user = codes.spend(
            session,
            ctx,
            keys_of(request),
            phone,
            code.strip(),
            purpose=Purpose.sign_in,
            user_id=UUID(login) if login else None,
            otp=otp or None,
        )
    except ChooseLogin as failure:
        return _again(failure, "code.html", **asked | {"logins": failure.facts["logins"]})
    if isinstance(user, Failure):
        asks_otp = isinstance(user, SecondFactorNeeded | SecondFactorWrong)
        return _again(user, "code.html", **asked | {"asks_otp": asks_otp})
    return _let_in(session, ctx, request, user, Method.code)


@router.get("/sign-in/{token}")
@door(PUBLIC)
def link_page(session: Session, ctx: Ctx, *, token: str) -> Response:
    """Show what a link is for; merely opening it (a preview does) signs nobody in."""
    purpose = queries.link_purpose(session, token, ctx.now)
    if purpose in {Purpose.invitation, Purpose.reset}:
        return render("new_password.html", token=token, purpose=purpose, sentence=None, person=None)
    return render("sign_in_button.html", token=token, person=None)


@router.post("/sign-in/{token}")
@door(PUBLIC)
def sign_in_by_link(session: Session, ctx: Ctx, *, request: Request, token: str) -> Response:
    """Spend the link and keep the browser signed in."""
    return _let_in(session, ctx, request, links.spend(session, ctx, token, (Purpose.sign_in,)), Method.link)


@router.post("/sign-in/{token}/password")
@door(PUBLIC)
def new_password_by_link(
    session: Session, ctx: Ctx, *, request: Request, token: str, given: Annotated[Entered, Depends(chosen_by_link)]
) -> Response:
    """Spend the link for a new password; who has no second factor is signed in with it."""
    try:
        if isinstance(given.found, Failure):
            raise given.found
        assert isinstance(given.found, Chosen)  # noqa: S101  # chosen_by_link hashes
        with session.begin_nested():
            user = entrance.renew_by_link(session, ctx, request, given.found, token)
    except Invalid as failure:
        purpose = queries.link_purpose(session, token, ctx.now) or Purpose.reset
        return _again(failure, "new_password.html", token=token, purpose=purpose)
    return _after_reset(session, ctx, request, user)


def _after_reset(session: Session, ctx: Ctx, request: Request, user: User) -> Response:
    if second_factors.is_on(session, user.id):
        return RedirectResponse("/sign-in", 303)
    return _let_in(session, ctx, request, user, Method.password)


@router.get("/forgotten")
@door(PUBLIC)
def forgotten_page(_session: Session, _ctx: Ctx) -> Response:
    """Ask where the way to a new password is to be sent."""
    return render("forgotten.html", sentence=None, person=None)


@router.post("/forgotten")
@door(PUBLIC)
def forgotten(session: Session, ctx: Ctx, *, request: Request, email: Email = "", phone: Phone = "") -> Response:
    """Send a link by e-mail or a code to a phone; the answer is the same whoever it is."""
    keys = keys_of(request)
    try:
        if phone.strip():
            codes.request(session, ctx, keys, phone, purpose=Purpose.reset)
            return render("code_password.html", sentence=None, person=None, phone=phone, logins=())
        passwords.send_reset(session, ctx, keys, email, site=entrance.site_of(request))
    except Failure as failure:
        return _again(failure, "forgotten.html")
    return render("sent.html", person=None, minutes=RESET_MINUTES)


@router.post("/forgotten/code")
@door(PUBLIC)
def new_password_by_code(
    session: Session,
    ctx: Ctx,
    *,
    request: Request,
    phone: Phone,
    code: Code,
    given: Annotated[Entered, Depends(chosen_by_code)],
    login: Login = "",
) -> Response:
    """Spend the code for a new password."""
    logins: object = ()
    try:
        if isinstance(given.found, Failure):
            raise given.found
        assert isinstance(given.found, Chosen)  # noqa: S101  # chosen_by_code hashes
        with session.begin_nested():
            user = entrance.renew_by_code(
                session,
                ctx,
                request,
                given.found,
                phone=phone,
                code=code.strip(),
                user_id=UUID(login) if login else None,
            )
        if isinstance(user, User):
            return _after_reset(session, ctx, request, user)
        refusal: Failure = user
    except Failure as failure:
        refusal = failure
        logins = failure.facts.get("logins", ())
    return _again(refusal, "code_password.html", phone=phone, logins=logins)


@router.get("/password")
@door(allow("me.renew"))
def password_page(session: Session, ctx: Ctx) -> Response:
    """Ask for a new password, and for the old one where it is needed."""
    asks = signing_in.must_prove(session, ctx)
    return render("password.html", sentence=None, person=ctx.actor, here="account", asks_current=asks is not None)


@router.post("/password")
@door(allow("me.renew"))
def change_password(
    session: Session, ctx: Ctx, *, request: Request, given: Annotated[Entered, Depends(chosen)]
) -> Response:
    """Keep the new password; every other session ends, this browser gets a new one."""
    asks = signing_in.must_prove(session, ctx) is not None
    try:
        if isinstance(given.found, Failure):
            raise given.found
        assert isinstance(given.found, Chosen)  # noqa: S101  # chosen hashes
        with session.begin_nested():
            user = entrance.renew(session, ctx, request, given.found)
    except Failure as failure:
        return _again(failure, "password.html", person=ctx.actor, here="account", asks_current=asks)
    return _let_in(session, ctx, request, user, Method.password)


@router.get("/account")
@door(allow("me.read"))
def account(session: Session, ctx: Ctx) -> Response:
    """Show one's own login: roles, where one is signed in, the second factor."""
    assert ctx.actor.id  # noqa: S101  # the lock admits people and keys, who have one
    return render(
        "account.html",
        person=ctx.actor,
        here="account",
        login=queries.claims(session, ctx.actor.id, ctx.now),
        sessions=queries.own_sessions(session, ctx.actor.id, ctx.actor.session_id, ctx.now),
        has_factor=second_factors.is_on(session, ctx.actor.id),
    )


@router.post("/account/sessions/{session_id}/end")
@door(allow("me.leave"))
def end_session(session: Session, ctx: Ctx, *, session_id: UUID) -> Response:
    """End one of one's own sessions."""
    sessions.end_own(session, ctx, session_id)
    return RedirectResponse("/account", 303)


@router.get("/second-factor")
@door(allow("me.secure"))
def second_factor_page(session: Session, ctx: Ctx) -> Response:
    """Show whether a second factor is set up."""
    assert ctx.actor.id  # noqa: S101  # as in account
    is_on = second_factors.is_on(session, ctx.actor.id)
    return render("second_factor.html", sentence=None, person=ctx.actor, here="account", is_on=is_on, codes=())


@router.post("/second-factor")
@door(allow("me.secure"))
def enrol(session: Session, ctx: Ctx, *, request: Request) -> Response:
    """Make a secret and show it as a picture for the app."""
    assert ctx.actor.id  # noqa: S101  # as in account
    made = second_factors.enrol(session, ctx, keys_of(request), ctx.actor.id)
    picture = segno.make(made.uri, error="m").svg_data_uri(scale=5, border=2, light="white")
    return render(
        "enrolment.html", sentence=None, person=ctx.actor, here="account", picture=picture, secret=made.secret
    )


@router.post("/second-factor/confirm")
@door(allow("me.secure"))
def confirm(session: Session, ctx: Ctx, *, request: Request, code: Code) -> Response:
    """Prove that the app has the secret; show the recovery codes, once."""
    assert ctx.actor.id  # noqa: S101  # as in account
    try:
        found = second_factors.confirm(session, ctx, keys_of(request), ctx.actor.id, code.strip())
    except Failure as failure:
        return _again(failure, "second_factor.html", person=ctx.actor, here="account", is_on=False, codes=())
    return render("second_factor.html", sentence=None, person=ctx.actor, here="account", is_on=True, codes=found)


@router.post("/second-factor/remove")
@door(allow("me.secure"))
def remove(session: Session, ctx: Ctx, *, request: Request, code: Code) -> Response:
    """Do without a second factor again."""
    assert ctx.actor.id  # noqa: S101  # as in account
    try:
        second_factors.remove(session, ctx, keys_of(request), ctx.actor.id, code)
    except Failure as failure:
        return _again(failure, "second_factor.html", person=ctx.actor, here="account", is_on=True, codes=())
    return RedirectResponse("/account", 303)


@router.post("/sign-out")
@door(PUBLIC)
def sign_out(session: Session, ctx: Ctx, *, request: Request) -> Response:
    """End this browser's session."""
    sessions.forget_browser(session, ctx, request.cookies.get(COOKIE, ""))
    answer = RedirectResponse("/sign-in", 303)
    answer.delete_cookie(COOKIE)
    return answer
