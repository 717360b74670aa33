"""The queue's way to the plan: each site's day is planned when its last cut-off has passed, and again when asked."""

from __future__ import annotations

from earlybird.deliveries.service import nightly, replanning
from earlybird.infra.schedule import Periodic

EVERY_FIVE_MINUTES = Periodic(name="deliveries.plan", cron="*/5 * * * *", run=nightly.plan_due)
EVERY_MINUTE = Periodic(name="deliveries.replan", cron="* * * * *", run=replanning.replan_due)
