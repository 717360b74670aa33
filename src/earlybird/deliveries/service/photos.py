"""The pictures of a delivery: taken in once, bound to the confirmations that name them, withdrawn with a reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.deliveries.errors import NoSuchPhoto, PhotoOfAnother, TooManyPhotos
from earlybird.deliveries.queries import photos as queries
from earlybird.deliveries.schemas.photos import Said
from earlybird.files import queries as files
from earlybird.files import service as keeping
from earlybird.files.errors import FileIdTaken
from earlybird.files.models import StoredFile
from earlybird.files.states import FileKind
from earlybird.infra.db import lock, rows, run
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.ids import new_id

MOST = 20
"""How many pictures one delivery may have."""

BIND = f"""
INSERT INTO delivery_photos (delivery_id, file_id, client_id, bound_at)
SELECT n.delivery_id, p.file_id, n.client_id, :now
FROM ({queries.NAMED} AND e.delivery_id = ANY(CAST(:delivery_ids AS uuid[]))) n
JOIN delivery_photos p ON p.delivery_id = n.delivery_id AND p.client_id IS NULL
JOIN files f ON f.id = p.file_id AND (f.id::text = lower(n.name) OR f.digest = lower(n.name))
ON CONFLICT DO NOTHING"""


def expected(session: Session, ctx: Ctx, delivery_id: UUID, file_id: UUID | None) -> str | None:
    """Return the digest of the picture that is there under that id, None where it is new.

    It is asked before the picture is opened: who may not send it, or one too many, is refused here.
    """
    queries.stop(session, ctx, delivery_id)
    found = files.find(session, file_id) if file_id else None
    if found is not None:
        _check_same(session, delivery_id, found, found.digest, FileKind(found.kind))
        return found.digest
    if queries.count(session, delivery_id) >= MOST:
        raise TooManyPhotos(most=MOST)
    return None


def add(
    session: Session,
    ctx: Ctx,
    delivery_id: UUID,
    *,
    kind: FileKind,
    said: Said,
    digest: str,
    kept: keeping.Kept | None,
) -> dict[str, Any]:
    """Write the row of a kept picture and bind it to its delivery; the same picture under the same id is there once.

    `kept` is None where the picture was there before. It belongs to the confirmation it names, and to those that
    name it, whichever of the two comes first.
    """
    zone = queries.stop(session, ctx, delivery_id)["zone"]
    lock(session, f"photos of {delivery_id}")
    found = files.find(session, said.file_id) if said.file_id else None
    if found is not None:
        _check_same(session, delivery_id, found, digest, kind)
        file_id = found.id
    else:
        if queries.count(session, delivery_id) >= MOST:
            raise TooManyPhotos(most=MOST)
        assert kept is not None  # noqa: S101  # rows stay, so whoever saw none brought the picture
        file_id = said.file_id or new_id()
        keeping.record(session, ctx, file_id, kind=kind, kept=kept, zone=zone, taken_at=said.taken_at, place=said.place)
        _bind_one(session, ctx, delivery_id, file_id, None)
    if said.client_id is not None:
        _check_event(session, delivery_id, said.client_id)
        _bind_one(session, ctx, delivery_id, file_id, said.client_id)
    bind(session, ctx, [delivery_id])
    return one(session, ctx, delivery_id, file_id)


def bind(session: Session, ctx: Ctx, delivery_ids: Sequence[UUID | str]) -> int:
    """Bind the pictures of deliveries to the confirmations that name them, in one statement; return how many.

    A confirmation names pictures in `photos`, by id or by SHA-256. Pictures of other deliveries are not bound.
    """
    return run(session, BIND, {"delivery_ids": [str(key) for key in delivery_ids], "now": ctx.now})


def one(session: Session, ctx: Ctx, delivery_id: UUID, file_id: UUID) -> dict[str, Any]:
    """Return one picture of a delivery, unless it was withdrawn."""
    found = queries.of(session, ctx, delivery_id, file_id)
    if not found:
        raise NoSuchPhoto(field="file_id")
    return found[0]


def withdraw(session: Session, ctx: Ctx, delivery_id: UUID, file_id: UUID, *, reason: str) -> None:
    """Show a picture no more, with a reason; what is known of it stays."""
    queries.stop(session, ctx, delivery_id)
    found = session.get(StoredFile, file_id, with_for_update=True)
    if found is None or not queries.has(session, delivery_id, file_id):
        raise NoSuchPhoto(field="file_id")
    keeping.archive(session, ctx, found, reason=reason)


def _check_same(session: Session, delivery_id: UUID, found: StoredFile, digest: str, kind: FileKind) -> None:
    is_same = found.digest == digest and found.kind == kind and found.archived_at is None
    if not is_same or not queries.has(session, delivery_id, found.id):
        raise FileIdTaken(field="file_id")


def _check_event(session: Session, delivery_id: UUID, client_id: str) -> None:
    """Refuse a picture for the confirmation of another delivery; one that has not come yet may still be named."""
    asked = "SELECT delivery_id FROM delivery_events WHERE client_id = :client_id"
    if any(row["delivery_id"] != delivery_id for row in rows(session, asked, {"client_id": client_id})):
        raise PhotoOfAnother(field="client_id")


def _bind_one(session: Session, ctx: Ctx, delivery_id: UUID, file_id: UUID, client_id: str | None) -> None:
    run(
        session,
        "INSERT INTO delivery_photos (delivery_id, file_id, client_id, bound_at) "
        "VALUES (:delivery_id, :file_id, :client_id, :now) ON CONFLICT DO NOTHING",
        {"delivery_id": delivery_id, "file_id": file_id, "client_id": client_id, "now": ctx.now},
    )
