"""A town for each test, in one database for each file: `from make.doors import place, town`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from conftest import scratch
from earlybird.infra import db
from earlybird.infra.embedded import Embedded
from make.town import Town


@pytest.fixture(scope="module")
def place(server: Embedded) -> Iterator[Engine]:
    with scratch(server) as url:
        engine = db.connect(url, pool_size=20, max_overflow=30)
        yield engine
        engine.dispose()


@pytest.fixture
def town(place: Engine) -> Town:
    return Town(place)
