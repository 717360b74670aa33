"""Dates are real: new rows are held from the first batch on, what was told before is listed and stands."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from earlybird.infra import db
from earlybird.migrations import holding, residue
from earlybird.migrations import service as steps
from earlybird.migrations.steps import confirmation_dates
from earlybird.territory import service as territory
from make.month import NOW, month
from migrations.content import IMPORTER

DATES = steps.find("27")

COPY = """
INSERT INTO delivery_events (client_id, delivery_id, customer_id, service_on, kind, device_at, received_at, actor_kind,
                             actor_name, authority, via)
SELECT CAST(:client_id AS text), delivery_id, customer_id, service_on, 'correct', CAST(:at AS timestamptz), :now,
       'user', 'Asha', 4, CAST(:via AS text)
FROM delivery_events ORDER BY id LIMIT 1
"""


def tell(session: Session, client_id: str, days: float, via: str = "api") -> None:
    facts = {"client_id": client_id, "at": NOW + timedelta(days=days), "now": NOW, "via": via}
    assert db.run(session, COPY, facts) == 1


@pytest.fixture
def dairy(fresh: Engine) -> Engine:
    with db.transaction(fresh) as session:
        month(session, customers=2)
        territory.set_policy(session, IMPORTER, "check_dates", value=False)
    return fresh


def proven(engine: Engine) -> bool | None:
    with db.rehearsal(engine) as session:
        return holding.constraints(session, "delivery_events").get(confirmation_dates.CONSTRAINT)


def policy(engine: Engine) -> bool:
    with db.rehearsal(engine) as session:
        return bool(db.value(session, "SELECT value FROM policies WHERE name = 'check_dates'"))


def test_new_rows_are_held_at_once_and_old_ones_listed(dairy: Engine) -> None:
    with db.transaction(dairy) as session:
        tell(session, "ahead", 3)
        tell(session, "theirs", 40, via="import")
    planned = steps.plan(dairy, IMPORTER, DATES)
    assert (planned.rows, planned.unannounced, proven(dairy), policy(dairy)) == ({"policies": 1}, [], None, False)
    assert [row["what"] for row in planned.unclear].count("confirmed for a time to come") == 2
    steps.apply(dairy, IMPORTER, DATES)
    assert (proven(dairy), policy(dairy), steps.verify(dairy, DATES)) == (False, True, [])
    for days in (3, 1.01):
        with pytest.raises(IntegrityError), db.transaction(dairy) as session:
            tell(session, "again", days)
    with db.transaction(dairy) as session:
        tell(session, "true", 0)
        tell(session, "theirs too", 40, via="import")
    steps.revert(dairy, IMPORTER, DATES, confirmed=DATES.name, reason="a trial")
    assert (proven(dairy), policy(dairy)) == (None, False)
    with db.transaction(dairy) as session:
        tell(session, "again", 3)
        assert db.value(session, "SELECT count(*) FROM delivery_events WHERE client_id IN ('ahead', 'again')") == 2
    steps.apply(dairy, IMPORTER, DATES)
    assert (proven(dairy), steps.verify(dairy, DATES)) == (False, [])


def test_between_its_batches_new_rows_are_held_already_and_none_that_break_it_is_proven(dairy: Engine) -> None:
    with db.rehearsal(dairy) as session:
        row = db.rows(session, "INSERT INTO steps (number, name) VALUES (27, 'x') RETURNING id")[0]
        batch = residue.Batch(row["id"], row["id"], 1)
        confirmation_dates.apply(session, IMPORTER, batch, "hold")
        with pytest.raises(IntegrityError), session.begin_nested():
            tell(session, "ahead", 3)
        confirmation_dates.apply(session, IMPORTER, batch, "prove")
        assert holding.constraints(session, "delivery_events")[confirmation_dates.CONSTRAINT] is True


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ("UPDATE policies SET value = 'false' WHERE name = 'check_dates'", "the policy is off"),
        (confirmation_dates.RELEASE, "the constraint is not there"),
        (f"{confirmation_dates.RELEASE}; {confirmation_dates.HOLD}", "not validated, though no row breaks it"),
        (
            confirmation_dates.RELEASE + "; ALTER TABLE delivery_events ADD CONSTRAINT "
            f"{confirmation_dates.CONSTRAINT} CHECK (via <> 'nowhere')",
            "holds another rule",
        ),
    ],
)
def test_what_no_longer_holds_is_found(dairy: Engine, wrong: str, what: str) -> None:
    steps.apply(dairy, IMPORTER, DATES)
    assert (proven(dairy), steps.verify(dairy, DATES)) == (True, [])
    with db.transaction(dairy) as session:
        db.driver(session).execute(wrong.encode())
    assert any(what in row["what"] for row in steps.verify(dairy, DATES))


def test_a_policy_that_somebody_switched_is_told_by_its_own_name_alone(dairy: Engine) -> None:
    steps.apply(dairy, IMPORTER, DATES)
    with db.transaction(dairy) as session:
        territory.set_policy(session, IMPORTER, "check_dates", value=False)
    assert [row["what"] for row in steps.verify(dairy, DATES)] == ["the policy is off"]
