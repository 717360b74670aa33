"""Bring a backup back: into an empty database, or into a new data folder with a database of its own."""

from __future__ import annotations

import io
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from earlybird.deploy import folder, programs
from earlybird.deploy.errors import BackupDamaged, TargetNotEmpty
from earlybird.deploy.folder import Whole
from earlybird.infra import db
from earlybird.infra.db import Engine
from earlybird.infra.embedded import Embedded
from earlybird.infra.ports.files import NAME
from earlybird.infra.security import Keys

EMPTY = """SELECT NOT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema')"""


class Stream(io.RawIOBase):
    """A generator of bytes as a file that tarfile can read."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        super().__init__()
        self._pieces, self._kept = pieces, b""

    def readable(self) -> bool:
        """Say yes."""
        return True

    def readinto(self, into: Any) -> int:
        """Fill a buffer with what comes next."""
        while not self._kept:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._kept = piece
        count = min(len(into), len(self._kept))
        into[:count], self._kept = self._kept[:count], self._kept[count:]
        return count


def database(whole: Whole, engine: Engine, key: Keys | None) -> None:
    """Load the database of a backup into an empty one, whole or not at all; raise `TargetNotEmpty`.

    The application's role gets its rights and the planner its statistics, neither of which a dump carries.
    """
    with db.rehearsal(engine) as session:
        if not db.value(session, EMPTY):
            raise TargetNotEmpty(database=engine.url.database)
    program = programs.restorer(engine, whole.manifest["pg_dump"])
    programs.load(engine, program, whole.read(folder.DATABASE, key))
    with db.transaction(engine) as session:
        if db.value(session, "SELECT to_regproc('grant_to_application')") is not None:
            db.run(session, "SELECT grant_to_application()")
        db.run(session, "ANALYZE")


def photos(whole: Whole, to: Path, key: Keys | None) -> int:
    """Unpack the photos into an empty folder; return how many. A bucket's stay in the bucket."""
    if not whole.has(folder.FILES):
        return 0
    if to.exists() and any(to.iterdir()):
        raise TargetNotEmpty(folder=to)
    count = 0
    stream = io.BufferedReader(Stream(whole.read(folder.FILES, key)))
    try:
        with tarfile.open(fileobj=stream, mode="r|") as tar:
            for member in tar:
                if not member.isfile() or not NAME.fullmatch(member.name):
                    raise BackupDamaged(part=folder.FILES, member=member.name)
                path = to / member.name
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                packed = tar.extractfile(member)
                assert packed  # noqa: S101  # it is a file
                with path.open("xb") as file:
                    shutil.copyfileobj(packed, file)
                path.chmod(0o600)
                count += 1
    except tarfile.TarError as failure:
        raise BackupDamaged(part=folder.FILES) from failure
    return count


def checkpoints(whole: Whole, to: Path, key: Keys | None) -> None:
    """Write the checkpoints of the audit that belong to the backup, where there is no such file yet."""
    if to.exists():
        raise TargetNotEmpty(file=to)
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_bytes(b"".join(whole.read(folder.CHECKPOINTS, key)))
    to.chmod(0o600)


def into_folder(whole: Whole, data_dir: Path, key: Keys | None) -> dict[str, Any]:
    """Make a data folder of a backup, with a database of its own; nothing is left where it fails.

    The secret key is in no backup: bring `secret.key` yourself.
    """
    if data_dir.exists() and any(data_dir.iterdir()):
        raise TargetNotEmpty(folder=data_dir)
    embedded = Embedded(data_dir)
    try:
        with embedded.running() as url:
            engine = db.connect(url)
            try:
                database(whole, engine, key)
            finally:
                engine.dispose()
        count = photos(whole, data_dir / "files", key)
        checkpoints(whole, data_dir / folder.CHECKPOINTS, key)
    except BaseException:
        embedded.destroy()
        shutil.rmtree(data_dir, ignore_errors=True)
        raise
    return {"into": str(data_dir), "photos": count}
