"""What a shared link leads to: a page that only asks, and the list behind it."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from earlybird.deliveries.errors import LinkClosed
from earlybird.deliveries.queries import links as queries
from earlybird.deliveries.service import links
from earlybird.identity.entrance import keys_of
from earlybird.infra.db import Session
from earlybird.infra.http import PUBLIC, door
from earlybird.kernel.ctx import Ctx
from earlybird.web.admin.pages import render

COOKIE = "earlybird_link_device"
KEY = re.compile(r"[A-Za-z0-9_-]{43}")
A_MONTH = 31 * 86400

router = APIRouter(include_in_schema=False)


@router.get("/l/{token}")  # noqa: FAST003 - the page looks at nothing, its token neither
@door(PUBLIC)
def ask(_session: Session, _ctx: Ctx) -> Response:
    """Ask whether to open the link; whoever only looks, a preview of a message say, learns and changes nothing."""
    return render("shared_link.html", person=None, sentence=None)


@router.post("/l/{token}")
@door(PUBLIC)
def open_link(
    session: Session, ctx: Ctx, *, token: str, pin: Annotated[str, Form(max_length=20)] = "", request: Request
) -> Response:
    """Open the link on this device and show its stops."""
    kept = request.cookies.get(COOKIE, "")
    key = kept if KEY.fullmatch(kept) else None
    try:
        opened = links.open_link(session, ctx, keys_of(request), token=token, pin=pin or None, device_key=key)
    except LinkClosed as failure:
        opened = failure
    if isinstance(opened, LinkClosed):
        return render("shared_link.html", answer=404, person=None, sentence=opened.message)
    found = queries.find_opened(session, ctx, opened.access_token)
    assert found  # noqa: S101  # it was opened in this transaction
    me = links.as_link(ctx, found["id"], found["name"], round_id=found["round_id"], order_id=found["order_id"])
    page = render("shared_round.html", person=None, round=queries.shown(session, me))
    page.set_cookie(
        COOKIE, opened.device_key, max_age=A_MONTH, path="/l", httponly=True, samesite="strict",
        secure=request.url.scheme == "https",
    )  # fmt: skip
    return page
