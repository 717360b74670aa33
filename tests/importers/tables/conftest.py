"""A business to bring tables into, and the way in."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

import make
from earlybird.importers import tables
from earlybird.importers.tables.run import Outcome
from earlybird.infra import db
from earlybird.kernel.ctx import Ctx

Bring = Callable[..., Outcome]


@pytest.fixture
def firm(fresh: Engine) -> make.Firm:
    with db.transaction(fresh) as session:
        return make.business(session)


@pytest.fixture
def bring(fresh: Engine, firm: make.Firm, ctx: Ctx, tmp_path: Path) -> Bring:
    """Bring a table in: bring("customers", "name,phone\\r\\n…", mapping=None, dry_run=False)."""

    def call(kind: str, body: str | bytes | Path, *, mapping: str | None = None, **more: Any) -> Outcome:
        path = body if isinstance(body, Path) else tmp_path / f"{kind}.csv"
        if isinstance(body, str):
            path.write_text(body, encoding="utf-8", newline="")
        elif isinstance(body, bytes):
            path.write_bytes(body)
        return tables.take(fresh, ctx, tables.kind_of(kind, mapping), path, **more)

    return call


@pytest.fixture
def send(fresh: Engine, ctx: Ctx) -> Callable[..., str]:
    """Write a table: send("customers", business="Sunrise Dairy")."""

    def call(kind: str, business: str | None = None) -> str:
        with db.rehearsal(fresh) as session:
            home = tables.find_home(session, ctx.now, business)
            return "".join(tables.as_text(session, home, tables.export_of(kind)))

    return call


@pytest.fixture(scope="session")
def shared() -> Path:
    """The real data that nobody here wrote; it stands beside the project, not in it."""
    places = [os.environ.get("EARLYBIRD_SHARED"), Path(__file__).parents[4] / "shared"]
    for place in places:
        if place and (Path(place) / "data" / "olist").is_dir():
            return Path(place) / "data"
    pytest.skip("the real data of ../shared/data is not here")
