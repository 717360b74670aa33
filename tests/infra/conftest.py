"""A town for each test."""

import pytest
from sqlalchemy import Engine

from earlybird.infra import db
from make.doors import place
from make.town import Town

__all__ = ["place"]


@pytest.fixture
def town(place: Engine) -> Town:
    """A town of the test's own; no answers are kept from the towns before."""
    with db.transaction(place) as session:
        db.run(session, "DELETE FROM kept_answers")
        db.run(session, "UPDATE api_keys SET revoked_at = created_at WHERE revoked_at IS NULL")
    return Town(place)
