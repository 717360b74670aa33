"""Each site's day is planned by itself after its last cut-off; what was missed is caught up within bounds, and told."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Engine

import make
from earlybird.deliveries.service import nightly
from earlybird.infra import db
from earlybird.kernel.ctx import Ctx
from make.business import Firm

NOON = datetime(2026, 1, 15, 6, 30, tzinfo=UTC)  # 12:00 in India; the cut-off of the 16th is at 20:00
CUTOFF = datetime(2026, 1, 15, 14, 30, tzinfo=UTC)


@pytest.fixture
def firm(fresh: Engine) -> Firm:
    with db.transaction(fresh) as session:
        made = make.business(session)
        make.subscription(session, make.customer(session, made), make.product(session, made))
        return made


def planned(engine: Engine) -> list[str]:
    with db.rehearsal(engine) as session:
        return [str(row["service_on"]) for row in db.rows(session, "SELECT service_on FROM plan_runs ORDER BY 1")]


def told(engine: Engine) -> list[tuple[str, str]]:
    with db.rehearsal(engine) as session:
        found = db.rows(
            session,
            "SELECT facts ->> 'service_on' AS day, severity FROM findings WHERE check_name = 'plan_run_missed' ORDER BY 1",
        )
    return [(row["day"], row["severity"]) for row in found]


def test_tomorrow_is_planned_once_its_cutoff_is_over_and_not_before(fresh: Engine, firm: Firm, ctx: Ctx) -> None:
    for before in (NOON, CUTOFF, CUTOFF + timedelta(seconds=59)):
        assert nightly.plan_due(fresh, ctx.at(before)) == 0
    assert nightly.plan_due(fresh, ctx.at(CUTOFF + timedelta(minutes=1))) == 1
    assert nightly.plan_due(fresh, ctx.at(CUTOFF + timedelta(minutes=6))) == 0
    assert (planned(fresh), told(fresh)) == (["2026-01-16"], [])


def test_a_day_planned_before_its_cutoff_is_planned_again_after_it(fresh: Engine, firm: Firm, ctx: Ctx) -> None:
    from earlybird.deliveries.service import planning

    with db.transaction(fresh) as session:
        planning.plan_day(session, ctx.at(NOON), firm.site_id, date(2026, 1, 16))
    assert nightly.plan_due(fresh, ctx.at(CUTOFF + timedelta(minutes=5))) == 1
    with db.rehearsal(fresh) as session:
        assert db.value(session, "SELECT planned_at FROM plan_runs") == CUTOFF + timedelta(minutes=5)
    assert told(fresh) == []


def test_after_an_outage_what_was_missed_is_planned_three_days_back_and_all_of_it_is_told(
    fresh: Engine, firm: Firm, ctx: Ctx
) -> None:
    assert nightly.plan_due(fresh, ctx.at(CUTOFF + timedelta(minutes=5))) == 1
    back = CUTOFF + timedelta(days=6, hours=2)  # the 21st, after the cut-off of the 22nd
    with db.rehearsal(fresh) as session:
        assert nightly.due(session, back)[0].service_on == date(2026, 1, 22)
    assert nightly.plan_due(fresh, ctx.at(back)) == 5
    assert planned(fresh) == [f"2026-01-{day}" for day in (16, 18, 19, 20, 21, 22)]
    assert told(fresh) == [("2026-01-17", "error"), *((f"2026-01-{day}", "warning") for day in (18, 19, 20, 21))]
    assert nightly.plan_due(fresh, ctx.at(back + timedelta(minutes=5))) == 0
    with db.rehearsal(fresh) as session:
        assert db.value(session, "SELECT count(*) FROM orders") == 6


def test_a_site_that_was_never_planned_begins_with_what_still_lies_ahead(fresh: Engine, firm: Firm, ctx: Ctx) -> None:
    night = datetime(2026, 1, 15, 22, 0, tzinfo=UTC)  # 03:30 of the 16th: the round has not begun
    assert nightly.plan_due(fresh, ctx.at(night)) == 1
    assert (planned(fresh), told(fresh)) == (["2026-01-16"], [])


def test_nothing_is_planned_before_the_day_of_change(fresh: Engine, firm: Firm, ctx: Ctx) -> None:
    with db.transaction(fresh) as session:
        db.run(session, "UPDATE businesses SET cutover_on = '2026-01-17'")
    assert nightly.plan_due(fresh, ctx.at(CUTOFF + timedelta(minutes=5))) == 0
    assert nightly.plan_due(fresh, ctx.at(CUTOFF + timedelta(days=1, minutes=5))) == 1
    assert planned(fresh) == ["2026-01-17"]
