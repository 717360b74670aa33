"""Make a backup of one moment while the business goes on: the database, the photos, the checkpoints of the audit."""

from __future__ import annotations

import shutil
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import orjson

from earlybird.backups import service as backups
from earlybird.deploy import facts, folder, programs
from earlybird.deploy.errors import KeyMissing
from earlybird.deploy.folder import Draft, Whole
from earlybird.deploy.place import Place
from earlybird.deploy.retention import Retention, kept
from earlybird.infra import db
from earlybird.infra.db import Engine
from earlybird.infra.ports.files import Files, FolderFiles
from earlybird.kernel.ctx import Ctx

FOREVER = datetime(9999, 1, 1, tzinfo=UTC)


def make(engine: Engine, ctx: Ctx, place: Place, *, encrypt: bool, retention: Retention | None = None) -> Whole:
    """Make a backup in the place's folder, note it, then drop what the retention no longer keeps.

    Raises `KeyMissing` where it is to be encrypted and there is no key, `ToolMissing`, `ToolFailed`, `BackupRuns`.
    """
    if encrypt and place.key is None:
        raise KeyMissing(field="backup_key")
    program, major = programs.dumper(engine)
    with folder.alone(place.home):
        with folder.drafted(place.home, ctx.now, place.key if encrypt else None) as draft:
            told = _database(engine, draft, program, place.checkpoint_file)
            photos = _photos(draft, place.files)
            path = draft.finish(
                place.keys, {**told, "pg_dump": major, "server": db.server_major(engine), "files": photos}
            )
        made = folder.at(path)
        gone = _thinned(place.home, retention) if retention else []
    with db.transaction(engine) as session:
        if db.value(session, "SELECT to_regclass('backups')") is not None:
            backups.note(
                session,
                ctx,
                made.path.name,
                place=str(place.home),
                made_at=ctx.now,
                schema_version=str(made.manifest["schema"]),
                byte_count=made.byte_count,
                is_encrypted=encrypt,
                manifest_digest=made.digest,
            )
            backups.note_removed(session, ctx, gone)
    return made


def _database(engine: Engine, draft: Draft, program: Path, checkpoint_file: Path) -> dict[str, Any]:
    """Dump and measure one and the same snapshot; return what the manifest says of it."""
    with db.rehearsal(engine) as session:
        db.run(session, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        snapshot = str(db.value(session, "SELECT pg_export_snapshot()"))
        with draft.part(folder.DATABASE) as part:
            for piece in programs.dump(engine, program, snapshot):
                part.write(piece)
        found = facts.measured(session)
        schema = db.value(session, "SELECT version_num FROM alembic_version")
    with draft.part(folder.CHECKPOINTS) as part:
        for line in _checkpoints(checkpoint_file, found["seal"]):
            part.write(line)
    with draft.part(folder.FACTS) as part:
        part.write(folder.encode(found))
    return {"schema": schema}


def _checkpoints(path: Path, seal: dict[str, Any] | None) -> list[bytes]:
    """Return the lines of the seals that the dump holds: later ones would say that it lacks them."""
    if seal is None or not path.exists():
        return []
    lines = path.read_bytes().splitlines(keepends=True)
    return [line for line in lines if line.endswith(b"\n") and _seal_of(line) <= seal["seal"]]


def _seal_of(line: bytes) -> int:
    try:
        return int(orjson.loads(line)["seal"])
    except (ValueError, KeyError, TypeError):
        return 0  # a damaged line is evidence too


def _photos(draft: Draft, files: Files) -> dict[str, Any]:
    """Pack the folder of photos, after the dump, so that every record finds its file; of a bucket only list it."""
    if not isinstance(files, FolderFiles):
        names = sorted(files.older(FOREVER))
        with draft.part(folder.LISTING) as part:
            part.write(folder.encode(names))
        return {"kind": "bucket", "count": len(names)}
    count = byte_count = 0
    with (
        draft.part(folder.FILES) as part,
        tarfile.open(fileobj=cast("Any", part), mode="w|", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name in files.older(FOREVER):
            if name.startswith("drafts/"):
                continue
            try:
                info = tar.gettarinfo(files.root / name, arcname=name)
                with (files.root / name).open("rb") as file:
                    tar.addfile(info, file)
            except FileNotFoundError:  # swept meanwhile: no record names it
                continue
            count, byte_count = count + 1, byte_count + info.size
    return {"kind": "folder", "count": count, "byte_count": byte_count}


def _thinned(home: Path, retention: Retention) -> list[str]:
    """Remove the backups that need not be kept; return their names."""
    found = folder.listing(home)
    stay = kept([one.made_at for one in found], retention)
    gone = [one for one in found if one.made_at not in stay]
    for one in gone:
        doomed = one.path.with_name(f".{one.path.name}.part")  # from here on it is none, whatever happens
        one.path.rename(doomed)
        shutil.rmtree(doomed)
    return [one.path.name for one in gone]
