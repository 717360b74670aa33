"""Documents as their readers see them: pages of heads, one whole, what a customer stands at."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import accumulate
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.billing import errors
from earlybird.billing.queries.open import open_documents, statement
from earlybird.billing.queries.payments import PAYMENTS
from earlybird.billing.queries.scope import cut, visible, words
from earlybird.billing.states import InvoiceKind, InvoiceState
from earlybird.identity.rules import reach
from earlybird.infra.db import rows
from earlybird.kernel.clock import Month, business_day
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.pages import Page
from earlybird.ledger import queries as ledger
from earlybird.ledger.states import Account

HEADS = """
SELECT i.id, i.series || '/' || i.number AS number, i.kind, i.state, i.business_id, i.customer_id,
       c.code AS customer_code, c.name AS customer_name, i.period_from, i.period_to, i.issued_on, i.issued_at,
       i.due_on, i.subtotal_minor, i.tax_minor, i.rounding_minor, i.total_minor, i.carried_minor, i.currency,
       i.corrects_id, i.reason,
       (SELECT coalesce(sum(a.amount_minor), 0)::bigint FROM payment_allocations a WHERE a.invoice_id = i.id)
         AS paid_minor
FROM invoices i JOIN customers c ON c.id = i.customer_id
"""

OF_MONTH = "(SELECT * FROM invoices WHERE period_to BETWEEN :first AND :last OFFSET 0)"
"""OFFSET 0 has the month found first: walking back through all younger documents costs more the older it is."""

LINES = """
SELECT l.id, l.service_on, l.description, l.quantity, l.unit, l.unit_price, l.amount_minor, l.tax_minor, l.charge_id,
       l.adjustment_id, nullif(h.customer_id, i.customer_id) AS household_id, ol.order_id, ol.id AS order_line_id,
       dl.delivery_id, dl.id AS delivery_line_id, h.event_line_id
FROM invoice_lines l JOIN invoices i ON i.id = l.invoice_id
LEFT JOIN charges h ON h.id = l.charge_id
LEFT JOIN delivery_event_lines e ON e.id = h.event_line_id
LEFT JOIN delivery_lines dl ON dl.id = e.delivery_line_id
LEFT JOIN order_lines ol ON ol.id = dl.order_line_id
"""

ENTRIES = """
WITH moved AS (
    SELECT p.journal_id, sum(p.amount_minor)::bigint AS amount_minor FROM postings p
    WHERE p.customer_id = :customer_id AND p.account IN ('receivable', 'customer_advance')
      AND p.posted_on BETWEEN :since AND :through
    GROUP BY p.journal_id HAVING sum(p.amount_minor) <> 0
)
SELECT m.journal_id, j.posted_on, j.kind, m.amount_minor, i.id AS invoice_id, i.series || '/' || i.number AS number,
       y.id AS payment_id
FROM moved m JOIN journals j ON j.id = m.journal_id
LEFT JOIN invoices i ON i.journal_id = j.id
LEFT JOIN payments y ON y.journal_id = coalesce(j.reverses_id, j.id)
ORDER BY j.posted_on, j.id
"""


def page_documents(
    session: Session,
    ctx: Ctx,
    *,
    after: UUID | None,
    limit: int,
    customer_id: UUID | None = None,
    business_id: UUID | None = None,
    month: Month | None = None,
    kind: InvoiceKind | None = None,
    state: InvoiceState | None = None,
) -> Page[dict[str, Any]]:
    """Return documents, newest first, with what is paid and open of each."""
    facts = {
        "after": after,
        "limit": limit + 1,
        "customer_id": customer_id,
        "business_id": business_id,
        "first": month and month.first,
        "last": month and month.last,
    }
    wanted = [visible(ctx, "i.customer_id")]
    wanted += ["i.id < :after"] if after else []
    wanted += [f"i.{name} = :{name}" for name in ("customer_id", "business_id") if facts[name]]
    wanted += words("i", kind=kind, state=state)
    heads = HEADS.replace("FROM invoices i JOIN", f"FROM {OF_MONTH} i JOIN") if month else HEADS
    found = rows(session, f"{heads} WHERE {' AND '.join(wanted)} ORDER BY i.id DESC LIMIT :limit", facts | reach(ctx))
    page = cut(found, limit)
    _add_open(session, list(page.items))
    return page


def get_document(session: Session, ctx: Ctx, invoice_id: UUID) -> dict[str, Any]:
    """Return a document's head."""
    found = rows(
        session, f"{HEADS} WHERE i.id = :id AND {visible(ctx, 'i.customer_id')}", {"id": invoice_id} | reach(ctx)
    )
    if not found:
        raise errors.NoSuchDocument
    _add_open(session, found)
    return found[0]


def show_document(session: Session, ctx: Ctx, invoice_id: UUID) -> dict[str, Any]:
    """Return a document with its lines, each with the facts it stands on, its taxes and its payments."""
    facts = {"id": invoice_id}
    return get_document(session, ctx, invoice_id) | {
        "lines": rows(session, f"{LINES} WHERE l.invoice_id = :id ORDER BY l.service_on, l.description, l.id", facts),
        "taxes": rows(
            session,
            "SELECT component, rate, base_minor, tax_minor FROM invoice_taxes WHERE invoice_id = :id "
            "ORDER BY component, rate",
            facts,
        ),
        "allocations": rows(
            session,
            """
            SELECT y.id AS payment_id, y.received_on, y.method, y.reference, sum(a.amount_minor)::bigint AS amount_minor
            FROM payment_allocations a JOIN payments y ON y.id = a.payment_id WHERE a.invoice_id = :id
            GROUP BY y.id HAVING sum(a.amount_minor) <> 0 ORDER BY y.received_on, y.id
            """,
            facts,
        ),
    }


def _add_open(session: Session, found: list[dict[str, Any]]) -> None:
    customers = sorted({row["customer_id"] for row in found})
    asked = {row["id"]: row["open_minor"] for row in open_documents(session, customers)}
    for row in found:
        row["open_minor"] = asked.get(row["id"], 0)


def get_payer(session: Session, ctx: Ctx, customer_id: UUID) -> dict[str, Any]:
    """Return whose money it is: id, code, name, the currency they are billed in, their business's zone."""
    found = rows(
        session,
        "SELECT c.id, c.code, c.name, b.currency, b.zone FROM customers c JOIN businesses b ON b.id = c.business_id "
        f"WHERE c.id = :id AND {visible(ctx, 'c.id')}",
        {"id": customer_id} | reach(ctx),
    )
    if not found:
        raise errors.NoSuchCustomer
    return found[0]


def show_statement(
    session: Session, ctx: Ctx, customer_id: UUID, *, since: date | None = None, through: date | None = None
) -> dict[str, Any]:
    """Return what a customer stands at today and what moved it from `since` to `through` (a year back, today)."""
    person = get_payer(session, ctx, customer_id)
    through = through or business_day(ctx.now, person["zone"])
    since = since or through - timedelta(days=365)
    if since > through:
        raise errors.DaysReversed(field="from", since=since, through=through)
    before = since - timedelta(days=1)
    opening = sum(
        ledger.customer_balances(session, [customer_id], account, as_of=before).get(customer_id, 0)
        for account in (Account.receivable, Account.customer_advance)
    )
    facts = {"customer_id": customer_id, "since": since, "through": through}
    entries = rows(session, ENTRIES, facts)
    balances = list(accumulate((row["amount_minor"] for row in entries), initial=opening))
    return {
        "customer_id": customer_id,
        "customer_code": person["code"],
        "customer_name": person["name"],
        "currency": person["currency"],
        **statement(session, customer_id),
        "open_documents": [
            row | {"number": f"{row['series']}/{row['number']}"} for row in open_documents(session, [customer_id])
        ],
        "since": since,
        "through": through,
        "opening_minor": opening,
        "entries": [row | {"balance_minor": balance} for row, balance in zip(entries, balances[1:], strict=True)],
        "closing_minor": balances[-1],
        "payments": rows(
            session,
            f"{PAYMENTS} WHERE y.customer_id = :customer_id AND y.received_on BETWEEN :since AND :through "
            "ORDER BY y.received_on, y.id",
            facts,
        ),
    }
