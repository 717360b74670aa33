"""PostgreSQL's own pg_dump and pg_restore: the one that fits, and how it is called."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from earlybird.deploy.errors import ToolFailed, ToolMissing
from earlybird.infra import db, embedded
from earlybird.infra.db import Engine

CHUNK = 2**18
TIMEOUT_SETTING_MAJOR = 17
"""From here on pg_restore sets transaction_timeout, which older servers do not know."""


def found(name: str) -> dict[int, Path]:
    """Return every such program on this machine, by its major version."""
    programs: dict[int, Path] = {}
    on_path = shutil.which(name)
    for path in [*(folder / name for folder in embedded.installed()), *([Path(on_path)] if on_path else [])]:
        if path.is_file():
            said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603
            version = re.search(r"\(PostgreSQL\) (\d+)", said)
            if version:
                programs.setdefault(int(version[1]), path)
    return programs


def dumper(engine: Engine) -> tuple[Path, int]:
    """Return the pg_dump of the server's major version, else the oldest newer one; raise `ToolMissing`."""
    server, programs = db.server_major(engine), found("pg_dump")
    fitting = min((major for major in programs if major >= server), default=None)
    if fitting is None:
        raise ToolMissing(server=server, here=sorted(programs))
    return programs[fitting], fitting


def restorer(engine: Engine, archive: int) -> Path:
    """Return the oldest pg_restore that reads the archive of pg_dump `archive` and that the server understands."""
    server, programs = db.server_major(engine), found("pg_restore")
    fitting = [major for major in programs if major >= archive and (major < TIMEOUT_SETTING_MAJOR or major <= server)]
    if not fitting:
        raise ToolMissing(server=server, archive=archive, here=sorted(programs))
    return programs[min(fitting)]


def dump(engine: Engine, program: Path, snapshot: str) -> Iterator[bytes]:
    """Yield the database as it stands in an exported snapshot, in pg_dump's custom format."""
    words = [str(program), "--format=custom", "--no-owner", "--no-acl", f"--snapshot={snapshot}"]
    address, environment = _address(engine)
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(  # noqa: S603  found on this machine, no shell
            [*words, f"--dbname={address}"], stdout=subprocess.PIPE, stderr=said, env=environment
        )
        assert process.stdout  # noqa: S101  # it was asked for
        try:
            while piece := process.stdout.read(CHUNK):
                yield piece
            if process.wait():
                raise ToolFailed(_words(said), program=program.name)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            process.stdout.close()


def load(engine: Engine, program: Path, archive: Iterable[bytes]) -> None:
    """Restore an archive into the empty database of an engine, whole or not at all."""
    words = [str(program), "--no-owner", "--no-acl", "--single-transaction", "--exit-on-error"]
    address, environment = _address(engine)
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(  # noqa: S603  as above
            [*words, f"--dbname={address}"], stdin=subprocess.PIPE, stderr=said, env=environment
        )
        assert process.stdin  # noqa: S101  # it was asked for
        try:
            try:
                for piece in archive:
                    process.stdin.write(piece)
                process.stdin.close()
            except BrokenPipeError:
                process.wait()
                raise ToolFailed(_words(said), program=program.name) from None
            if process.wait():
                raise ToolFailed(_words(said), program=program.name)
        finally:
            if process.poll() is None:  # the archive failed us: its end must not look like one
                process.kill()
                process.wait()
            with contextlib.suppress(OSError):
                process.stdin.close()


def _address(engine: Engine) -> tuple[str, dict[str, str]]:
    """Return where the database is, without its password, and the environment that holds that."""
    url = engine.url.set(drivername="postgresql")
    environment = {name: text for name, text in os.environ.items() if not name.startswith("PG")}
    if url.password:
        environment["PGPASSWORD"] = str(url.password)
        url = url._replace(password=None)
    return url.render_as_string(hide_password=False), environment


def _words(said: IO[bytes]) -> str:
    said.seek(0)
    return said.read().decode(errors="replace").strip()[-2000:] or "It said nothing."
