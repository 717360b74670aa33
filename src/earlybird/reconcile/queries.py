"""What the proof's pages show: customers' months with the old system beside, and the evidence of one line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.infra.db import rows
from earlybird.kernel.clock import Month
from earlybird.kernel.ctx import Ctx
from earlybird.reconcile import leakage
from earlybird.reconcile.errors import CustomerUnknown, LineUnknown


@dataclass(frozen=True, slots=True)
class CustomerMonth:
    """One customer's month in minor units. `asked_minor` is what was billed, here or by the old system."""

    month: str
    currency: str
    customer_id: UUID | None
    name: str
    code: str
    delivered_minor: int
    asked_minor: int
    waived_minor: int
    not_yet_due_minor: int
    lost_minor: int
    over_minor: int
    is_legacy: bool


def customer_months(session: Session, ctx: Ctx) -> list[CustomerMonth]:
    """Return every customer's month: a taken-over month as the old system asked for it, any other as the proof has it.

    The old system's bill is its first view, the one people were sent.
    """
    people = {row["id"]: (row["name"], row["code"]) for row in rows(session, "SELECT id, name, code FROM customers")}
    legacy = rows(
        session,
        "SELECT party, month, customer_id, currency, delivered_minor, first_view_minor FROM legacy_bills "
        "WHERE delivered_minor <> 0 OR first_view_minor <> 0",
    )
    taken = {(row["customer_id"], row["month"]) for row in legacy if row["customer_id"]}
    found = []
    for row in legacy:
        name, code = people.get(row["customer_id"], (f"Account {row['party'].removeprefix('user:')}", ""))
        gap = row["delivered_minor"] - row["first_view_minor"]
        found.append(
            CustomerMonth(
                month=row["month"],
                currency=row["currency"],
                customer_id=row["customer_id"],
                name=name,
                code=code,
                delivered_minor=row["delivered_minor"],
                asked_minor=row["first_view_minor"],
                waived_minor=0,
                not_yet_due_minor=0,
                lost_minor=max(gap, 0),
                over_minor=max(-gap, 0),
                is_legacy=True,
            )
        )
    for line in leakage.prove(session, ctx):
        month = f"{line.month:%Y-%m}"
        if (line.customer_id, month) in taken:
            continue
        name, code = people.get(line.customer_id, ("Unknown customer", ""))
        found.append(
            CustomerMonth(
                month=month,
                currency=line.currency,
                customer_id=line.customer_id,
                name=name,
                code=code,
                delivered_minor=line.delivered_minor,
                asked_minor=line.billed_minor,
                waived_minor=line.waived_minor + line.excluded_minor,
                not_yet_due_minor=line.not_yet_due_minor,
                lost_minor=line.lost_minor,
                over_minor=line.over_minor,
                is_legacy=False,
            )
        )
    return found


def customer(session: Session, customer_id: UUID) -> dict[str, Any]:
    """Return a customer's id, name and code."""
    found = rows(session, "SELECT id, name, code, phone FROM customers WHERE id = :id", {"id": customer_id})
    if not found:
        raise CustomerUnknown
    return found[0]


def legacy_bill(session: Session, customer_id: UUID, month: Month) -> dict[str, Any] | None:
    """Return what the old system asked that customer for that month, None where it was not asked."""
    found = rows(
        session,
        "SELECT min(currency) AS currency, sum(delivered_minor)::bigint AS delivered_minor, "
        "sum(one_time_minor)::bigint AS one_time_minor, sum(first_view_minor)::bigint AS first_view_minor, "
        "sum(second_view_minor)::bigint AS second_view_minor, sum(paid_minor)::bigint AS paid_minor "
        "FROM legacy_bills WHERE customer_id = :customer_id AND month = :month HAVING count(*) > 0",
        {"customer_id": customer_id, "month": str(month)},
    )
    return found[0] if found else None


def findings(session: Session) -> list[dict[str, Any]]:
    """Return the open errors and warnings by check, the gravest first."""
    return rows(
        session,
        "SELECT check_name, severity, count(*) AS count, min(title) AS example FROM findings WHERE state = 'open' "
        "GROUP BY 1, 2 ORDER BY array_position(ARRAY['error', 'warning', 'info'], severity), count(*) DESC",
    )


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything one delivered line stands on, from the wish to the bill."""

    line: dict[str, Any]
    price: dict[str, Any] | None
    events: Sequence[dict[str, Any]]


def evidence(session: Session, line_id: UUID) -> Evidence:
    """Return the evidence of a delivered line: wish, rule, price, stop, door events, charges, documents."""
    found = rows(
        session,
        """
        SELECT dl.id, dl.service_on, dl.ordered_quantity, dl.delivered_quantity, c.id AS customer_id,
               c.name AS customer,
               c.code, b.zone, d.id AS delivery_id, d.planned_on, d.shift, d.attempt, d.state AS stop_state,
               driver.name AS driver, o.id AS order_id, o.code AS order_code, o.source, o.state AS order_state,
               o.placed_at, ol.product_name, ol.unit, ol.quantity, ol.base_quantity, ol.unit_price, ol.currency,
               ol.amount_minor, ol.rule, ol.price_id, ol.planned_at, s.id AS subscription_id, s.starts_on, s.stops_on,
               v.valid_from, v.quantity AS version_quantity, v.pattern, v.weekdays, v.every_n, v.agreed_price,
               v.made_at, v.made_by, v.via, w.quantity AS override_quantity, w.made_at AS override_at,
               w.made_by AS override_by, w.via AS override_via, w.reason AS override_reason
        FROM delivery_lines dl
        LEFT JOIN deliveries d ON d.id = dl.delivery_id
        LEFT JOIN users driver ON driver.id = d.driver_id
        LEFT JOIN order_lines ol ON ol.id = dl.order_line_id
        LEFT JOIN orders o ON o.id = ol.order_id
        LEFT JOIN customers c ON c.id = dl.customer_id
        LEFT JOIN businesses b ON b.id = c.business_id
        LEFT JOIN subscriptions s ON s.id = ol.subscription_id
        LEFT JOIN subscription_versions v ON v.id = ol.subscription_version_id
        LEFT JOIN subscription_overrides w ON w.id = ol.override_id
        WHERE dl.id = :id
        """,
        {"id": line_id},
    )
    if not found:
        raise LineUnknown
    line = found[0]
    price = rows(
        session, "SELECT scope, unit_price, currency, valid_from FROM prices WHERE id = :id", {"id": line["price_id"]}
    )
    events = rows(
        session,
        """
        SELECT e.delta_quantity, e.reason AS line_reason, v.kind, v.device, v.device_at, v.received_at, v.actor_kind,
               v.actor_name, v.via, v.address, v.place, v.reason, h.id AS charge_id, h.amount_minor, h.currency,
               h.charged_at, w.reason AS waived_because, w.approver, w.made_at AS waived_at, i.kind AS document_kind,
               i.series, i.number, i.issued_on, i.state AS document_state
        FROM delivery_event_lines e
        LEFT JOIN delivery_events v ON v.id = e.event_id
        LEFT JOIN charges h ON h.event_line_id = e.id
        LEFT JOIN waivers w ON w.charge_id = h.id
        LEFT JOIN invoice_lines l ON l.charge_id = h.id
        LEFT JOIN invoices i ON i.id = l.invoice_id
        WHERE e.delivery_line_id = :id ORDER BY e.revision
        """,
        {"id": line_id},
    )
    return Evidence(line, price[0] if price else None, events)
