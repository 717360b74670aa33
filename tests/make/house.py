"""A business with its application in front: somebody of any role at the door, in one word."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import Engine
from starlette.testclient import TestClient

from conftest import NOW, scratch
from earlybird.catalog import service as catalog
from earlybird.identity.service import grants
from earlybird.infra import db
from earlybird.infra.embedded import Embedded
from earlybird.infra.security import Keys
from earlybird.infra.settings import Settings
from earlybird.main import create_app
from make import entrance
from make.business import Firm, business


@dataclass
class House:
    """The application, its database and its clock, which stands where `now` says."""

    engine: Engine
    firm: Firm
    keys: Keys
    now: datetime = NOW
    tokens: dict[Any, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        app = create_app(
            self.engine, lambda: self.now, keys=self.keys, settings=Settings(requests_per_minute=1_000_000)
        )
        self.client = TestClient(app)

    def token(self, role: str, customer_id: UUID | None = None, user_id: UUID | None = None) -> str:
        """The token of somebody of that role (of that user, where one is named), made once per instant."""
        who = (role, customer_id, user_id, self.now)
        if who not in self.tokens:
            with db.transaction(self.engine) as session:
                if user_id is None:
                    user_id = entrance.person(session, role, customer_id=customer_id)
                self.tokens[who] = entrance.token_of(session, self.keys, self.now, user_id, role=role)
        return self.tokens[who]

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        by: str | None = "admin",
        customer_id: UUID | None = None,
        user_id: UUID | None = None,
        match: str | None = None,
    ) -> httpx.Response:
        """Send a request as somebody of a role, or as nobody (`by=None`)."""
        headers = {} if by is None else {"Authorization": f"Bearer {self.token(by, customer_id, user_id)}"}
        if match:
            headers["If-Match"] = match
        return self.client.request(method, path, json=body, headers=headers)  # type: ignore[return-value]

    def one(self, sql: str, **facts: Any) -> Any:
        """The first value of a statement."""
        with db.transaction(self.engine) as session:
            return db.value(session, sql, facts)


@contextmanager
def house(server: Embedded) -> Iterator[House]:
    """A dairy in a database of its own, with its grants and units."""
    with scratch(server) as url:
        engine = db.connect(url)
        with db.transaction(engine) as session:
            grants.seed(session, entrance.CTX)
            catalog.seed_units(session)
            firm = business(session)
        yield House(engine, firm, Keys.random())
        engine.dispose()


def told(answer: httpx.Response) -> tuple[int, str | None]:
    """The status of an answer, and the field its first mistake points at."""
    mistakes = answer.json().get("errors") if answer.status_code >= 400 else None
    return answer.status_code, mistakes[0]["pointer"] if mistakes else None
