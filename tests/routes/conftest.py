"""A depot for each test that asks for one."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from earlybird.kernel.ctx import Ctx
from make.rounds import Depot


@pytest.fixture
def depot(session: Session, ctx: Ctx) -> Depot:
    return Depot.at(session, ctx)
