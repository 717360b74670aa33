"""The one list: every slice's tables, routers and periodic jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from earlybird.audit import models as audit
from earlybird.billing import models as billing
from earlybird.catalog import models as catalog
from earlybird.customers import models as customers
from earlybird.deliveries import models as deliveries
from earlybird.fulfilment import models as fulfilment
from earlybird.identity import models as identity
from earlybird.importers import models as importers
from earlybird.infra import idempotency
from earlybird.ledger import models as ledger
from earlybird.migrations import models as migrations
from earlybird.orders import models as orders
from earlybird.subscriptions import models as subscriptions
from earlybird.territory import models as territory

if TYPE_CHECKING:
    from fastapi import APIRouter

    from earlybird.infra.schedule import Periodic

TABLES = (
    idempotency,
    audit,
    identity,
    ledger,
    catalog,
    territory,
    customers,
    subscriptions,
    orders,
    deliveries,
    fulfilment,
    billing,
    importers,
    migrations,
)
"""Modules that declare tables; Alembic sees what is listed here."""


def routers() -> tuple[APIRouter, ...]:
    """Return every HTTP door; imported here, so that commands without a server start fast."""
    from earlybird.catalog import api as catalog
    from earlybird.reconcile import api as reconcile
    from earlybird.subscriptions import api as subscriptions
    from earlybird.territory import api as territory
    from earlybird.web.admin import pages
    from earlybird.web.reference import pages as reference

    return (catalog.router, territory.router, subscriptions.router, reconcile.router, pages.router, reference.router)


def periodic() -> tuple[Periodic, ...]:
    """Return every job that runs on a schedule."""
    from earlybird.billing import jobs as charging
    from earlybird.reconcile import jobs as reconcile

    return (charging.EVERY_MINUTE, charging.NIGHTLY, reconcile.NIGHTLY, idempotency.HOURLY)
