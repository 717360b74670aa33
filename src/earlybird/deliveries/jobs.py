"""The queue's way to the plan: each site's day is planned when its last cut-off has passed."""

from __future__ import annotations

from earlybird.deliveries.service import nightly
from earlybird.infra.schedule import Periodic

EVERY_FIVE_MINUTES = Periodic(name="deliveries.plan", cron="*/5 * * * *", run=nightly.plan_due)
