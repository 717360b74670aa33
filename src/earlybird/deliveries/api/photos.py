"""`/api/deliveries/{delivery_id}/photos`: pictures from the door, and signatures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request

from earlybird.deliveries.access import allow_with_link
from earlybird.deliveries.queries import photos as queries
from earlybird.deliveries.schemas.photos import PhotoOut, Photos, Said, Withdraw
from earlybird.deliveries.service import photos, telling
from earlybird.deliveries.states import LinkAction
from earlybird.files import service as files
from earlybird.files.errors import FileIdTaken
from earlybird.files.states import FileKind
from earlybird.identity.access import allow
from earlybird.infra import http
from earlybird.infra.db import Session
from earlybird.infra.http import door
from earlybird.infra.images.darkroom import LARGEST
from earlybird.kernel.ctx import Ctx

router = APIRouter(prefix="/api/deliveries", tags=["photos"], responses=http.PROBLEMS)

LOCK = allow_with_link("deliveries.photograph", LinkAction.confirm)
BYTES = {"schema": {"type": "string", "format": "binary", "minLength": 1, "maxLength": LARGEST}}
KINDS = ("image/jpeg", "image/png", "image/webp", "application/octet-stream")
BODY = {"requestBody": {"required": True, "content": dict.fromkeys(KINDS, BYTES)}}
Words = Annotated[Said, Query()]


@dataclass(frozen=True, slots=True)
class Arrived:
    """A picture that came: its digest, and where it is kept unless it was there before."""

    digest: str
    kept: files.Kept | None


async def arrived(kind: FileKind, request: Request, caller: http.Caller, delivery_id: UUID, said: Said) -> Arrived:
    """Ask whether it may come, take it in, make it anew and keep it: all before the door's own transaction."""
    state = request.app.state
    known = await http.beforehand(caller, lambda session, ctx: photos.expected(session, ctx, delivery_id, said.file_id))

    def work(body: bytes) -> Arrived:
        digest = files.digest_of(body)
        if known is not None and known != digest:
            raise FileIdTaken(field="file_id")
        return Arrived(digest, None if known else files.keep(state.files, state.darkroom, body, kind))

    found: Arrived = await state.uploads.take(request, kinds=frozenset(KINDS), largest=LARGEST, work=work)
    return found


async def photo(request: Request, caller: Annotated[http.Caller, LOCK], delivery_id: UUID, said: Words) -> Arrived:
    """Take a photo in."""
    return await arrived(FileKind.photo, request, caller, delivery_id, said)


async def ink(request: Request, caller: Annotated[http.Caller, LOCK], delivery_id: UUID, said: Words) -> Arrived:
    """Take a signature in."""
    return await arrived(FileKind.signature, request, caller, delivery_id, said)


@router.post("/{delivery_id}/photos", status_code=201, openapi_extra=BODY)
@door(LOCK)
def add(
    session: Session,
    ctx: Ctx,
    *,
    request: Request,
    delivery_id: UUID,
    said: Words,
    found: Annotated[Arrived, Depends(photo)],
) -> PhotoOut:
    """Add a photo: JPEG, PNG or WebP as the body, up to 10 MiB. Sent again under its file_id it is kept once.

    It is opened and made anew; the file itself is not kept. Time and place are kept in the record, and not shown in
    the picture.
    """
    made = photos.add(
        session, telling.through(ctx), delivery_id, kind=FileKind.photo, said=said, digest=found.digest, kept=found.kept
    )
    return _shown(request, ctx, made)


@router.post("/{delivery_id}/signature", status_code=201, openapi_extra=BODY)
@door(LOCK)
def sign(
    session: Session,
    ctx: Ctx,
    *,
    request: Request,
    delivery_id: UUID,
    said: Words,
    found: Annotated[Arrived, Depends(ink)],
) -> PhotoOut:
    """Add a signature: a picture as for photos, kept as a grey PNG."""
    made = photos.add(
        session, ctx, delivery_id, kind=FileKind.signature, said=said, digest=found.digest, kept=found.kept
    )
    return _shown(request, ctx, made)


@router.get("/{delivery_id}/photos")
@door(allow("deliveries.read"))
def show(session: Session, ctx: Ctx, *, request: Request, delivery_id: UUID) -> Photos:
    """Show the pictures of a delivery, with links that are good for some minutes."""
    queries.stop(session, ctx, delivery_id)
    found: Any = {
        "photos": [_shown(request, ctx, row) for row in queries.of(session, ctx, delivery_id)],
        "missing": queries.missing(session, delivery_id),
    }
    return found  # type: ignore[no-any-return]  # the door shapes it


@router.post("/{delivery_id}/photos/{file_id}/withdraw", status_code=204)
@door(allow("files.archive"))
def withdraw(session: Session, ctx: Ctx, *, delivery_id: UUID, file_id: UUID, body: Withdraw) -> None:
    """Show a picture no more; who withdrew it, and why, is in the audit."""
    photos.withdraw(session, ctx, delivery_id, file_id, reason=body.reason)


def _shown(request: Request, ctx: Ctx, row: dict[str, Any]) -> PhotoOut:
    found: Any = row | files.links(request.app.state.keys, row["id"], ctx.now)
    return found  # type: ignore[no-any-return]  # the door shapes it
