"""Plan a day: what is due becomes orders, lines and stops; set-based, repeatable, never against what is already out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.audit.states import Severity
from earlybird.deliveries.errors import SiteUnknown
from earlybird.deliveries.service import statements
from earlybird.deliveries.states import MACHINE as DELIVERY
from earlybird.infra.db import lock, rows, run, value
from earlybird.kernel.ctx import Ctx
from earlybird.orders.errors import BeforeTakeOver
from earlybird.orders.states import MACHINE as ORDER
from earlybird.territory import queries as territory

UNPRICED = "subscription_without_price"


@dataclass(frozen=True, slots=True)
class Planned:
    """A site's day as it stands after planning, and what this run changed. Money in minor units."""

    site_id: UUID
    service_on: date
    currency: str
    closed: str | None
    orders: int
    lines: int
    stops: int
    amount_minor: int
    unassigned: int
    unpriced: int
    held: int
    added: int
    adjusted: int
    cancelled: int


def plan_day(session: Session, ctx: Ctx, site_id: UUID, service_on: date) -> Planned:
    """Make the site's day what is due: once, whoever asks, however often.

    What is due and missing is added; what is planned and neither out nor confirmed is adjusted or
    cancelled; everything else stays. Two planners of one site and date wait for each other.
    """
    lock(session, f"plan {site_id} {service_on}")
    facts = _circumstances(session, ctx, site_id, service_on)
    asked = [str(row["id"]) for row in rows(session, statements.ASKED, facts)]
    closed = territory.closed(session, site_id, service_on)
    run(session, statements.TABLES)
    run(session, "SET LOCAL default_statistics_target = 10")  # a small sample is enough for keys
    if closed is None:
        run(session, statements.DUE_LINES, facts)
        run(session, statements.STANDING_STOPS, facts)
        run(session, statements.ONE_TIME_STOPS, facts)
        run(session, statements.ONE_TIME_LINES, facts)
    run(session, "ANALYZE plan_lines (line_id, was_in, customer_id, door), plan_stops (order_id, customer_id, door)")
    run(session, statements.TOUCHED, facts)
    run(session, "ANALYZE plan_touched")
    value(session, statements.LOCKED_ORDERS)
    value(session, statements.LOCKED_DELIVERIES)
    run(session, statements.OPEN)
    run(session, "ANALYZE plan_open")
    added, adjusted, cancelled = _write_orders(session, ctx, facts)
    _write_deliveries(session, ctx, facts)
    unpriced = _report_unpriced(session, ctx, service_on)
    held = value(session, "SELECT count(DISTINCT order_id) FROM plan_touched WHERE order_id NOT IN (TABLE plan_open)")
    totals = rows(session, statements.TOTALS, facts)[0]
    run(session, statements.RUN, {**facts, "lines": totals["lines"]})
    run(session, statements.ANSWERED, {"asked": asked})
    return Planned(
        site_id=site_id,
        service_on=service_on,
        currency=facts["currency"],
        closed=closed,
        unpriced=unpriced,
        held=held,
        added=added,
        adjusted=adjusted,
        cancelled=cancelled,
        **totals,
    )


def _circumstances(session: Session, ctx: Ctx, site_id: UUID, service_on: date) -> dict[str, Any]:
    found = rows(
        session,
        "SELECT b.id, b.currency, b.cutover_on FROM sites s JOIN businesses b ON b.id = s.business_id "
        "WHERE s.id = :id AND s.archived_at IS NULL",
        {"id": site_id},
    )
    if not found:
        raise SiteUnknown(field="site_id", site_id=site_id)
    site = found[0]
    if site["cutover_on"] is not None and service_on < site["cutover_on"]:
        raise BeforeTakeOver(field="on", service_on=service_on, cutover_on=site["cutover_on"])
    return {
        "site_id": site_id,
        "business_id": site["id"],
        "currency": site["currency"],
        "service_on": service_on,
        "first": service_on,
        "last": service_on,
        "now": ctx.now,
    }


def _write_orders(session: Session, ctx: Ctx, facts: dict[str, Any]) -> tuple[int, int, int]:
    """Bring orders and their lines up to what is due; return how many lines were added, adjusted, cancelled."""
    made = run(session, statements.NEW_ORDERS, facts)
    added = run(session, statements.NEW_LINES, facts)
    if added:
        digest = value(
            session,
            "SELECT encode(sha256(string_agg(uuid_send(order_id), ''::bytea ORDER BY order_id)), 'hex') "
            "FROM plan_stops WHERE NOT is_known",
        )
        after = {"site_id": str(facts["site_id"]), "service_on": str(facts["service_on"]), "lines": added}
        audit.record(session, ctx, "orders.plan", "order", after=after, row_count=made, digest=digest)
    adjusted = [row["id"] for row in rows(session, statements.ADJUSTED_LINES, facts)]
    cancelled = [row["id"] for row in rows(session, statements.CANCELLED_LINES, facts)]
    for action, changed in (("orders.adjust", adjusted), ("orders.cancel_lines", cancelled)):
        if changed:
            audit.record_many(session, ctx, action, "order_line", changed, reason="the plan")
    placed = "SELECT s.order_id AS id FROM plan_stops s JOIN plan_open USING (order_id) WHERE s.is_placed"
    for verb, which in (("plan", placed), ("cancel", statements.EMPTIED_ORDERS), ("revive", statements.REVIVED_ORDERS)):
        ids = [row["id"] for row in rows(session, which, facts)]
        audit.move_many(session, ctx, "orders", ORDER, verb, ids, reason="the plan")
    run(session, statements.ADDRESSES, facts)
    return added, len(adjusted), len(cancelled)


def _write_deliveries(session: Session, ctx: Ctx, facts: dict[str, Any]) -> None:
    """Bring the stops up to their orders."""
    run(session, statements.NEW_DELIVERIES, facts)
    run(session, statements.DRIVERS)
    for verb, has, wants in (("cancel", "planned", "cancelled"), ("revive", "cancelled", "planned")):
        ids = [row["id"] for row in rows(session, statements.FALLEN_DELIVERIES, {"has": has, "wants": wants})]
        audit.move_many(session, ctx, "deliveries", DELIVERY, verb, ids, reason="the plan")
    run(session, statements.NEW_DELIVERY_LINES, facts)
    run(session, statements.DELIVERY_QUANTITIES)


def _report_unpriced(session: Session, ctx: Ctx, service_on: date) -> int:
    """Keep a finding per standing order that is due without a price in force; close those that have one now."""
    due = rows(
        session,
        "SELECT DISTINCT subscription_id::text AS subject, unit_price IS NULL AS is_unpriced, customer_id, "
        "product_name, quantity FROM plan_lines WHERE subscription_id IS NOT NULL AND unit_price IS NULL",
    )
    audit.report_many(
        session,
        ctx,
        UNPRICED,
        [
            {
                "subject": row["subject"],
                "title": f"{row['product_name']} is due without a price in force, so it is not planned.",
                "severity": str(Severity.warning),
                "customer_id": str(row["customer_id"]),
                "facts": {"service_on": str(service_on), "quantity": str(row["quantity"])},
            }
            for row in due
        ],
    )
    still = rows(
        session,
        "SELECT f.subject, EXISTS (SELECT FROM plan_lines l WHERE l.subscription_id::text = f.subject "
        "AND l.unit_price IS NOT NULL) AS is_priced FROM findings f WHERE f.check_name = :name "
        "AND f.state <> 'resolved'",
        {"name": UNPRICED},
    )
    if any(row["is_priced"] for row in still):
        audit.resolve_unseen(session, ctx, UNPRICED, [row["subject"] for row in still if not row["is_priced"]])
    return len(due)
