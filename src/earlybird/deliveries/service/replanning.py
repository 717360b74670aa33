"""Plan days again that are planned already, where something was said since that may change what is due."""

from __future__ import annotations

from earlybird.deliveries.service import planning
from earlybird.infra.db import Engine, rows, run, transaction
from earlybird.kernel.ctx import Ctx

TODAY = "CAST(CAST(:now AS timestamptz) AT TIME ZONE s.zone AS date)"

WAITING = f"""
SELECT DISTINCT q.site_id, q.service_on FROM replan_requests q
JOIN sites s ON s.id = q.site_id AND s.archived_at IS NULL
JOIN plan_runs r ON r.site_id = q.site_id AND r.service_on = q.service_on
WHERE q.service_on >= {TODAY} ORDER BY q.service_on, q.site_id"""
"""A day that was never planned is left to its own first plan, which takes the rows with it."""

PAST = f"DELETE FROM replan_requests q USING sites s WHERE s.id = q.site_id AND q.service_on < {TODAY}"


def replan_due(engine: Engine, ctx: Ctx) -> int:
    """Plan again what waits for it, the nearest day first; return how many days. Runs every minute.

    Each site's day is one transaction, and what is out or confirmed stays as it is. Days that are over are left.
    """
    facts = {"now": ctx.now}
    with transaction(engine) as session:
        run(session, PAST, facts)
        waiting = rows(session, WAITING, facts)
    for day in waiting:
        with transaction(engine) as session:
            planning.plan_day(session, ctx, day["site_id"], day["service_on"])
    return len(waiting)
