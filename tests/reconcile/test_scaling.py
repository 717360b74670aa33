"""No question costs more than in proportion to what there is: the planner's own estimate, at one size and at four times it."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from conftest import scratch
from earlybird.infra import db
from earlybird.infra.embedded import Embedded
from earlybird.reconcile.checks import CHECKS
from make.month import NOW, month

SMALL, LARGE = 50, 200
"""Households; at the larger size, 10,000 delivered lines."""

GROWTH = 8
"""Four times the rows may cost twice four times as much; each row against each other would cost sixteen times."""


def estimates(server: Embedded, households: int) -> dict[str, float]:
    with scratch(server) as url:
        engine: Engine = db.connect(url)
        with db.transaction(engine) as session:
            month(session, households)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("ANALYZE")
        with db.rehearsal(engine) as session:
            facts = {"now": NOW, "grace": 120}
            found = {
                check.name: db.value(session, f"EXPLAIN (FORMAT JSON) {check.sql}", facts)[0]["Plan"]["Total Cost"]
                for check in CHECKS
            }
        engine.dispose()
    return found


@pytest.mark.soak
def test_no_question_grows_with_the_square_of_the_rows(server: Embedded) -> None:
    small, large = estimates(server, SMALL), estimates(server, LARGE)
    growth = {name: large[name] / small[name] for name in small}
    assert {name: round(times, 1) for name, times in growth.items() if times > GROWTH} == {}
