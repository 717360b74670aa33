"""The hot queries: what docs/queries.md lists, asked as the product asks it, of the first depot of a crowd."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from earlybird.audit.queries import trail
from earlybird.audit.states import FindingState
from earlybird.billing import queries as billing
from earlybird.billing.service import charges, invoices
from earlybird.billing.states import InvoiceState
from earlybird.catalog import queries as catalog
from earlybird.customers import queries as customers
from earlybird.deliveries.queries import door, links, rounds, shown, sync
from earlybird.deliveries.schemas.told import Confirmation
from earlybird.deliveries.service import door as doors
from earlybird.deliveries.service import nightly, planning
from earlybird.deliveries.states import DeliveryState
from earlybird.fulfilment.models import PackageOrder
from earlybird.identity.queries import coming_in, people
from earlybird.infra import idempotency
from earlybird.jobs import queries as jobs
from earlybird.kernel.clock import Month
from earlybird.kernel.ctx import EVERYWHERE, Actor, Ctx, Reach
from earlybird.notifications import queries as messages
from earlybird.orders import queries as orders
from earlybird.orders.states import OrderState
from earlybird.reconcile import leakage
from earlybird.reconcile import queries as findings
from earlybird.requests import queries as requests
from earlybird.routes.queries import days
from earlybird.subscriptions import queries as subscriptions
from earlybird.web.portal import queries as portal
from earlybird.webhooks import queries as webhooks
from earlybird.worklist import queries as worklist
from make.crowd import NOW, TODAY, Crowd

TOMORROW = TODAY + timedelta(days=1)
LATE = UUID("ffffffff-ffff-7fff-bfff-ffffffffffff")
"""A cursor that lies after every row there is."""


@dataclass(frozen=True, slots=True)
class Hot:
    """One row of docs/queries.md."""

    name: str
    where: str
    """path:function, below src/earlybird."""
    ask: Callable[[Session, Crowd], object]
    grows: str | None = None
    """What it grows with, where it is meant to: it is explained, but not expected to be flat."""


def office() -> Ctx:
    """Somebody who sees everything."""
    return Ctx(actor=Actor(kind="user", name="Asha", role="admin", reaches=EVERYWHERE), now=NOW, via="console")


def driver(crowd: Crowd) -> Ctx:
    """The driver of the first depot."""
    reaches = (Reach(role="driver", scope="round", site_id=crowd.site_id),)
    return Ctx(
        actor=Actor(kind="user", name="Driver", role="driver", id=crowd.driver_id, reaches=reaches), now=NOW, via="api"
    )


def household(crowd: Crowd) -> Ctx:
    """A household of the first depot."""
    reaches = (Reach(role="customer", scope="own", customer_id=crowd.customer_id),)
    actor = Actor(
        kind="user", name="H", role="customer", id=crowd.user_id, customer_id=crowd.customer_id, reaches=reaches
    )
    return Ctx(actor=actor, now=NOW, via="portal")


def helper(crowd: Crowd) -> Ctx:
    """Somebody with the link of the first depot's round."""
    reaches = (Reach(role="link", scope="link", round_id=crowd.round_id),)
    return Ctx(
        actor=Actor(kind="link", name="Helper", role="link", id=crowd.round_id, reaches=reaches), now=NOW, via="link"
    )


def confirm(session: Session, crowd: Crowd) -> None:
    """Confirm a stop of today's round."""
    told = {"client_id": "hot", "kind": "confirm", "order_id": crowd.planned_order_id, "outcome": "delivered",
            "device_at": NOW}  # fmt: skip
    verdict = doors.confirm(session, driver(crowd), Confirmation.model_validate(told))
    assert verdict.answer == "accepted", verdict


def bill(session: Session, crowd: Crowd) -> None:
    """Bill January to the households of the first depot."""
    sql = "SELECT id FROM customers WHERE site_id = :site_id"
    payers = [row["id"] for row in invoices.rows(session, sql, {"site_id": crowd.site_id})]
    assert len(invoices.run_month(session, office(), crowd.business_id, Month(2026, 1), payers)) == len(payers)


DOCUMENTS = "billing/queries/documents.py"

HOT = (
    Hot("confirm", "deliveries/service/door.py:confirm", confirm),
    Hot("order by its old key", "deliveries/queries/door.py:orders_by_key",
        lambda s, c: door.orders_by_key(s, [("earlybird", "id", c.order_key)])),
    Hot("order by its old key alone", "deliveries/queries/door.py:order_named",
        lambda s, c: door.order_named(s, c.order_key)),
    Hot("order by code", "deliveries/queries/door.py:orders_by_code",
        lambda s, c: door.orders_by_code(s, [c.order_code])),
    Hot("customer by old key", "customers/queries.py:find_by_keys",
        lambda s, _: customers.find_by_keys(s, "earlybird", "id", ["customer-3"])),
    Hot("sync of a driver", "deliveries/queries/sync.py:changes",
        lambda s, c: sync.changes(s, driver(c), None)),
    Hot("rounds of a driver", "deliveries/queries/rounds.py:page",
        lambda s, c: rounds.page(s, driver(c), first_on=TODAY, last_on=TOMORROW)),
    Hot("rounds of a day", "deliveries/queries/rounds.py:page",
        lambda s, c: rounds.page(s, office(), site_id=c.site_id, first_on=TODAY, last_on=TODAY)),
    Hot("a round in order", "deliveries/queries/rounds.py:round_shown",
        lambda s, c: rounds.round_shown(s, driver(c), c.round_id)),
    Hot("open a link", "deliveries/queries/links.py:find_for_update",
        lambda s, _: links.find_for_update(s, "not there")),
    Hot("link behind an access", "deliveries/queries/links.py:find_all_opened",
        lambda s, _: links.find_all_opened(s, office(), ["not there"])),
    Hot("list of a link", "deliveries/queries/links.py:shown", lambda s, c: links.shown(s, helper(c))),
    Hot("deliveries, the newest", "deliveries/queries/shown.py:page",
        lambda s, _: shown.page(s, office(), cursor=LATE, limit=50)),
    Hot("deliveries of a driver", "deliveries/queries/shown.py:page",
        lambda s, c: shown.page(s, driver(c), cursor=None, limit=50)),
    Hot("deliveries of a driver's day", "deliveries/queries/shown.py:page",
        lambda s, c: shown.page(s, driver(c), cursor=None, limit=50, first_on=TODAY, last_on=TODAY)),
    Hot("deliveries of a depot's day", "deliveries/queries/shown.py:page",
        lambda s, c: shown.page(s, office(), cursor=None, limit=50, site_id=c.site_id, first_on=TODAY, last_on=TODAY)),
    Hot("deliveries of a depot", "deliveries/queries/shown.py:page",
        lambda s, c: shown.page(s, office(), cursor=None, limit=50, site_id=c.site_id), grows="depots"),
    Hot("deliveries of a customer", "deliveries/queries/shown.py:page",
        lambda s, c: shown.page(s, household(c), cursor=None, limit=50)),
    Hot("deliveries of a day in a state", "deliveries/queries/shown.py:page",
        lambda s, _: shown.page(s, office(), cursor=None, limit=50, state=DeliveryState.not_delivered, first_on=TODAY),
        grows="the day's stops"),
    Hot("one delivery", "deliveries/queries/shown.py:delivery",
        lambda s, c: shown.delivery(s, driver(c), c.delivery_id)),
    Hot("one order", "deliveries/queries/shown.py:order", lambda s, c: shown.order(s, household(c), c.order_id)),
    Hot("orders, the newest", "orders/queries.py:page", lambda s, _: orders.page(s, office(), cursor=LATE, limit=50)),
    Hot("orders of a customer", "orders/queries.py:page",
        lambda s, c: orders.page(s, household(c), cursor=None, limit=50)),
    Hot("orders of a depot", "orders/queries.py:page",
        lambda s, c: orders.page(s, office(), cursor=None, limit=50, site_id=c.site_id)),
    Hot("orders of a depot's day", "orders/queries.py:page",
        lambda s, c: orders.page(s, office(), cursor=None, limit=50, site_id=c.site_id, first_on=TODAY, last_on=TODAY)),
    Hot("orders of a day in a state", "orders/queries.py:page",
        lambda s, _: orders.page(s, office(), cursor=None, limit=50, state=OrderState.partially_delivered, first_on=TODAY),
        grows="the day's stops"),
    Hot("orders by code", "orders/queries.py:page",
        lambda s, c: orders.page(s, office(), cursor=None, limit=50, q=c.order_code)),
    Hot("packages of an order", "fulfilment/models.py:PackageOrder",
        lambda s, c: s.scalars(select(PackageOrder.package_id).where(PackageOrder.order_id == c.order_id)).all()),
    Hot("orders of a package", "fulfilment/models.py:PackageOrder",
        lambda s, c: s.scalars(select(PackageOrder.order_id).where(PackageOrder.package_id == c.order_id)).all()),
    Hot("plan a depot's day", "deliveries/service/planning.py:plan_day",
        lambda s, c: planning.plan_day(s, office(), c.site_id, TODAY + timedelta(days=3))),
    Hot("plan a depot's day again", "deliveries/service/planning.py:plan_day",
        lambda s, c: planning.plan_day(s, office(), c.site_id, TOMORROW)),
    Hot("days that wait for a plan", "deliveries/service/nightly.py:due", lambda s, _: nightly.due(s, NOW),
        grows="depots"),
    Hot("days that wait for their rounds", "routes/queries/days.py:due",
        lambda s, _: days.due(s, first=TODAY, last=TOMORROW), grows="the day's stops"),
    Hot("stops of a depot's day to be cut", "routes/queries/days.py:stops",
        lambda s, c: days.stops(s, c.site_id, TOMORROW)),
    Hot("charge pass", "billing/service/charges.py:charge_delivered",
        lambda s, _: charges.charge_delivered(s, office(), limit=1000)),
    Hot("bill run of twenty payers", "billing/service/invoices.py:run_month", bill),
    Hot("who is to be billed", "billing/queries/bills.py:payers_to_bill",
        lambda s, c: billing.payers_to_bill(s, c.business_id, since=date(2026, 1, 1), through=date(2026, 1, 31)),
        grows="customers"),
    Hot("documents, the newest", f"{DOCUMENTS}:page_documents",
        lambda s, _: billing.page_documents(s, office(), after=LATE, limit=50)),
    Hot("documents of a customer", f"{DOCUMENTS}:page_documents",
        lambda s, c: billing.page_documents(s, household(c), after=None, limit=50)),
    Hot("documents in a state", f"{DOCUMENTS}:page_documents",
        lambda s, _: billing.page_documents(s, office(), after=None, limit=50, state=InvoiceState.draft)),
    Hot("one document", f"{DOCUMENTS}:show_document", lambda s, c: billing.show_document(s, household(c), c.invoice_id)),
    Hot("a document on paper", "billing/queries/bills.py:bill_facts", lambda s, c: billing.bill_facts(s, c.invoice_id)),
    Hot("a document by its number", "billing/queries/bills.py:find_document",
        lambda s, _: billing.find_document(s, "INV/2025-26/7")),
    Hot("statement of a customer", f"{DOCUMENTS}:show_statement",
        lambda s, c: billing.show_statement(s, household(c), c.customer_id)),
    Hot("explain a line", "billing/queries/evidence.py:explain",
        lambda s, c: billing.explain(s, household(c), c.invoice_line_id)),
    Hot("payments, the newest", "billing/queries/payments.py:page_payments",
        lambda s, _: billing.page_payments(s, office(), after=LATE, limit=50)),
    Hot("payments of a customer", "billing/queries/payments.py:page_payments",
        lambda s, c: billing.page_payments(s, household(c), after=None, limit=50)),
    Hot("one payment", "billing/queries/payments.py:show_payment",
        lambda s, c: billing.show_payment(s, household(c), c.payment_id)),
    Hot("charges, the newest", "billing/queries/amounts.py:page_charges",
        lambda s, _: billing.page_charges(s, office(), after=LATE, limit=50)),
    Hot("charges of a customer", "billing/queries/amounts.py:page_charges",
        lambda s, c: billing.page_charges(s, household(c), after=None, limit=50)),
    Hot("charges that wait", "billing/queries/amounts.py:page_unbilled",
        lambda s, _: billing.page_unbilled(s, office(), after=None, limit=50)),
    Hot("money a driver holds", "billing/queries/cash.py:driver_cash",
        lambda s, c: billing.driver_cash(s, driver(c), c.driver_id, after=None, limit=50)),
    Hot("proof of a customer's month", "reconcile/leakage.py:lines_of",
        lambda s, c: leakage.lines_of(s, office(), c.customer_id, Month(2025, 12))),
    Hot("a customer's portrait", "web/portal/queries.py:portrait",
        lambda s, c: portal.portrait(s, c.customer_id, NOW)),
    Hot("a customer's calendar", "subscriptions/queries/calendar.py:calendar",
        lambda s, c: subscriptions.calendar(s, household(c), customer_id=c.customer_id)),
    Hot("what products cost a customer", "orders/queries.py:offers",
        lambda s, c: orders.offers(s, c.business_id, c.customer_id, [c.product_id], TODAY)),
    Hot("prices that begin by a day", "catalog/queries.py:prices_of",
        lambda s, c: catalog.prices_of(s, c.customer_id, [c.product_id], TOMORROW)),
    Hot("customers, the newest", "customers/queries.py:page",
        lambda s, _: customers.page(s, office(), cursor=LATE)),
    Hot("customers who look like one", "customers/queries.py:duplicates",
        lambda s, c: customers.duplicates(s, office(), c.customer_id)),
    Hot("who signs in", "identity/queries/coming_in.py:find_login",
        lambda s, _: coming_in.find_login(s, "household-3@example.com")),
    Hot("who has a telephone", "identity/queries/coming_in.py:people_by_phone",
        lambda s, _: coming_in.people_by_phone(s, "+919800000003")),
    Hot("who is behind a session", "identity/queries/coming_in.py:find_behind",
        lambda s, _: coming_in.find_behind(
            s, [coming_in.Credential("cookie", "not there"), coming_in.Credential("key", "not there")], "orders.list", NOW)),
    Hot("logins, the newest", "identity/queries/people.py:users", lambda s, _: people.users(s, cursor=LATE)),
    Hot("logins of a role", "identity/queries/people.py:users", lambda s, _: people.users(s, role="admin")),
    Hot("a request repeated", "infra/idempotency.py:claim",
        lambda s, c: idempotency.claim(s, office(), str(c.driver_id), "hot-key-1", "x", wait_ms=100)),
    Hot("how a job stands", "jobs/queries.py:last_try", lambda s, _: jobs.last_try(s, "billing.charge", NOW)),
    Hot("messages that are due", "notifications/queries.py:due",
        lambda s, _: messages.due(s, NOW, ["sms", "email"], limit=20)),
    Hot("messages past their life", "notifications/queries.py:expired", lambda s, _: messages.expired(s, NOW)),
    Hot("messages that wait or failed", "notifications/queries.py:unsent", lambda s, _: messages.unsent(s)),
    Hot("messages, the newest", "notifications/queries.py:page", lambda s, _: messages.page(s, cursor=LATE)),
    Hot("messages of a customer", "notifications/queries.py:page",
        lambda s, c: messages.page(s, customer_id=c.customer_id)),
    Hot("messages in a state", "notifications/queries.py:page", lambda s, _: messages.page(s, state="failed")),
    Hot("hooks that are due", "webhooks/queries.py:due", lambda s, _: webhooks.due(s, NOW)),
    Hot("audit of a row", "audit/queries/trail.py:page",
        lambda s, c: trail.page(s, entity="delivery", entity_id=c.delivery_id)),
    Hot("audit of a person", "audit/queries/trail.py:page", lambda s, c: trail.page(s, actor_id=c.driver_id)),
    Hot("audit of an action", "audit/queries/trail.py:page", lambda s, _: trail.page(s, action="grants.change")),
    Hot("audit, the newest", "audit/queries/trail.py:page", lambda s, _: trail.page(s, cursor=LATE)),
    Hot("work list", "worklist/queries.py:page", lambda s, _: worklist.page(s, limit=50)),
    Hot("work list of a customer", "worklist/queries.py:page",
        lambda s, c: worklist.page(s, limit=50, customer_id=c.customer_id)),
    Hot("an item of the work list", "worklist/queries.py:find", lambda s, c: worklist.find(s, c.delivery_id)),
    Hot("how much waits", "worklist/queries.py:counts", lambda s, _: worklist.counts(s)),
    Hot("findings, the newest", "reconcile/queries.py:page_findings",
        lambda s, _: findings.page_findings(s, after=LATE, limit=50)),
    Hot("findings that are open", "reconcile/queries.py:page_findings",
        lambda s, _: findings.page_findings(s, after=None, limit=50, state=FindingState.open)),
    Hot("findings by check", "reconcile/queries.py:findings", lambda s, _: findings.findings(s)),
    Hot("requests of a customer", "requests/queries.py:page",
        lambda s, c: requests.page(s, office(), customer_id=c.customer_id)),
    Hot("requests that wait", "requests/queries.py:over", lambda s, _: requests.over(s, office())),
    Hot("requests in a depot", "requests/queries.py:page", lambda s, c: requests.page(s, office(), site_id=c.site_id)),
)  # fmt: skip
