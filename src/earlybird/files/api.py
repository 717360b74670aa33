"""`/files`: a picture for whoever holds a link to it that is still good."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from starlette.concurrency import run_in_threadpool

from earlybird.files import queries, service
from earlybird.files.errors import NoSuchFile
from earlybird.files.states import Variant
from earlybird.infra import http
from earlybird.infra.db import Session
from earlybird.infra.http import PUBLIC, door
from earlybird.kernel.ctx import Ctx

router = APIRouter(prefix="/files", include_in_schema=False)

HEADERS = {
    "Cache-Control": "private, max-age=300",
    "Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
}
SUFFIXES = {"image/jpeg": "jpg", "image/png": "png"}


@dataclass(frozen=True, slots=True)
class Picture:
    """What is sent: bytes, what they are, what they are called."""

    body: bytes
    media_type: str
    name: str


async def opened(
    request: Request,
    caller: Annotated[http.Caller, PUBLIC],
    file_id: str,
    variant: str = "",
    expires: str = "",
    signature: str = "",
) -> Picture:
    """Return the picture a good link names, read outside any transaction; every other link is refused in one voice."""

    def look(session: Session, ctx: Ctx) -> tuple[dict[str, Any], Variant]:
        try:
            key = UUID(file_id)
        except ValueError as failure:
            raise NoSuchFile from failure
        size = service.check_link(request.app.state.keys, ctx.now, key, variant, expires, signature)
        found = queries.shown(session, key)
        if found is None:
            raise NoSuchFile
        return found, size

    found, size = await http.beforehand(caller, look)
    body = await run_in_threadpool(service.fetch, request.app.state.files, found, size)
    name = f"{found['kind']}-{UUID(file_id).hex[-12:]}.{SUFFIXES[found['media_type']]}"
    return Picture(body, found["media_type"], name)


@router.get("/{file_id}")
@door(PUBLIC)
def show(_session: Session, _ctx: Ctx, *, picture: Annotated[Picture, Depends(opened)]) -> Response:
    """Show a picture: as a picture whatever it holds, and to nobody but the holder of the link."""
    named = {"Content-Disposition": f'inline; filename="{picture.name}"', "ETag": http.etag(picture.body)}
    return Response(picture.body, media_type=picture.media_type, headers=HEADERS | named)
