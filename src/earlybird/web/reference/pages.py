"""The doors to the description; they are open to everybody, and the page needs no other host."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2
from fastapi import APIRouter, Request, Response

from earlybird.infra.db import Session
from earlybird.infra.http import PUBLIC, door
from earlybird.kernel.ctx import Ctx

router = APIRouter(include_in_schema=False)

PAGE = (Path(__file__).parent / "docs.html").read_text(encoding="utf-8")
SUMMARY = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent),
    autoescape=False,  # noqa: S701  # plain text
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
PAGE_POLICY = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; script-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""The reader writes style attributes; scripts still come from here alone."""


@router.get("/api/openapi.json")
@door(PUBLIC)
def document(_session: Session, _ctx: Ctx, *, request: Request) -> dict[str, Any]:
    """Return the OpenAPI document."""
    found: dict[str, Any] = request.app.openapi()
    return found


@router.get("/docs")
@door(PUBLIC)
def page(_session: Session, _ctx: Ctx) -> Response:
    """Show the API to read and try."""
    return Response(PAGE, media_type="text/html", headers={"Content-Security-Policy": PAGE_POLICY})


@router.get("/llms.txt")
@door(PUBLIC)
def summary(_session: Session, _ctx: Ctx, *, request: Request) -> Response:
    """Say in plain text what the API is, its conventions and its routes."""
    text = SUMMARY.get_template("llms.txt").render(document=request.app.openapi())
    return Response(text, media_type="text/plain; charset=utf-8")
