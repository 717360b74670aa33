"""Issue the bills of a month: all that is new since the last ones, once, with journals, in whole sets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.billing import queries
from earlybird.billing.rules import series
from earlybird.billing.service import allocation, charges
from earlybird.infra.db import lock, rows, run, value
from earlybird.kernel.clock import Month, business_day
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.money import scale
from earlybird.ledger import service as ledger
from earlybird.territory.models import Business

ACCOUNTS = """CASE a.kind WHEN 'fee' THEN 'sales' WHEN 'recovery' THEN 'sales' WHEN 'deposit' THEN 'deposits'
              WHEN 'opening_balance' THEN 'opening_equity' ELSE 'adjustments' END"""
"""Where the other side of an adjustment is booked."""

LINES = f"""
CREATE TEMPORARY TABLE bill_lines ON COMMIT DROP AS
WITH billed AS (
    SELECT id, coalesce(bill_to_id, id) AS payer_id FROM customers
    WHERE business_id = CAST(:business_id AS uuid)
      AND (bill_to_id = ANY(:payers) OR (bill_to_id IS NULL AND id = ANY(:payers)))
)
SELECT new_id() AS id, b.payer_id, h.id AS charge_id, CAST(NULL AS uuid) AS adjustment_id, h.service_on,
       ol.product_name AS description, h.quantity, ol.unit, ol.unit_price, h.amount_minor, h.tax_class_id,
       dl.id AS delivery_line_id, CAST('sales' AS text) AS account
FROM billed b
JOIN unbilled_charges u ON u.customer_id = b.id AND u.service_on BETWEEN CAST(:since AS date) AND CAST(:through AS date)
JOIN charges h ON h.id = u.charge_id
JOIN delivery_event_lines el ON el.id = h.event_line_id
JOIN delivery_lines dl ON dl.id = el.delivery_line_id
JOIN order_lines ol ON ol.id = dl.order_line_id
UNION ALL
SELECT new_id(), b.payer_id, NULL, a.id, a.effective_on, a.reason, NULL, NULL, NULL, a.amount_minor, NULL, NULL,
       {ACCOUNTS}
FROM billed b JOIN adjustments a ON a.customer_id = b.id
WHERE a.state = 'approved' AND a.effective_on <= CAST(:through AS date)
  AND NOT EXISTS (SELECT FROM invoice_lines l WHERE l.adjustment_id = a.id)
"""

TAXES = """
CREATE TEMPORARY TABLE bill_taxes ON COMMIT DROP AS
WITH days AS (
    SELECT DISTINCT tax_class_id, service_on FROM bill_lines WHERE tax_class_id IS NOT NULL
), valid AS (
    SELECT DISTINCT ON (d.tax_class_id, d.service_on, r.component) d.tax_class_id, d.service_on, r.component, r.rate
    FROM days d JOIN tax_rates r ON r.tax_class_id = d.tax_class_id AND r.valid_from <= d.service_on
    ORDER BY d.tax_class_id, d.service_on, r.component, r.valid_from DESC
), rates AS (
    SELECT *, sum(rate) OVER (PARTITION BY tax_class_id, service_on) AS whole FROM valid
)
SELECT l.id AS line_id, l.payer_id, r.component, r.rate, l.amount_minor,
       round(l.amount_minor * r.rate / CASE WHEN :included THEN 1 + r.whole ELSE 1 END)::bigint AS tax_minor
FROM bill_lines l JOIN rates r USING (tax_class_id, service_on)
"""

BILLS = """
CREATE TEMPORARY TABLE bills ON COMMIT DROP AS
WITH line_taxes AS (
    SELECT payer_id, sum(tax_minor) AS tax FROM bill_taxes GROUP BY payer_id
), sums AS (
    SELECT l.payer_id, sum(l.amount_minor)::bigint - CASE WHEN :included THEN coalesce(min(t.tax), 0) ELSE 0 END AS net,
           coalesce(min(t.tax), 0)::bigint AS tax
    FROM bill_lines l LEFT JOIN line_taxes t ON t.payer_id = l.payer_id GROUP BY l.payer_id
), rounded AS (
    SELECT *, CASE WHEN :rounds THEN round((net + tax) / CAST(:unit AS numeric)) * :unit - (net + tax) ELSE 0 END
                AS rounding FROM sums
), owed AS (
    SELECT p.customer_id, sum(p.amount_minor) AS minor FROM postings p
    WHERE p.customer_id = ANY(:payers) AND p.account = 'receivable' GROUP BY p.customer_id
), kinds AS (
    SELECT r.*, CASE WHEN net + tax + rounding < 0 THEN 'credit_note' ELSE 'invoice' END AS kind FROM rounded r
)
SELECT new_id() AS id, new_id() AS journal_id, k.payer_id, k.kind, k.net::bigint, k.tax, k.rounding::bigint,
       (k.net + k.tax + k.rounding)::bigint AS total, coalesce(o.minor, 0)::bigint AS carried,
       c.code, c.name, row_number() OVER (PARTITION BY k.kind ORDER BY c.code COLLATE "C", c.id) AS place
FROM kinds k JOIN customers c ON c.id = k.payer_id LEFT JOIN owed o ON o.customer_id = k.payer_id
"""

POSTINGS = """
SELECT b.journal_id, CAST(:business_id AS uuid) AS business_id, b.kind, CAST(:issued_on AS date) AS posted_on,
       CAST(NULL AS text) AS memo, CAST(NULL AS uuid) AS reverses_id, p.account, p.customer_id,
       CAST(NULL AS uuid) AS user_id, p.amount_minor,
       CAST(:currency AS text) AS currency
FROM bills b CROSS JOIN LATERAL (VALUES
    ('receivable', b.payer_id, b.total), ('tax_payable', NULL, -b.tax), ('rounding', NULL, -b.rounding)
) AS p (account, customer_id, amount_minor)
UNION ALL
SELECT b.journal_id, CAST(:business_id AS uuid), b.kind, CAST(:issued_on AS date), NULL, NULL, s.account, NULL, NULL,
       -(s.minor - CASE WHEN :included AND s.account = 'sales' THEN b.tax ELSE 0 END)::bigint, CAST(:currency AS text)
FROM bills b JOIN (SELECT payer_id, account, sum(amount_minor) AS minor FROM bill_lines GROUP BY payer_id, account) s
  ON s.payer_id = b.payer_id
"""

INVOICES = """
INSERT INTO invoices (id, business_id, customer_id, kind, series, number, state, state_at, period_from, period_to,
    issued_on, issued_at, due_on, subtotal_minor, tax_minor, rounding_minor, total_minor, carried_minor, currency,
    corrects_id, journal_id)
SELECT b.id, :business_id, b.payer_id, b.kind, :series, :taken + b.place, 'issued', :now, :first, :last,
       :issued_on, :now, CAST(:issued_on AS date) + CAST(:terms AS integer), b.net, b.tax, b.rounding, b.total,
       b.carried, :currency,
       CASE WHEN b.kind = 'credit_note' THEN (
           SELECT i.id FROM bill_lines l
           JOIN delivery_event_lines el ON el.delivery_line_id = l.delivery_line_id
           JOIN charges h ON h.event_line_id = el.id JOIN invoice_lines il ON il.charge_id = h.id
           JOIN invoices i ON i.id = il.invoice_id
           WHERE l.payer_id = b.payer_id AND l.amount_minor < 0
           ORDER BY i.issued_at DESC, i.number DESC LIMIT 1) END,
       CASE WHEN EXISTS (SELECT FROM journals j WHERE j.id = b.journal_id) THEN b.journal_id END
FROM bills b WHERE b.kind = :kind
"""

INVOICE_LINES = """
INSERT INTO invoice_lines (id, invoice_id, charge_id, adjustment_id, service_on, description, quantity, unit,
                           unit_price, amount_minor, tax_minor)
SELECT l.id, b.id, l.charge_id, l.adjustment_id, l.service_on, l.description, l.quantity, l.unit, l.unit_price,
       l.amount_minor, coalesce(t.tax, 0)
FROM bill_lines l JOIN bills b ON b.payer_id = l.payer_id
LEFT JOIN (SELECT line_id, sum(tax_minor) AS tax FROM bill_taxes GROUP BY line_id) t ON t.line_id = l.id
ORDER BY b.place, l.service_on
"""

INVOICE_TAXES = """
INSERT INTO invoice_taxes (invoice_id, component, rate, base_minor, tax_minor)
SELECT b.id, t.component, t.rate, sum(t.amount_minor - CASE WHEN :included THEN w.tax ELSE 0 END), sum(t.tax_minor)
FROM bill_taxes t JOIN bills b ON b.payer_id = t.payer_id
JOIN (SELECT line_id, sum(tax_minor) AS tax FROM bill_taxes GROUP BY line_id) w ON w.line_id = t.line_id
GROUP BY b.id, t.component, t.rate
"""


def issue_month(session: Session, ctx: Ctx, business_id: UUID, month: Month) -> list[dict[str, Any]]:
    """Charge what was delivered and issue everything new up to the month's end, in one transaction; return it.

    One run of a business at a time: whoever comes second waits, and finds nothing left.
    """
    firm = session.get_one(Business, business_id)
    since = queries.fitting_cutover(firm, month, business_day(ctx.now, firm.zone))
    lock(session, f"billing.run:{business_id}")
    charges.charge_delivered(session, ctx)
    payers = queries.payers_to_bill(session, business_id, since=since, through=month.last)
    return run_month(session, ctx, business_id, month, payers)


def run_month(
    session: Session, ctx: Ctx, business_id: UUID, month: Month, payers: Sequence[UUID]
) -> list[dict[str, Any]]:
    """Issue one document for each of `payers` with anything new up to the month's end; return what was issued.

    New is every charge on no document and not waived, and every approved adjustment, also of earlier
    months, but no charge before the business's cut-over. What sums to less than nothing becomes a credit
    note. A document is born issued: with its lines, taxes, number and journal, in one transaction. `payers`
    as `queries.payers_to_bill` gives them, whole or in chunks; nobody is billed twice.
    """
    firm = session.get_one(Business, business_id)
    today = business_day(ctx.now, firm.zone)
    since = queries.fitting_cutover(firm, month, today)
    lock(session, f"billing.run:{business_id}")
    queries.lock_payers(session, payers)
    facts = {
        "business_id": business_id,
        "payers": list(payers),
        "since": since,
        "first": month.first,
        "last": month.last,
        "through": month.last,
        "included": firm.prices_include_tax,
        "rounds": firm.rounds_to_major,
        "unit": scale(firm.currency),
        "currency": firm.currency,
        "issued_on": today,
        "terms": firm.terms_days,
        "now": ctx.now,
    }
    run(session, "DROP TABLE IF EXISTS pg_temp.bill_lines, pg_temp.bill_taxes, pg_temp.bills")
    run(session, LINES, facts)
    if not value(session, "SELECT count(*) FROM bill_lines"):
        return []
    run(session, "ANALYZE bill_lines (payer_id, tax_class_id, service_on)")
    run(session, TAXES, facts)
    run(session, BILLS, facts)
    run(session, "ANALYZE bills")
    ledger.post_many(session, ctx, POSTINGS, facts)
    for kind, prefix in (("invoice", firm.invoice_prefix), ("credit_note", "CN")):
        number_series = series(prefix, firm.country, today)
        taken = take_numbers(session, business_id, number_series, kind)
        run(session, INVOICES, facts | {"kind": kind, "series": number_series, "taken": taken})
    run(session, INVOICE_LINES, facts)
    run(session, INVOICE_TAXES, facts)
    issued = rows(
        session,
        "SELECT i.id, i.series || '/' || i.number AS number, i.kind, b.payer_id AS customer_id, b.code AS customer, "
        "b.name, i.subtotal_minor, i.tax_minor, i.rounding_minor, i.total_minor, i.carried_minor, i.currency "
        "FROM bills b JOIN invoices i ON i.id = b.id ORDER BY i.kind DESC, i.number",
    )
    audit.record_many(
        session, ctx, "invoices.issue", "invoice", [row["id"] for row in issued], after={"month": str(month)}
    )
    allocation.allocate_open(session, ctx, payers)
    return issued


def totals(issued: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return how many documents of each kind were issued, and their sums in minor units."""
    sums: dict[tuple[str, str], dict[str, Any]] = {}
    for row in issued:
        kept = sums.setdefault(
            (row["kind"], row["currency"]),
            {"kind": row["kind"], "currency": row["currency"], "count": 0}
            | dict.fromkeys(("subtotal_minor", "tax_minor", "total_minor"), 0),
        )
        kept["count"] += 1
        for name in ("subtotal_minor", "tax_minor", "total_minor"):
            kept[name] += row[name]
    return list(sums.values())


def take_numbers(session: Session, business_id: UUID, number_series: str, kind: str) -> int:
    """Take as many numbers of a series as `bills` has documents of a kind; return the last one given before."""
    count = value(session, "SELECT count(*) FROM bills WHERE kind = :kind", {"kind": kind})
    return reserve(session, business_id, number_series, count) if count else 0


def reserve(session: Session, business_id: UUID, number_series: str, count: int) -> int:
    """Take `count` numbers of a series, locked until the transaction ends; return the last one given before."""
    taken = value(
        session,
        """
        INSERT INTO invoice_series AS s (business_id, series, next_number)
        VALUES (:business_id, :series, 1 + :count)
        ON CONFLICT (business_id, series) DO UPDATE SET next_number = s.next_number + :count
        RETURNING next_number - 1 - :count
        """,
        {"business_id": business_id, "series": number_series, "count": count},
    )
    return int(taken)
