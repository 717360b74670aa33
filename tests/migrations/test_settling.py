"""Settling the time before the day of change: once, however often the step runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from earlybird.importers.earlybird import masters, settle
from earlybird.infra import db
from migrations.content import IMPORTER

AHEAD = """
INSERT INTO legacy_bills (source, party, month, customer_id, delivered_minor, one_time_minor, first_view_minor,
                          second_view_minor, paid_minor, currency)
SELECT source, party, to_char(CAST(:cutover_on AS date) + interval '2 months', 'YYYY-MM'), customer_id, 0, 0, 70000, 0, 0,
       currency
FROM legacy_bills WHERE customer_id IS NOT NULL ORDER BY party, month LIMIT 1 RETURNING customer_id, month
"""


def test_what_was_asked_ahead_of_the_day_of_change_is_proposed_once_and_in_its_month(
    tied: Callable[[], Any],
) -> None:
    with tied() as engine:
        with db.transaction(engine) as session:
            home = masters.home(session)
            [ahead] = db.rows(session, AHEAD, {"cutover_on": home.cutover_on})
        made = []
        for _ in range(2):
            with db.transaction(engine) as session:
                made.append(settle.settle(session, IMPORTER, home, [ahead["customer_id"]])["recoveries"])
        assert made == [1, 0]
        asked = (
            "SELECT effective_on, amount_minor FROM adjustments WHERE kind = 'recovery' AND reason LIKE :month || '%'"
        )
        with db.rehearsal(engine) as session:
            [row] = db.rows(session, asked, {"month": ahead["month"]})
        assert (f"{row['effective_on']:%Y-%m}", row["amount_minor"]) == (ahead["month"], -70000)
