"""A finished month is billed by itself where the business wants that: once, month by month after an outage."""

from __future__ import annotations

from datetime import UTC, date, datetime

from sqlalchemy import Engine

import make
from earlybird.billing import jobs as billing
from earlybird.infra.db import rows, run, transaction
from earlybird.jobs import service as jobs
from earlybird.kernel.ctx import SYSTEM, Ctx
from make.delivered import delivered


def issued(engine: Engine) -> list[tuple[date, int]]:
    with transaction(engine) as session:
        found = rows(session, "SELECT period_from, count(*) AS n FROM invoices GROUP BY 1 ORDER BY 1")
    return [(row["period_from"], row["n"]) for row in found]


def test_a_finished_month_is_billed_once_and_each_missed_one_for_itself(fresh: Engine) -> None:
    def tick(year: int, month: int, day: int) -> list[int | None]:
        ctx = Ctx(actor=SYSTEM, now=datetime(year, month, day, 22, tzinfo=UTC), via="job")
        return [one.row_count for one in jobs.run_due(fresh, [billing.MONTHLY], ctx)]

    with transaction(fresh) as session:
        firm = make.business(session)
        run(session, "UPDATE businesses SET cutover_on = '2025-12-15'")
        product = make.product(session, firm)
        customers = [make.customer(session, firm, name=f"Meena {n}").id for n in range(2)]
        for day in (date(2025, 12, 20), date(2026, 1, 5), date(2026, 2, 5), date(2026, 3, 5)):
            for customer_id in customers:
                delivered(session, firm, customer_id, product, on=day)
    assert tick(2025, 11, 30) == []
    with transaction(fresh) as session:
        run(session, "INSERT INTO policies VALUES ('auto_bill', 'true', now(), 'test')")
    assert tick(2025, 12, 3) == [0]  # November was before the day of change
    assert tick(2026, 1, 2) == [2]
    assert tick(2026, 1, 3) == []
    assert tick(2026, 4, 1) == [2, 2]
    assert issued(fresh) == [(date(2025, 12, 1), 2), (date(2026, 1, 1), 2), (date(2026, 2, 1), 2)]
    ctx = Ctx(SYSTEM, datetime(2026, 4, 1, 23, tzinfo=UTC), "cli")
    for is_wanted, count in ((False, 0), (True, 2)):
        with transaction(fresh) as session:
            run(session, "UPDATE policies SET value = to_jsonb(CAST(:wanted AS boolean))", {"wanted": is_wanted})
        assert [one.row_count for one in jobs.run_now(fresh, billing.MONTHLY, ctx)] == [count]
    assert issued(fresh)[-1] == (date(2026, 3, 1), 2)
