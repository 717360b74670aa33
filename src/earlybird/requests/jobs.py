"""The queue's way to requests: what nobody decided in time ends."""

from __future__ import annotations

from earlybird.infra.schedule import Periodic
from earlybird.requests import service

HOURLY = Periodic(name="requests.expire", cron="23 * * * *", run=service.expire)
