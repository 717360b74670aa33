"""What a line stands on: everything from the wish to the bill, read back from the line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.billing import errors
from earlybird.billing.queries.documents import LINES
from earlybird.billing.queries.scope import visible
from earlybird.identity.rules import Scope, reach
from earlybird.infra.db import rows
from earlybird.kernel.clock import cutoff_at
from earlybird.kernel.ctx import Ctx


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
               w.made_by AS override_by, w.via AS override_via, w.reason AS override_reason, p.cutoff,
               p.cutoff_days_before, z.zone AS site_zone
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
        LEFT JOIN sites z ON z.id = o.site_id
        LEFT JOIN shifts p ON p.site_id = o.site_id AND p.shift = o.shift
        WHERE dl.id = :id
        """,
        {"id": line_id},
    )
    if not found:
        raise errors.NoSuchLine
    line = found[0]
    price = rows(
        session,
        "SELECT id, scope, unit_price, currency, valid_from FROM prices WHERE id = :id",
        {"id": line["price_id"]},
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


def explain(session: Session, ctx: Ctx, line_id: UUID) -> dict[str, Any]:
    """Return the evidence of a line of a document: back to the tap at the door, or to who approved the amount.

    Where the device was, and its network address, are for whoever sees every customer's money.
    """
    found = rows(
        session,
        f"{LINES} WHERE l.id = :id AND {visible(ctx, 'i.customer_id')}",
        {"id": line_id} | reach(ctx),
    )
    if not found:
        raise errors.NoSuchLine
    line = found[0]
    document = rows(
        session,
        "SELECT i.id, i.series || '/' || i.number AS number, i.kind, i.state, i.customer_id, i.issued_on, "
        "i.period_from, i.period_to, i.currency FROM invoices i JOIN invoice_lines l ON l.invoice_id = i.id "
        "WHERE l.id = :id",
        {"id": line_id},
    )[0]
    told: dict[str, Any] = dict.fromkeys(("adjustment", "wish", "standing_order", "override", "price", "stop"))
    told |= {"line": line, "document": document, "pauses": [], "events": []}
    if line["adjustment_id"]:
        told["adjustment"] = rows(
            session,
            "SELECT id, kind, amount_minor, effective_on, reason, approver, made_at, state_at AS decided_at "
            "FROM adjustments WHERE id = :id",
            {"id": line["adjustment_id"]},
        )[0]
    if line["delivery_line_id"]:
        told |= _told(evidence(session, line["delivery_line_id"]), is_office=Scope.all in ctx.actor.scopes)
        told["pauses"] = _pauses(session, told["standing_order"], document)
    return told


def _told(found: Evidence, *, is_office: bool) -> dict[str, Any]:
    fact = found.line
    source = "agreed" if fact["agreed_price"] is not None else found.price["scope"] if found.price else "order"
    return {
        "wish": fact
        | {
            "code": fact["order_code"],
            "state": fact["order_state"],
            "cutoff_at": cutoff_at(fact["service_on"], fact["cutoff"], fact["cutoff_days_before"], fact["site_zone"])
            if fact["cutoff"] is not None
            else None,
        },
        "standing_order": fact | {"quantity": fact["version_quantity"]} if fact["subscription_id"] else None,
        "override": {
            "quantity": fact["override_quantity"],
            "made_at": fact["override_at"],
            "made_by": fact["override_by"],
            "via": fact["override_via"],
            "reason": fact["override_reason"],
        }
        if fact["override_at"]
        else None,
        "price": {
            "unit_price": fact["unit_price"],
            "currency": fact["currency"],
            "source": source,
            "price_id": found.price["id"] if found.price else None,
            "valid_from": found.price["valid_from"] if found.price else None,
        },
        "stop": fact | {"state": fact["stop_state"]},
        "events": [
            event
            | {
                "quantity": event["delta_quantity"],
                "reason": event["line_reason"] or event["reason"],
                "by": event["actor_name"],
                "by_kind": event["actor_kind"],
                "address": event["address"] if is_office else None,
                "place": event["place"] if is_office else None,
                "number": f"{event['series']}/{event['number']}" if event["number"] else None,
            }
            for event in found.events
        ],
    }


def _pauses(
    session: Session, standing_order: dict[str, Any] | None, document: dict[str, Any]
) -> Sequence[dict[str, Any]]:
    """Return the pauses of the standing order that touch the document's period."""
    if standing_order is None:
        return []
    return rows(
        session,
        """
        SELECT starts_on, ends_on, reason, made_at, made_by, via FROM subscription_pauses
        WHERE subscription_id = :id AND cancelled_at IS NULL AND starts_on <= :last
          AND coalesce(ends_on, 'infinity') >= :first ORDER BY starts_on
        """,
        {"id": standing_order["subscription_id"], "first": document["period_from"], "last": document["period_to"]},
    )
