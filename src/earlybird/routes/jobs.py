"""The queue's way to rounds: days are cut as they are planned, rounds that are new get an order."""

from __future__ import annotations

from earlybird.infra.schedule import Periodic
from earlybird.routes.service import cutting, ordering

EVERY_MINUTE = Periodic(name="routes.cut", cron="* * * * *", run=cutting.cut_due)
ORDER = Periodic(name="routes.order", cron="* * * * *", run=ordering.order_new)
