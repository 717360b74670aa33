"""The HTTP way in: `create_app(engine)`."""

from __future__ import annotations

import gc
from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any, Literal

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, Field
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from earlybird import wiring
from earlybird.infra import http
from earlybird.infra.db import value
from earlybird.infra.hashing import Hasher
from earlybird.infra.images.darkroom import Darkroom
from earlybird.infra.security import Keys
from earlybird.infra.settings import Settings
from earlybird.kernel.ctx import Ctx
from earlybird.web import STATIC
from earlybird.web.admin import pages
from earlybird.web.reference import description


def create_app(
    engine: Engine,
    clock: Callable[[], datetime] = http.clock,
    *,
    keys: Keys | None = None,
    settings: Settings | None = None,
) -> Any:
    """Return the application on a migrated database; `clock` may stand still for rehearsals.

    Without `keys` a random secret is made: its tokens are good in this application alone.
    """
    settings = settings or Settings()
    app = _bare()
    app.router.routes.extend(_open().routes)
    app.state.engine = engine
    app.state.clock = clock
    app.state.keys = keys or Keys.random()
    app.state.settings = settings
    app.state.hasher = Hasher.read(settings)
    app.state.jobs = wiring.periodic(settings)
    app.state.limiter = http.Limiter(settings.requests_per_minute)
    app.state.gatherer = http.Gatherer()
    app.state.files = wiring.place_of_files(settings)
    app.state.darkroom = Darkroom()
    app.state.uploads = http.Uploads()
    http.install(app, pages.problem)
    app.add_middleware(http.Edge)
    app.openapi = description_of_the_api  # type: ignore[method-assign]
    return app


def _bare() -> FastAPI:
    return FastAPI(title="Earlybird", docs_url=None, redoc_url=None, openapi_url=None)


@cache
def _open() -> FastAPI:
    """Return every route, made once a process: what they take and give is worked out at the first request."""
    app = _bare()
    app.add_api_route("/api/health", health, methods=["GET"], tags=["health"])
    for router in wiring.routers():
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app


def settle() -> None:
    """Let the garbage collector leave alone what is loaded by now: it lives as long as the process.

    Looking through all of it over and over cost a fifth of a busy web process, in pauses that every request felt.
    """
    gc.collect()
    gc.freeze()


@cache
def description_of_the_api() -> dict[str, Any]:
    """Return the OpenAPI document; the database is not asked."""
    return description.describe(_open(), wiring.routers())


class Health(BaseModel):
    """Whether it works."""

    status: Literal["ok"] = "ok"
    database: Literal["ok"] = "ok"
    schema_: str = Field(alias="schema", description="The schema version of the database.", examples=["0002"])


@http.door(http.PUBLIC)
def health(session: Session, _ctx: Ctx) -> Health:
    """Say whether the database answers, and at which schema version; 503 where it does not."""
    return Health(schema=value(session, "SELECT version_num FROM alembic_version"))
