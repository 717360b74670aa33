"""Issue the bills of a finished month by themselves, where the business wants that: as `earlybird bill run` does."""

from __future__ import annotations

from datetime import datetime, timedelta

from earlybird.billing import queries
from earlybird.billing.service import charges, invoices
from earlybird.infra.db import Engine, rehearsal, transaction
from earlybird.kernel.clock import Month, business_day
from earlybird.kernel.ctx import Ctx
from earlybird.territory import queries as territory

CHUNK = 10_000
"""How many customers are billed in one transaction."""


def bill_finished_month(engine: Engine, ctx: Ctx, due_at: datetime) -> int:
    """Bill each business's month that was over when this fell due, if the policy `auto_bill` says so.

    Return how many documents were issued. Nothing is billed twice, by whomever; a month before the business's day of
    change is left out.
    """
    with rehearsal(engine) as session:
        if not territory.policy_values(session, "auto_bill")["auto_bill"]:
            return 0
        todo = [
            (row["id"], month)
            for row in territory.businesses(session).items
            if (month := _month_before(due_at, row["zone"])) >= Month.of(row["cutover_on"] or month.first)
        ]
    with transaction(engine) as session:
        charges.charge_delivered(session, ctx)
    count = 0
    for business_id, month in todo:
        with rehearsal(engine) as session:
            firm = queries.business_by_id(session, business_id)
            since = queries.fitting_cutover(firm, month, business_day(ctx.now, firm.zone))
            payers = queries.payers_to_bill(session, business_id, since=since, through=month.last)
        for start in range(0, len(payers), CHUNK):
            with transaction(engine) as session:
                count += len(invoices.run_month(session, ctx, business_id, month, payers[start : start + CHUNK]))
    return count


def _month_before(at: datetime, zone: str) -> Month:
    return Month.of(business_day(at, zone).replace(day=1) - timedelta(days=1))
