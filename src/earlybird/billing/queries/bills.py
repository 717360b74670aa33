"""Who is to be billed, and what a document says."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.billing import errors
from earlybird.infra.db import rows, run
from earlybird.kernel.clock import Month
from earlybird.territory.models import Business


def business(session: Session, name: str | None) -> Business:
    """Return the business of that name, or the only one there is."""
    found = session.query(Business).order_by(Business.name).all()
    if name is not None:
        found = [row for row in found if row.name == name]
    if not found:
        raise errors.NoSuchBusiness(field="business", name=name)
    if len(found) > 1:
        raise errors.WhichBusiness(field="business", names=[row.name for row in found])
    return found[0]


def business_by_id(session: Session, business_id: UUID | None) -> Business:
    """Return the business of that id, or the only one there is."""
    if business_id is None:
        return business(session, None)
    found = session.get(Business, business_id)
    if found is None:
        raise errors.NoSuchBusiness(field="business_id", id=business_id)
    return found


def fitting_cutover(firm: Business, month: Month, today: date) -> date:
    """Return the first service date that bills may speak of; refuse a month before it or still to come."""
    if firm.cutover_on and month < Month.of(firm.cutover_on):
        raise errors.MonthBeforeCutover(field="month", month=month, cutover=firm.cutover_on)
    if month.first > today:
        raise errors.MonthNotBegun(field="month", month=month, today=today)
    return firm.cutover_on or date.min


def payers_to_bill(session: Session, business_id: UUID, *, since: date, through: date) -> list[UUID]:
    """Return who gets a document: whoever pays for a charge or adjustment not yet on one, in order of code."""
    return [
        row["id"]
        for row in rows(
            session,
            """
            SELECT p.id FROM customers p JOIN (
                SELECT DISTINCT coalesce(c.bill_to_id, c.id) AS id FROM customers c
                WHERE c.business_id = :business_id AND (
                    EXISTS (SELECT FROM unbilled_charges u
                            WHERE u.customer_id = c.id AND u.service_on BETWEEN :since AND :through)
                    OR EXISTS (SELECT FROM adjustments a
                               WHERE a.customer_id = c.id AND a.state = 'approved' AND a.effective_on <= :through
                                 AND NOT EXISTS (SELECT FROM invoice_lines l WHERE l.adjustment_id = a.id)))
            ) AS payers USING (id)
            ORDER BY p.code COLLATE "C", p.id
            """,
            {"business_id": business_id, "since": since, "through": through},
        )
    ]


def lock_payers(session: Session, customers: Sequence[UUID]) -> None:
    """Hold the money of these customers until the transaction ends; wait for whoever has it."""
    run(
        session,
        "SELECT FROM customers WHERE id = ANY(:customers) ORDER BY id FOR NO KEY UPDATE",
        {"customers": list(customers)},
    )


def charge(session: Session, charge_id: UUID) -> dict[str, Any]:
    """Return a charge with its payer, its document's number if it is on one, and whether it was waived."""
    found = rows(
        session,
        """
        SELECT c.id, coalesce(cu.bill_to_id, cu.id) AS payer_id, i.series || '/' || i.number AS document,
               EXISTS (SELECT FROM waivers w WHERE w.charge_id = c.id) AS waived
        FROM charges c JOIN customers cu ON cu.id = c.customer_id
        LEFT JOIN invoice_lines l ON l.charge_id = c.id LEFT JOIN invoices i ON i.id = l.invoice_id
        WHERE c.id = :id
        """,
        {"id": charge_id},
    )
    if not found:
        raise errors.NoSuchCharge(charge=charge_id)
    return found[0]


def list_documents(
    session: Session, business_id: UUID, month: Month | None, *, limit: int = 200
) -> list[dict[str, Any]]:
    """Return the newest documents of a business, or those of one month, with who they are for."""
    return rows(
        session,
        """
        SELECT i.id, i.kind, i.series || '/' || i.number AS number, c.code AS customer, c.name, i.period_from,
               i.period_to, i.issued_on, i.due_on, i.total_minor, i.carried_minor, i.currency, i.state
        FROM invoices i JOIN customers c ON c.id = i.customer_id
        WHERE i.business_id = :business_id AND i.period_to BETWEEN :first AND :last
        ORDER BY i.issued_on DESC, i.series, i.number DESC LIMIT :limit
        """,
        {
            "business_id": business_id,
            "first": month.first if month else date.min,
            "last": month.last if month else date.max,
            "limit": limit,
        },
    )


def proposals(session: Session, business_id: UUID) -> list[dict[str, Any]]:
    """List the amounts that wait for a person to bill or to waive them, the largest first."""
    return rows(
        session,
        """
        SELECT a.id, a.kind, a.amount_minor, a.currency, a.effective_on, a.reason, c.code AS customer, c.name
        FROM adjustments a JOIN customers c ON c.id = a.customer_id
        WHERE a.business_id = :business_id AND a.state = 'proposed' ORDER BY abs(a.amount_minor) DESC, a.id
        """,
        {"business_id": business_id},
    )


def find_document(session: Session, name: str) -> UUID:
    """Return the id of a document by its number (`INV/2026-27/42`) or id."""
    series, _, number = name.rpartition("/")
    found = rows(
        session,
        "SELECT id FROM invoices WHERE id = CAST(:id AS uuid) UNION "
        "SELECT i.id FROM businesses b JOIN invoices i ON i.business_id = b.id "
        "WHERE i.series = :series AND i.number = CAST(:number AS integer)",
        {
            "id": _id(name),
            "series": series,
            "number": int(number) if number.isdecimal() and len(number) < 10 else None,  # noqa: PLR2004
        },
    )
    if len(found) != 1:
        raise errors.NoSuchDocument(field="number", number=name, found=len(found))
    key: UUID = found[0]["id"]
    return key


def _id(name: str) -> UUID | None:
    try:
        return UUID(name)
    except ValueError:
        return None


def bill_facts(session: Session, invoice_id: UUID) -> dict[str, Any]:
    """Return all that a document prints: who, to whom, its lines by day, taxes, and payments since."""
    facts = {"invoice_id": invoice_id}
    document = rows(
        session,
        """
        SELECT i.*, b.name AS business, coalesce(b.legal_name, b.name) AS legal_name, b.tax_ids, b.upi_id,
               b.phone AS business_phone, b.address AS business_address, b.prices_include_tax,
               c.name AS customer, c.code AS customer_code, c.phone AS customer_phone, c.language,
               o.series AS corrects_series, o.number AS corrects_number,
               (SELECT concat_ws(', ', a.line1, a.line2, a.city, a.postal_code) FROM addresses a
                WHERE a.customer_id = c.id AND a.archived_at IS NULL ORDER BY a.is_default DESC, a.id LIMIT 1)
                 AS customer_address
        FROM invoices i JOIN businesses b ON b.id = i.business_id JOIN customers c ON c.id = i.customer_id
        LEFT JOIN invoices o ON o.id = i.corrects_id
        WHERE i.id = :invoice_id
        """,
        facts,
    )
    if not document:
        raise errors.NoSuchDocument(id=invoice_id)
    return document[0] | {
        "lines": rows(
            session,
            """
            SELECT l.service_on, l.description, l.unit, l.unit_price, sum(l.quantity) AS quantity,
                   sum(l.amount_minor)::bigint AS amount_minor, g.name AS household
            FROM invoice_lines l LEFT JOIN charges h ON h.id = l.charge_id JOIN invoices i ON i.id = l.invoice_id
            LEFT JOIN customers g ON g.id = h.customer_id AND g.id <> i.customer_id
            WHERE l.invoice_id = :invoice_id
            GROUP BY l.service_on, l.description, l.unit, l.unit_price, g.id, l.adjustment_id
            ORDER BY g.name NULLS FIRST, l.service_on, l.description, l.unit_price
            """,
            facts,
        ),
        "taxes": rows(
            session,
            "SELECT component, rate, base_minor, tax_minor FROM invoice_taxes WHERE invoice_id = :invoice_id "
            "ORDER BY component, rate",
            facts,
        ),
        "payments": rows(
            session,
            """
            SELECT y.received_on, y.method, y.reference, y.amount_minor, y.currency FROM payments y
            JOIN invoices i ON i.id = :invoice_id
            WHERE y.customer_id = i.customer_id AND y.state = 'recorded' AND y.made_at >= i.issued_at
            ORDER BY y.received_on, y.id
            """,
            facts,
        ),
    }
