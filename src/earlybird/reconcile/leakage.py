"""The leakage proof in both directions: what was delivered against what was asked, per customer and month."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.infra.db import rows
from earlybird.kernel.clock import Month
from earlybird.kernel.ctx import Ctx
from earlybird.reconcile.rules import GRACE_SECONDS, ONE_TIME, passed_over, scale


@dataclass(frozen=True, slots=True)
class Line:
    """One customer's month (or a sum of such), in minor units.

    delivered + over = billed + waived + excluded + not_yet_due + lost, always: nothing is unexplained.
    `waived` includes what stands on a voided bill; `excluded` is what the policy or a payment upstream leaves out.
    """

    month: date | None
    currency: str
    customer_id: UUID | None
    delivered_minor: int
    charged_minor: int
    billed_minor: int
    waived_minor: int
    excluded_minor: int
    not_yet_due_minor: int
    lost_minor: int
    over_minor: int


AMOUNTS = tuple(field.name for field in fields(Line) if field.name.endswith("_minor"))

# What counts until the end of a day: facts received, charges made, documents issued and waivers given by then.
BOUNDS = """
bounds AS (
    SELECT c.id AS customer_id, (CAST(:as_of AS date) + 1)::timestamp AT TIME ZONE b.zone AS until
    FROM customers c JOIN businesses b ON b.id = c.business_id
),"""

SOURCES_NOW = """
facts AS NOT MATERIALIZED (SELECT * FROM delivery_event_lines),
charged AS NOT MATERIALIZED (SELECT * FROM charges),
billed AS NOT MATERIALIZED (SELECT charge_id, invoice_id FROM invoice_lines WHERE charge_id IS NOT NULL),
voided AS (SELECT id AS invoice_id FROM invoices WHERE state = 'void'),
forgiven AS NOT MATERIALIZED (SELECT charge_id FROM waivers),
runs AS MATERIALIZED (
    SELECT business_id, period_to, max(issued_at) AS issued_at, max(id::text)::uuid AS last_id
    FROM invoices WHERE state <> 'draft' AND kind IN ('invoice', 'legacy') GROUP BY 1, 2
),
latest AS MATERIALIZED (SELECT id FROM charges ORDER BY id DESC LIMIT 1)"""

SOURCES_AS_OF = """
facts AS NOT MATERIALIZED (
    SELECT e.* FROM delivery_event_lines e JOIN delivery_events v ON v.id = e.event_id
    LEFT JOIN bounds u ON u.customer_id = e.customer_id WHERE v.received_at < u.until
),
charged AS NOT MATERIALIZED (
    SELECT h.* FROM charges h LEFT JOIN bounds u ON u.customer_id = h.customer_id WHERE h.charged_at < u.until
),
billed AS NOT MATERIALIZED (
    SELECT l.charge_id, l.invoice_id FROM invoice_lines l JOIN invoices i ON i.id = l.invoice_id
    JOIN bounds u ON u.customer_id = i.customer_id WHERE i.issued_at < u.until AND l.charge_id IS NOT NULL
),
voided AS (
    SELECT i.id AS invoice_id FROM invoices i JOIN bounds u ON u.customer_id = i.customer_id
    WHERE i.state = 'void' AND i.state_at < u.until
),
forgiven AS NOT MATERIALIZED (
    SELECT w.charge_id FROM waivers w JOIN charges h ON h.id = w.charge_id
    JOIN bounds u ON u.customer_id = h.customer_id WHERE w.made_at < u.until
),
runs AS MATERIALIZED (
    SELECT i.business_id, i.period_to, max(i.issued_at) AS issued_at, max(i.id::text)::uuid AS last_id
    FROM invoices i JOIN bounds u ON u.customer_id = i.customer_id
    WHERE i.state <> 'draft' AND i.kind IN ('invoice', 'legacy') AND i.issued_at < u.until GROUP BY 1, 2
),
latest AS MATERIALIZED (SELECT id FROM charged ORDER BY id DESC LIMIT 1)"""

# A line with one event needs no sum; only the few with corrections are grouped. MATERIALIZED and OFFSET 0 keep the
# planner from asking the same question again for every row and every use.
PROOF = f"""
corrected AS (SELECT DISTINCT delivery_line_id FROM facts WHERE revision > 1),
pairs AS NOT MATERIALIZED (
    SELECT coalesce(e.customer_id, h.customer_id) AS customer_id, coalesce(e.service_on, h.service_on) AS service_on,
           e.id AS event_line_id, e.event_id, e.delivery_line_id, coalesce(e.delta_quantity, 0) AS quantity,
           h.id AS charge_id, h.amount_minor, h.currency, h.charged_at, b.charge_id IS NOT NULL AS is_billed,
           v.invoice_id IS NOT NULL AS is_voided, w.charge_id IS NOT NULL AS is_forgiven
    FROM facts e
    FULL JOIN charged h ON h.event_line_id = e.id
    LEFT JOIN billed b ON b.charge_id = h.id
    LEFT JOIN voided v ON v.invoice_id = b.invoice_id
    LEFT JOIN forgiven w ON w.charge_id = h.id
),
judged AS NOT MATERIALIZED (
    SELECT p.*,
           CASE WHEN p.charge_id IS NULL THEN p.quantity ELSE 0 END AS uncharged,
           CASE WHEN p.is_billed AND NOT p.is_voided THEN p.amount_minor ELSE 0 END AS billed_minor,
           CASE WHEN p.is_voided OR (p.is_forgiven AND NOT p.is_billed) THEN p.amount_minor ELSE 0 END AS waived_minor,
           CASE WHEN p.charge_id IS NULL OR p.is_billed OR p.is_forgiven OR p.event_line_id IS NULL THEN 0
                WHEN EXISTS (SELECT FROM runs r JOIN customers c ON c.business_id = r.business_id
                             WHERE c.id = p.customer_id AND r.period_to >= p.service_on
                               AND r.issued_at >= p.charged_at AND r.last_id > p.charge_id) THEN 0
                ELSE p.amount_minor END AS waiting_minor,
           CASE WHEN p.charge_id IS NOT NULL OR p.quantity = 0 THEN NULL
                WHEN EXISTS (SELECT FROM delivery_lines dl JOIN order_lines ol ON ol.id = dl.order_line_id
                             JOIN orders o ON o.id = ol.order_id
                             WHERE dl.id = p.delivery_line_id
                               AND (o.paid_upstream OR o.source = 'one_time' AND EXISTS (
                                 SELECT FROM policies y WHERE y.name = '{ONE_TIME}' AND y.value = 'false'::jsonb)))
                  THEN 'excluded'
                WHEN {passed_over("p.event_line_id")} THEN NULL
                WHEN EXISTS (SELECT FROM delivery_events x WHERE x.id = p.event_id
                               AND x.received_at > ASKED_AT - make_interval(secs => :grace))
                  THEN 'waiting'
           END AS why
    FROM pairs p
),
single AS NOT MATERIALIZED (
    SELECT j.delivery_line_id, j.customer_id, j.service_on, coalesce(ol.currency, j.currency) AS currency,
           coalesce(round(ol.unit_price * j.quantity * {scale("ol.currency")}), 0) AS delivered_minor,
           coalesce(j.amount_minor, 0) AS charged_minor, j.billed_minor, j.waived_minor, j.waiting_minor,
           CASE j.why WHEN 'excluded' THEN round(ol.unit_price * j.quantity * {scale("ol.currency")}) ELSE 0 END
             AS excluded_minor,
           CASE j.why WHEN 'waiting' THEN round(ol.unit_price * j.quantity * {scale("ol.currency")}) ELSE 0 END
             AS uncharged_minor
    FROM judged j
    LEFT JOIN delivery_lines dl ON dl.id = j.delivery_line_id
    LEFT JOIN order_lines ol ON ol.id = dl.order_line_id
    WHERE NOT EXISTS (SELECT FROM corrected k WHERE k.delivery_line_id = j.delivery_line_id)
),
several AS NOT MATERIALIZED (
    SELECT j.delivery_line_id, j.customer_id, j.service_on, coalesce(ol.currency, min(j.currency)) AS currency,
           coalesce(round(ol.unit_price * sum(j.quantity) * {scale("ol.currency")}), 0) AS delivered_minor,
           coalesce(sum(j.amount_minor), 0) AS charged_minor, sum(j.billed_minor) AS billed_minor,
           sum(j.waived_minor) AS waived_minor, sum(j.waiting_minor) AS waiting_minor,
           round(ol.unit_price * sum(j.quantity) * {scale("ol.currency")})
             - round(ol.unit_price * coalesce(sum(j.quantity) FILTER (WHERE j.why IS DISTINCT FROM 'excluded'), 0)
                     * {scale("ol.currency")}) AS excluded_minor,
           round(ol.unit_price * sum(j.quantity) * {scale("ol.currency")})
             - round(ol.unit_price * coalesce(sum(j.quantity) FILTER (WHERE j.why IS DISTINCT FROM 'waiting'), 0)
                     * {scale("ol.currency")}) AS uncharged_minor
    FROM judged j
    JOIN corrected k ON k.delivery_line_id = j.delivery_line_id
    LEFT JOIN delivery_lines dl ON dl.id = j.delivery_line_id
    LEFT JOIN order_lines ol ON ol.id = dl.order_line_id
    GROUP BY j.delivery_line_id, j.customer_id, j.service_on, ol.id, ol.currency, ol.unit_price
),
lines AS NOT MATERIALIZED (
    SELECT x.*, x.waiting_minor + x.uncharged_minor AS not_yet_due_minor,
           x.delivered_minor - x.billed_minor - x.waived_minor - x.excluded_minor - x.waiting_minor
             - x.uncharged_minor AS rest_minor
    FROM (SELECT * FROM single UNION ALL SELECT * FROM several OFFSET 0) x
)"""

SUMS = """
SELECT date_trunc('month', l.service_on)::date AS month, l.currency, l.customer_id,
       sum(l.delivered_minor)::bigint AS delivered_minor, sum(l.charged_minor)::bigint AS charged_minor,
       sum(l.billed_minor)::bigint AS billed_minor, sum(l.waived_minor)::bigint AS waived_minor,
       sum(l.excluded_minor)::bigint AS excluded_minor, sum(l.not_yet_due_minor)::bigint AS not_yet_due_minor,
       coalesce(sum(l.rest_minor) FILTER (WHERE l.rest_minor > 0), 0)::bigint AS lost_minor,
       -coalesce(sum(l.rest_minor) FILTER (WHERE l.rest_minor < 0), 0)::bigint AS over_minor
FROM lines l
GROUP BY 1, 2, 3
"""


ASKED_NOW = "CAST(:asked_at AS timestamptz)"
ASKED_THEN = f"(SELECT least({ASKED_NOW}, u.until) FROM bounds u WHERE u.customer_id = x.customer_id)"

NOW = f"WITH {SOURCES_NOW},{PROOF}{SUMS}".replace("ASKED_AT", ASKED_NOW)
AS_OF = f"WITH {BOUNDS}{SOURCES_AS_OF},{PROOF}{SUMS}".replace("ASKED_AT", ASKED_THEN)

ONE_MONTH = (
    f"WITH {SOURCES_NOW},{PROOF}".replace("ASKED_AT", ASKED_NOW)
    .replace(
        "FROM delivery_event_lines)",
        "FROM delivery_event_lines WHERE delivery_line_id IN (SELECT dl.id FROM deliveries d "
        "JOIN delivery_lines dl ON dl.delivery_id = d.id WHERE d.customer_id = :customer_id "
        "AND d.planned_on BETWEEN :first AND :last))",
    )
    .replace(
        "FROM charges),", "FROM charges WHERE customer_id = :customer_id AND service_on BETWEEN :first AND :last),"
    )
)
ONE_MONTH_LINES = (
    ONE_MONTH
    + """
SELECT l.*, ol.product_name, ol.unit, ol.source, dl.ordered_quantity, dl.delivered_quantity, ol.unit_price,
       (SELECT i.series || '-' || i.number FROM delivery_event_lines e JOIN charges h ON h.event_line_id = e.id
        JOIN invoice_lines x ON x.charge_id = h.id JOIN invoices i ON i.id = x.invoice_id
        WHERE e.delivery_line_id = l.delivery_line_id LIMIT 1) AS document
FROM lines l
LEFT JOIN delivery_lines dl ON dl.id = l.delivery_line_id
LEFT JOIN order_lines ol ON ol.id = dl.order_line_id
ORDER BY abs(l.rest_minor) DESC, l.service_on, ol.product_name
"""
)


def prove(session: Session, ctx: Ctx, *, as_of: date | None = None) -> list[Line]:
    """Compare what was delivered with what was asked, line by line, summed per customer and month.

    With `as_of` only what was received, charged, issued and waived until the end of that date, in the business's
    zone, counts; the answer for a past date never changes.
    """
    facts: dict[str, Any] = {"grace": GRACE_SECONDS, "asked_at": ctx.now}
    if as_of is None:
        return [Line(**row) for row in rows(session, NOW, facts)]
    return [Line(**row) for row in rows(session, AS_OF, facts | {"as_of": as_of})]


def lines_of(session: Session, ctx: Ctx, customer_id: UUID, month: Month) -> list[dict[str, Any]]:
    """Return each line of a customer's month with its share of the proof, the largest difference first."""
    facts = {"customer_id": customer_id, "first": month.first, "last": month.last}
    return rows(session, ONE_MONTH_LINES, facts | {"grace": GRACE_SECONDS, "asked_at": ctx.now})


def total(lines: Iterable[Line], *, month: date | None = None, customer_id: UUID | None = None) -> list[Line]:
    """Sum lines to one per currency, labelled with what they have in common."""
    sums: dict[str, list[int]] = {}
    for line in lines:
        kept = sums.setdefault(line.currency, [0] * len(AMOUNTS))
        for place, name in enumerate(AMOUNTS):
            kept[place] += getattr(line, name)
    return [Line(month, currency, customer_id, *amounts) for currency, amounts in sorted(sums.items())]


def by_month(lines: Sequence[Line]) -> list[Line]:
    """Sum lines to one per month and currency, oldest first."""
    months: dict[date, list[Line]] = {}
    for line in lines:
        if line.month is not None:
            months.setdefault(line.month, []).append(line)
    return [summed for month, found in sorted(months.items()) for summed in total(found, month=month)]


def as_facts(lines: Sequence[Line], as_of: date | None) -> dict[str, Any]:
    """Return the proof as plain values: totals per currency, months, customers' months."""
    return {
        "as_of": as_of,
        "totals": [_plain(line, {"month", "customer_id"}) for line in total(lines)],
        "months": [_plain(line, {"customer_id"}) for line in by_month(lines)],
        "customers": [_plain(line) for line in lines],
    }


def _plain(line: Line, without: Iterable[str] = ()) -> dict[str, Any]:
    facts = {field.name: getattr(line, field.name) for field in fields(line) if field.name not in set(without)}
    if facts.get("month"):
        facts["month"] = f"{line.month:%Y-%m}"
    return facts
