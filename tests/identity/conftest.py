"""An application with cheap hashes, a clock that is moved by hand, and people who sign in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient

from earlybird.identity.service import grants
from earlybird.infra import db
from earlybird.infra.hashing import Hasher
from earlybird.infra.security import Keys
from earlybird.infra.settings import Settings
from earlybird.main import create_app
from make.business import business
from make.entrance import CTX, person
from make.month import NOW

CHEAP = {"password_memory_kib": 64, "password_rounds": 1, "requests_per_minute": 10**9}
HASHER = Hasher(memory_kib=64, rounds=1)
WORD = "seven green kettles sing"
OTHER = "nine quiet lanterns glow"
JSON = dict[str, Any]


@dataclass
class House:
    """The application, its clock and its database."""

    engine: Engine
    keys: Keys = field(default_factory=Keys.random)
    now: datetime = NOW
    over: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.app = create_app(self.engine, lambda: self.now, keys=self.keys, settings=Settings(**CHEAP | self.over))

    def later(self, **span: float) -> None:
        """Move the clock."""
        self.now += timedelta(**span)

    def at(self, address: str = "203.0.113.7", token: str | None = None) -> TestClient:
        """A client at an address on the net, perhaps with an access token."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return TestClient(self.app, follow_redirects=False, client=(address, 4711), headers=headers)

    def add(self, role: str = "customer", **over: Any) -> UUID:
        """Somebody who signs in with WORD."""
        with db.transaction(self.engine) as session:
            return person(session, role, **{"password_hash": HASHER.hash(WORD)} | over)

    def sql(self, statement: str, **facts: Any) -> list[dict[str, Any]]:
        """The rows of a statement, committed."""
        with db.transaction(self.engine) as session:
            return db.rows(session, statement, facts)

    def run(self, statement: str, **facts: Any) -> int:
        with db.transaction(self.engine) as session:
            return db.run(session, statement, facts)

    def sign_in(self, email: str, password: str = WORD, *, address: str = "203.0.113.7", **more: Any) -> Any:
        return self.at(address).post("/api/auth/login", json={"email": email, "password": password, **more})

    def letters(self, kind: str) -> list[str]:
        """What messages of a kind say, the newest last."""
        found = self.sql("SELECT body FROM messages WHERE kind = :kind AND body IS NOT NULL ORDER BY id", kind=kind)
        return [self.keys.open("messages", bytes(row["body"])).decode() for row in found]

    def code(self) -> str:
        """The one-time code that was sent last."""
        return re.search(r"\b(\d{6})\b", self.letters("one_time_code")[-1])[1]  # type: ignore[index]

    def link(self, kind: str = "password_reset") -> str:
        """The token of the link that was sent last."""
        return re.search(r"/sign-in/([\w-]+)", self.letters(kind)[-1])[1]  # type: ignore[index]


@pytest.fixture
def house(fresh: Engine) -> House:
    with db.transaction(fresh) as session:
        business(session)
        grants.seed(session, CTX)
    return House(fresh)


@pytest.fixture
def asha(house: House) -> Iterator[UUID]:
    """An admin."""
    return house.add("admin", name="Asha", email="asha@example.com", phone="9876543210")  # type: ignore[return-value]
