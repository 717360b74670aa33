"""The one list: every slice's tables, routers and periodic jobs."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from earlybird.audit import models as audit
from earlybird.backups import models as backups
from earlybird.billing import models as billing
from earlybird.catalog import models as catalog
from earlybird.customers import models as customers
from earlybird.deliveries import models as deliveries
from earlybird.files import models as files
from earlybird.fulfilment import models as fulfilment
from earlybird.identity import models as identity
from earlybird.importers import models as importers
from earlybird.infra import gate, idempotency
from earlybird.infra.schedule import Periodic
from earlybird.jobs import models as jobs
from earlybird.ledger import models as ledger
from earlybird.migrations import building
from earlybird.migrations import models as migrations
from earlybird.migrations.building import Operation
from earlybird.notifications import models as notifications
from earlybird.orders import models as orders
from earlybird.requests import models as requests
from earlybird.routes import models as routes
from earlybird.subscriptions import models as subscriptions
from earlybird.territory import models as territory
from earlybird.webhooks import models as webhooks

if TYPE_CHECKING:
    from fastapi import APIRouter

    from earlybird.infra.ports.files import Files
    from earlybird.infra.ports.messages import Messages
    from earlybird.infra.queue import OnDemand
    from earlybird.infra.settings import Settings

TABLES = (
    idempotency,
    gate,
    audit,
    jobs,
    backups,
    notifications,
    identity,
    files,
    ledger,
    catalog,
    territory,
    customers,
    subscriptions,
    orders,
    deliveries,
    fulfilment,
    requests,
    billing,
    routes,
    importers,
    webhooks,
    migrations,
)
"""Modules that declare tables; Alembic sees what is listed here."""


def routers() -> tuple[APIRouter, ...]:
    """Return every HTTP door; imported here, so that commands without a server start fast."""
    from earlybird.billing.api import amounts, cash, invoices, payments
    from earlybird.catalog import api as catalog
    from earlybird.customers import api as customers
    from earlybird.deliveries.api import deliveries, links, orders, photos, plans, sync
    from earlybird.deliveries.api import legacy as delivery_boy
    from earlybird.files import api as files
    from earlybird.identity.api import keys, oidc, signing_in, users
    from earlybird.importers import api as tables
    from earlybird.reconcile import api as reconcile
    from earlybird.requests import api as requests
    from earlybird.routes.api import rounds, standing
    from earlybird.subscriptions import api as subscriptions
    from earlybird.territory import api as territory
    from earlybird.web.admin import audit_api, jobs_api, messages_api, pages
    from earlybird.web.admin import links as shared
    from earlybird.web.admin import signing_in as coming_in
    from earlybird.web.portal import api as portal
    from earlybird.web.reference import pages as reference
    from earlybird.webhooks import api as webhooks
    from earlybird.worklist import api as worklist

    return (
        orders.router,
        deliveries.router,
        plans.router,
        sync.router,
        delivery_boy.router,
        delivery_boy.by_link,
        rounds.router,
        standing.router,
        links.router,
        requests.router,
        photos.router,
        files.router,
        catalog.router,
        customers.router,
        territory.router,
        subscriptions.router,
        invoices.router,
        payments.router,
        cash.router,
        amounts.router,
        reconcile.router,
        worklist.router,
        users.router,
        keys.router,
        oidc.router,
        signing_in.router,
        signing_in.legacy,
        tables.router,
        portal.router,
        portal.legacy,
        audit_api.router,
        jobs_api.router,
        messages_api.router,
        coming_in.router,
        webhooks.router,
        pages.router,
        shared.router,
        reference.router,
    )


@cache
def operations() -> tuple[Operation, ...]:
    """Return every operation the doors serve, each with its name in the description of the API."""
    from fastapi import FastAPI
    from fastapi.routing import APIRoute

    from earlybird.web.reference import description

    own, app = routers(), FastAPI()
    for router in own:
        app.include_router(router)
    described = description.describe(app, own)["paths"]
    return tuple(
        Operation(
            method,
            route.path,
            f"{route.endpoint.__module__}:{route.endpoint.__qualname__}",
            bool(route.deprecated),
            described.get(route.path_format, {}).get(method.lower(), {}).get("operationId"),
        )
        for router in own
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in sorted(route.methods or ())
    )


building.tell(operations=operations)


def messages(settings: Settings) -> Messages:
    """Return the gateways the settings name; without any, messages wait."""
    from earlybird.infra.ports.messages import AppriseMessages, NoMessages

    if settings.message_urls is None:
        return NoMessages()
    return AppriseMessages.read(settings.message_urls.get_secret_value())


def place_of_files(settings: Settings) -> Files:
    """Return where photos are kept: a folder, or a bucket."""
    from earlybird.infra.ports.files import files

    return files(settings)


def periodic(settings: Settings) -> tuple[Periodic, ...]:
    """Return every job that runs on a schedule, in the order in which those that are late are made up for.

    Secrets and gateways are read when a job runs, not when it is listed.
    """
    from earlybird.audit import jobs as sealing
    from earlybird.backups import jobs as backups
    from earlybird.backups.service import Terms
    from earlybird.billing import jobs as billing
    from earlybird.deliveries import jobs as deliveries
    from earlybird.files import jobs as files
    from earlybird.identity import jobs as identity
    from earlybird.infra.checkpoints import Checkpoints
    from earlybird.infra.outward import Outward
    from earlybird.infra.security import Keys
    from earlybird.jobs import service as jobs
    from earlybird.notifications import jobs as notifications
    from earlybird.reconcile import jobs as reconcile
    from earlybird.requests import jobs as requests
    from earlybird.routes import jobs as routes
    from earlybird.webhooks import jobs as webhooks

    keys = cache(lambda: Keys.read(settings))
    gateways = cache(lambda: messages(settings))
    found = (
        deliveries.PLAN,
        deliveries.REPLAN,
        routes.EVERY_MINUTE,
        routes.ORDER,
        billing.EVERY_MINUTE,
        billing.CASH,
        billing.NIGHTLY,
        billing.MONTHLY,
        deliveries.tell(keys, gateways),
        billing.tell(keys, gateways),
        billing.remind(keys, gateways),
        notifications.sweep(keys, gateways),
        requests.HOURLY,
        identity.EVERY_MINUTE,
        identity.NIGHTLY,
        idempotency.HOURLY,
        webhooks.sweep(keys, Outward(private=settings.webhooks_private)),
        webhooks.NIGHTLY,
        files.nightly(place_of_files(settings)),
        reconcile.NIGHTLY,
        sealing.every_minute(lambda: Checkpoints.at(settings)),
        backups.hourly(Terms(settings.production, settings.backup_fresh_hours)),
    )
    return (*found, jobs.forget(found), jobs.watch(found))


def on_demand(settings: Settings) -> tuple[OnDemand, ...]:
    """Return every job that a commit asks for."""
    from earlybird.infra.outward import Outward
    from earlybird.infra.security import Keys
    from earlybird.notifications import jobs as notifications
    from earlybird.webhooks import jobs as webhooks

    return (
        notifications.on_demand(Keys.read(settings), messages(settings)),
        webhooks.on_demand(Keys.read(settings), Outward(private=settings.webhooks_private)),
    )
