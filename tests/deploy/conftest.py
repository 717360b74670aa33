"""A business with something to lose, and a place for its backups."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import Engine

from conftest import NOW, admin
from earlybird.audit import service as audit
from earlybird.audit.service import sealing
from earlybird.backups.service import Terms
from earlybird.deploy.place import Place
from earlybird.infra import db
from earlybird.infra.checkpoints import Checkpoints
from earlybird.infra.embedded import Embedded
from earlybird.infra.ports.files import FolderFiles
from earlybird.infra.security import Keys
from earlybird.kernel.ctx import Ctx
from make.month import month

PHOTOS = (b"a doorstep", b"a signature", b"")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A folder of backups beside photos and checkpoints."""
    files = FolderFiles(tmp_path / "files")
    for body in PHOTOS:
        digest = hashlib.sha256(body).hexdigest()
        files.put(f"{digest[:2]}/{digest[2:4]}/{digest}-{'0' * 16}", body)
    return Place(
        home=tmp_path / "backups",
        files=files,
        checkpoint_file=tmp_path / "audit-checkpoints.jsonl",
        keys=Keys.random(),
        key=Keys.random(),
        terms=Terms(is_production=True, fresh_hours=24),
    )


@pytest.fixture
def business(fresh: Engine, place: Place, ctx: Ctx) -> Engine:
    """A month of a dairy, sealed."""
    with db.transaction(fresh) as session:
        month(session, customers=5)
        for number in range(5):
            audit.record(session, ctx, "orders.place", "order", after={"number": number})
    sealing.seal_all(fresh, ctx.at(NOW), Checkpoints(place.checkpoint_file, place.keys))
    return fresh


@pytest.fixture
def empty(server: Embedded) -> Callable[[], object]:
    """Call it with `with`: the URL of a database that holds nothing at all."""

    @contextmanager
    def made() -> Iterator[Engine]:
        name = f"e_{uuid4().hex[:12]}"
        admin(server, f"CREATE DATABASE {name} TEMPLATE template0")
        engine = db.connect(server.url(name))
        try:
            yield engine
        finally:
            engine.dispose()
            admin(server, f"DROP DATABASE {name} WITH (FORCE)")

    return made


def contents(engine: Engine) -> dict[str, str]:
    """A digest of every table's rows, whatever their order."""
    found = {}
    with psycopg.connect(engine.url.set(drivername="postgresql").render_as_string(hide_password=False)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for (table,) in connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
        ).fetchall():
            row = connection.execute(
                f"SELECT count(*) || ' ' || coalesce(md5(string_agg(r, E'\\n' ORDER BY r)), '') "
                f'FROM (SELECT t::text COLLATE "C" AS r FROM "{table}" t) x'
            ).fetchone()
            assert row
            found[table] = row[0]
    return found
