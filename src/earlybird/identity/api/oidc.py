"""Signing in with the business's own provider (OpenID Connect): off unless the settings name one."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse

from earlybird.identity import entrance
from earlybird.identity.errors import NoProvider, ProviderRefused
from earlybird.identity.rules import COOKIE, SESSION_DAYS
from earlybird.infra.db import Session
from earlybird.infra.http import PUBLIC, door
from earlybird.infra.ports.provider import Errand, NotGood, Provider
from earlybird.infra.security import Unreadable
from earlybird.kernel.ctx import Ctx

router = APIRouter(prefix="/auth/oidc", include_in_schema=False)

ERRAND = "earlybird_errand"
"""The cookie that keeps state, nonce and verifier, sealed, while the browser is at the provider."""

PURPOSE = "oidc errand"
MINUTES = 10
PATH = "/auth/oidc"

Brought = Annotated[str | None, Query(max_length=4000, pattern=r"^[^\x00-\x1f\x7f]*$")]


async def sent_out(request: Request) -> Response:
    """Return the way to the provider, and the cookie it is compared with on the way back."""
    provider = _provider(request)
    errand = Errand.new()
    try:
        answer = RedirectResponse(await provider.address(errand, _back(request)), 303)
    except NotGood as failure:
        raise ProviderRefused from failure
    facts = asdict(errand) | {"at": int(request.app.state.clock().timestamp())}
    sealed = entrance.keys_of(request).seal(PURPOSE, orjson.dumps(facts)).hex()
    answer.set_cookie(
        ERRAND, sealed, max_age=MINUTES * 60, path=PATH, httponly=True, samesite="lax", secure=_is_secure(request)
    )
    return answer


async def come_back(
    request: Request, code: Brought = None, state: Brought = None, error: Brought = None, iss: Brought = None
) -> str:
    """Return the cookie of the session that what the provider says opens."""
    provider = _provider(request)
    errand = _errand(request)
    if errand is None or error or not code or state != errand.state or iss not in {None, provider.issuer}:
        raise ProviderRefused
    try:
        known = await provider.vouched(errand, code, _back(request), request.app.state.clock())
    except NotGood as failure:
        raise ProviderRefused from failure
    return await entrance.let_in_vouched(request, known)


@router.get("/start")
@door(PUBLIC)
def start(_session: Session, _ctx: Ctx, *, answer: Annotated[Response, Depends(sent_out, use_cache=False)]) -> Response:
    """Go to the provider to sign in."""
    return answer


@router.get("/callback")
@door(PUBLIC)
def callback(
    _session: Session, _ctx: Ctx, *, request: Request, cookie: Annotated[str, Depends(come_back, use_cache=False)]
) -> Response:
    """Come back from the provider, signed in."""
    answer = RedirectResponse("/", 303)
    answer.delete_cookie(ERRAND, path=PATH)
    answer.set_cookie(
        COOKIE,
        cookie,
        max_age=SESSION_DAYS * 86400,
        httponly=True,
        samesite="lax",
        secure=_is_secure(request),
    )
    return answer


def _provider(request: Request) -> Provider:
    found = Provider.read(request.app.state.settings)
    if found is None:
        raise NoProvider
    return found


def _errand(request: Request) -> Errand | None:
    """Return what this browser was sent out with, not long ago."""
    try:
        sealed = bytes.fromhex(request.cookies.get(ERRAND, ""))
        facts = orjson.loads(entrance.keys_of(request).open(PURPOSE, sealed))
    except (ValueError, Unreadable):
        return None
    if request.app.state.clock().timestamp() - facts.pop("at") > MINUTES * 60:
        return None
    return Errand(**facts)


def _back(request: Request) -> str:
    return f"{entrance.site_of(request)}{PATH}/callback"


def _is_secure(request: Request) -> bool:
    return request.url.scheme == "https" or entrance.site_of(request).startswith("https:")
