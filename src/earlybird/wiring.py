"""The one list: every slice's tables, and later its routers, jobs, schedules and checks."""

from earlybird.audit import models as audit
from earlybird.billing import models as billing
from earlybird.catalog import models as catalog
from earlybird.customers import models as customers
from earlybird.deliveries import models as deliveries
from earlybird.fulfilment import models as fulfilment
from earlybird.identity import models as identity
from earlybird.importers import models as importers
from earlybird.ledger import models as ledger
from earlybird.migrations import models as migrations
from earlybird.orders import models as orders
from earlybird.subscriptions import models as subscriptions
from earlybird.territory import models as territory

TABLES = (
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
