"""Money of the time before the day of change: what the old system asked, and what it forgot to ask.

Opening balances become opening documents. Each customer-month gets a `legacy` document whose lines are
the charges of what was delivered and one line for the difference to the old bill's first view, so that
its total is what was asked. The difference itself is proposed as a recovery (or credit): a person bills
or waives it, nothing is billed by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.importers.earlybird.evidence import SOURCE
from earlybird.importers.earlybird.masters import Home
from earlybird.infra.db import analyze, lock, run
from earlybird.kernel.ctx import Ctx

OPENINGS = """
CREATE TEMP TABLE made_document ON COMMIT DROP AS
SELECT new_id() AS id, new_id() AS journal_id, new_id() AS adjustment_id, d.id AS customer_id, 'opening' AS kind,
       CAST(:first_on AS date) - 1 AS period_from, CAST(:first_on AS date) - 1 AS period_to,
       (facts->>'balance_minor')::bigint AS total, (facts->>'balance_minor')::bigint AS difference,
       row_number() OVER (ORDER BY d.line)::int AS position
FROM legacy_documents d
WHERE d.source = :source AND d.collection = 'customers_v2' AND d.verdict = 'imported'
  AND (facts->>'balance_minor')::bigint <> 0
  AND NOT EXISTS (SELECT FROM invoices i WHERE i.customer_id = d.id AND i.kind = 'opening')
"""

# Months with something new: charges that stand on no document yet, or a first view not yet asked for.
MONTHS = """
CREATE TEMP TABLE new_charge ON COMMIT DROP AS
SELECT c.id, c.customer_id, date_trunc('month', c.service_on)::date AS month, c.service_on, c.quantity, c.amount_minor,
       l.product_name, l.unit, l.unit_price
FROM charges c
JOIN delivery_event_lines e ON e.id = c.event_line_id
JOIN delivery_lines dl ON dl.id = e.delivery_line_id
JOIN order_lines l ON l.id = dl.order_line_id
WHERE c.service_on < :cutover_on AND c.customer_id = ANY(CAST(:customers AS uuid[]))
  AND NOT EXISTS (SELECT FROM invoice_lines i WHERE i.charge_id = c.id)
"""

DOCUMENTS = """
CREATE TEMP TABLE made_document ON COMMIT DROP AS
WITH fact AS (
    SELECT customer_id, month, sum(amount_minor)::bigint AS minor FROM new_charge GROUP BY customer_id, month
), asked AS (
    SELECT customer_id, (month || '-01')::date AS month, first_view_minor AS minor FROM legacy_bills
    WHERE source = :source AND customer_id = ANY(CAST(:customers AS uuid[]))
), issued AS (
    SELECT customer_id, period_from AS month, sum(total_minor)::bigint AS minor FROM invoices
    WHERE kind = 'legacy' AND customer_id = ANY(CAST(:customers AS uuid[])) GROUP BY customer_id, period_from
)
SELECT new_id() AS id, new_id() AS journal_id, new_id() AS adjustment_id, customer_id, 'legacy' AS kind,
       month AS period_from,
       least((month + interval '1 month - 1 day')::date, CAST(:cutover_on AS date) - 1) AS period_to,
       coalesce(a.minor, 0) - coalesce(i.minor, 0) AS total,
       coalesce(a.minor, 0) - coalesce(i.minor, 0) - coalesce(f.minor, 0) AS difference,
       row_number() OVER (ORDER BY month, customer_id)::int AS position
FROM fact f FULL JOIN asked a USING (customer_id, month) LEFT JOIN issued i USING (customer_id, month)
WHERE f.minor IS NOT NULL OR coalesce(a.minor, 0) <> coalesce(i.minor, 0)
"""

SERIES = """
INSERT INTO invoice_series (business_id, series, next_number)
SELECT CAST(:business_id AS uuid), :series, count(*) + 1 FROM made_document HAVING count(*) > 0
ON CONFLICT (business_id, series) DO UPDATE SET next_number = invoice_series.next_number + excluded.next_number - 1
RETURNING next_number
"""

ADJUSTMENTS = """
INSERT INTO adjustments (id, business_id, customer_id, kind, amount_minor, currency, effective_on, reason, state,
                         state_at, approver, made_at)
SELECT adjustment_id, CAST(:business_id AS uuid), customer_id, :kind, difference, :currency, period_to, :reason,
       'approved', :now, 'taken over', :now
FROM made_document WHERE difference <> 0
"""

JOURNALS = """
INSERT INTO journals (id, business_id, kind, posted_on, made_at, memo)
SELECT journal_id, CAST(:business_id AS uuid), kind, period_to, :now, 'taken over' FROM made_document WHERE total <> 0
"""

POSTINGS = """
INSERT INTO postings (journal_id, account, customer_id, amount_minor, currency, posted_on)
SELECT journal_id, 'receivable', customer_id, total, :currency, period_to FROM made_document WHERE total <> 0
UNION ALL
SELECT journal_id, :against, NULL, -total, :currency, period_to FROM made_document WHERE total <> 0
"""

INVOICES = """
INSERT INTO invoices (id, business_id, customer_id, kind, series, number, state, state_at, period_from, period_to,
    issued_on, issued_at, due_on, subtotal_minor, tax_minor, rounding_minor, total_minor, carried_minor, currency,
    journal_id)
SELECT m.id, CAST(:business_id AS uuid), m.customer_id, m.kind, :series,
       s.next_number - (SELECT count(*) FROM made_document) + m.position - 1, 'issued', :now, m.period_from,
       m.period_to, m.period_to, :now, m.period_to, m.total, 0, 0, m.total, 0, :currency,
       CASE WHEN m.total <> 0 THEN m.journal_id END
FROM made_document m JOIN invoice_series s ON s.business_id = CAST(:business_id AS uuid) AND s.series = :series
"""

DIFFERENCE_LINES = """
INSERT INTO invoice_lines (invoice_id, adjustment_id, service_on, description, amount_minor, tax_minor)
SELECT id, adjustment_id, period_to, :reason, difference, 0 FROM made_document WHERE difference <> 0
"""

CHARGE_LINES = """
INSERT INTO invoice_lines (invoice_id, charge_id, service_on, description, quantity, unit, unit_price, amount_minor,
                           tax_minor)
SELECT m.id, c.id, c.service_on, c.product_name, c.quantity, c.unit, c.unit_price, c.amount_minor, 0
FROM new_charge c JOIN made_document m ON m.customer_id = c.customer_id AND m.period_from = c.month
"""

DELIVERED = """
INSERT INTO legacy_bills (source, party, month, customer_id, delivered_minor, one_time_minor, first_view_minor,
                          second_view_minor, paid_minor, currency)
SELECT :source, p.party, to_char(c.service_on, 'YYYY-MM'), p.customer_id, sum(c.amount_minor)::bigint,
       coalesce(sum(c.amount_minor) FILTER (WHERE o.source = 'one_time'), 0)::bigint, 0, 0, 0, :currency
FROM charges c
JOIN delivery_event_lines e ON e.id = c.event_line_id
JOIN delivery_lines dl ON dl.id = e.delivery_line_id
JOIN order_lines o ON o.id = dl.order_line_id
JOIN legacy_parties p ON p.customer_id = c.customer_id AND p.source = :source
WHERE c.service_on < :cutover_on AND c.customer_id = ANY(CAST(:customers AS uuid[]))
GROUP BY p.party, p.customer_id, to_char(c.service_on, 'YYYY-MM')
ON CONFLICT (source, party, month) DO UPDATE
SET delivered_minor = excluded.delivered_minor, one_time_minor = excluded.one_time_minor
WHERE (legacy_bills.delivered_minor, legacy_bills.one_time_minor)
      IS DISTINCT FROM (excluded.delivered_minor, excluded.one_time_minor)
"""

# Dated within the month it is about, which is how it is found again: a bill may run ahead of the day of change.
RECOVERIES = """
INSERT INTO adjustments (business_id, customer_id, kind, amount_minor, currency, effective_on, reason, state_at,
                         made_at)
SELECT CAST(:business_id AS uuid), b.customer_id, 'recovery', b.minor - coalesce(r.minor, 0), :currency, b.last_on,
       b.month || CASE WHEN b.minor > 0 THEN ' delivered and never asked for' ELSE ' asked for and never delivered' END,
       :now, :now
FROM (
    SELECT customer_id, month, delivered_minor - first_view_minor AS minor,
           greatest((month || '-01')::date,
                    least(((month || '-01')::date + interval '1 month - 1 day')::date,
                          CAST(:cutover_on AS date) - 1)) AS last_on
    FROM legacy_bills WHERE source = :source AND customer_id = ANY(CAST(:customers AS uuid[]))
) b
LEFT JOIN (
    SELECT customer_id, to_char(effective_on, 'YYYY-MM') AS month, sum(amount_minor)::bigint AS minor
    FROM adjustments WHERE kind = 'recovery' AND customer_id = ANY(CAST(:customers AS uuid[])) GROUP BY 1, 2
) r USING (customer_id, month)
WHERE b.minor <> coalesce(r.minor, 0)
"""


def issue(session: Session, facts: dict[str, object]) -> int:
    """Issue the documents of the temporary table `made_document`, numbered and booked; return how many."""
    if not run(session, SERIES, facts):
        return 0
    run(session, ADJUSTMENTS, facts)
    run(session, JOURNALS, facts)
    run(session, POSTINGS, facts)
    made = run(session, INVOICES, facts)
    run(session, DIFFERENCE_LINES, facts)
    return made


def _facts(ctx: Ctx, home: Home, **more: object) -> dict[str, object]:
    return {
        "source": SOURCE,
        "now": ctx.now,
        "business_id": home.business_id,
        "currency": home.currency,
        "first_on": home.first_on,
        "cutover_on": home.cutover_on,
    } | more


def open_balances(session: Session, ctx: Ctx, home: Home) -> int:
    """Issue an opening document for each typed-in previous balance, dated before the earliest fact."""
    lock(session, f"invoice series {home.business_id}")
    facts = _facts(
        ctx, home, series="OPENING", kind="opening_balance", against="opening_equity", reason="Balance carried over"
    )
    run(session, OPENINGS, facts)
    return issue(session, facts)


def settle(session: Session, ctx: Ctx, home: Home, customers: Sequence[UUID]) -> dict[str, int]:
    """Stand these customers' charges before the day of change against legacy documents; propose what was forgotten."""
    lock(session, f"invoice series {home.business_id}")
    facts = _facts(
        ctx,
        home,
        series="LEGACY",
        kind="legacy_difference",
        against="sales",
        reason="Difference to what the old system asked",
        customers=list(customers),
    )
    run(session, MONTHS, facts)
    analyze(session, "new_charge")
    run(session, DOCUMENTS, facts)
    made = {"invoices": issue(session, facts)}
    made["invoice_lines"] = run(session, CHARGE_LINES, facts)
    run(session, DELIVERED, facts)
    made["recoveries"] = run(session, RECOVERIES, facts)
    return made
