"""Take files in and give them out: keep first, then the row, so that no row ever points to nothing."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.files import queries, rules
from earlybird.files.errors import AlreadyArchived, FileDamaged, NoSuchFile
from earlybird.files.models import StoredFile
from earlybird.files.states import FileKind, Variant
from earlybird.infra.db import Engine, transaction
from earlybird.infra.images.darkroom import Darkroom, Developed
from earlybird.infra.ports.files import FileGone, Files
from earlybird.infra.security import Keys
from earlybird.kernel.ctx import Ctx

log = structlog.get_logger("files")

PURPOSE = "file link"
AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Kept:
    """A picture that is kept and has no row yet; `digest` is the SHA-256 of what came."""

    digest: str
    object_name: str
    thumbnail_name: str
    picture: Developed


def digest_of(body: bytes) -> str:
    """Return the SHA-256 of a body, in hex."""
    return hashlib.sha256(body).hexdigest()


def keep(files: Files, darkroom: Darkroom, body: bytes, kind: FileKind) -> Kept:
    """Make a picture anew and keep it in both sizes. It takes long: no transaction may be open.

    Who falls over between this and the row leaves files that nobody speaks of; `sweep` removes them.
    """
    picture = darkroom.develop(body, kind)
    found = Kept(
        digest_of(body),
        rules.name(digest_of(picture.whole), picture.mark),
        rules.name(digest_of(picture.thumbnail), picture.mark),
        picture,
    )
    files.put(found.object_name, picture.whole)
    files.put(found.thumbnail_name, picture.thumbnail)
    return found


def record(
    session: Session,
    ctx: Ctx,
    file_id: UUID,
    *,
    kind: FileKind,
    kept: Kept,
    zone: str,
    taken_at: datetime | None = None,
    place: Mapping[str, Any] | None = None,
) -> StoredFile:
    """Write the row of a kept picture. `taken_at` and `place` are what the device says beside it."""
    picture = kept.picture
    exif = picture.original["exif"]
    at, by = rules.taken(exif, taken_at, zone)
    said = {"taken_at": taken_at.isoformat() if taken_at else None, "place": dict(place) if place else None}
    row = StoredFile(
        id=file_id,
        kind=kind,
        digest=kept.digest,
        served_digest=digest_of(picture.whole),
        object_name=kept.object_name,
        thumbnail_name=kept.thumbnail_name,
        media_type=picture.media_type,
        width=picture.width,
        height=picture.height,
        byte_count=len(picture.whole),
        taken_at=at,
        taken_by=by,
        place=rules.place(exif, place),
        device=ctx.device,
        uploaded_by_kind=ctx.actor.kind,
        uploaded_by_id=ctx.actor.id,
        uploaded_by_name=ctx.actor.name,
        via=ctx.via,
        address=ctx.address,
        uploaded_at=ctx.now,
        original=picture.original | {"said": said},
        archived_at=None,
    )
    session.add(row)
    session.flush()  # the rows that name it come next
    audit.record(
        session,
        ctx,
        "files.upload",
        "file",
        file_id,
        after={"kind": str(kind), "digest": kept.digest, "served_digest": row.served_digest},
    )
    return row


def archive(session: Session, ctx: Ctx, file: StoredFile, *, reason: str) -> None:
    """Withdraw a picture: it is listed and served no more; the record stays."""
    if file.archived_at is not None:
        raise AlreadyArchived(field="file_id")
    facts = {"archived_at": ctx.now}
    audit.change(session, ctx, file, facts, action="files.archive", entity="file", reason=reason)


def links(keys: Keys, file_id: UUID, now: datetime) -> dict[str, Any]:
    """Return the addresses of a file in both sizes, good for some minutes, and when they end."""
    ends = rules.link_ends(now)
    found = {
        v: f"/files/{file_id}?variant={v}&expires={ends}&signature={_sign(keys, file_id, v, ends)}" for v in Variant
    }
    return {"url": found[Variant.whole], "thumbnail_url": found[Variant.thumbnail], "urls_end_at": rules.ends_at(ends)}


def check_link(keys: Keys, now: datetime, file_id: UUID, variant: str, ends: str, signature: str) -> Variant:
    """Return the size a link speaks of; refuse in one voice what is expired, changed or made up."""
    is_form = variant in set(Variant) and ends.isascii() and ends.isdecimal() and len(ends) <= len("9999999999")
    wanted = _sign(keys, file_id, variant, int(ends)) if is_form else ""
    if not is_form or not hmac.compare_digest(wanted.encode(), signature.encode()) or now.timestamp() >= int(ends):
        raise NoSuchFile
    return Variant(variant)


def fetch(files: Files, found: Mapping[str, Any], variant: Variant) -> bytes:
    """Return the bytes of a file, held to their digest; no transaction may be open."""
    named = found["object_name" if variant == Variant.whole else "thumbnail_name"]
    try:
        body = b"".join(files.get(named))
    except FileGone:
        body = b""
    if rules.name(digest_of(body), named.rpartition("-")[2]) != named:
        log.error("file_damaged", name=named)
        raise FileDamaged
    return body


def sweep(engine: Engine, ctx: Ctx, files: Files) -> int:
    """Remove kept files that no row has spoken of for a day; return how many."""
    count = 0
    for names in _parts(files.older(ctx.now - rules.GRACE)):
        with transaction(engine) as session:
            spoken = queries.kept(session, names)
        for name in names:
            if name not in spoken:
                files.delete(name)
                count += 1
    if count:
        log.info("swept", files=count)
    return count


def _parts(names: Iterator[str]) -> Iterator[list[str]]:
    part: list[str] = []
    for name in names:
        part.append(name)
        if len(part) == AT_ONCE:
            yield part
            part = []
    if part:
        yield part


def _sign(keys: Keys, file_id: UUID, variant: str, ends: int) -> str:
    return keys.mac(PURPOSE, rules.link_text(file_id, Variant(variant), ends))
