"""What the old system would have asked: its own algorithm, with its defects, on the documents as they stand.

Customers called active or trial; their standing orders with snake_case ids, status exactly active and a
product that exists; every day of the whole month × the engine's quantity × (custom price, else
default_price, else nothing). The first view adds one-time orders exactly DELIVERED, confirmed and not
marked billed whose customer_id is the customer's; every later view has lost them.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy.orm import Session

from earlybird.importers.earlybird.evidence import SOURCE
from earlybird.infra.db import driver, rows, run
from earlybird.kernel.clock import Month
from earlybird.kernel.money import half_up

MONTHS = """
SELECT (min(told_at) AT TIME ZONE 'Asia/Kolkata')::date AS first_on,
       (max(told_at) AT TIME ZONE 'Asia/Kolkata')::date AS last_on
FROM legacy_deliveries WHERE source = :source
"""

STANDING = """
SELECT c.key AS party, d.facts->'legacy' AS plan,
       coalesce(c.facts->'legacy_prices'->>(d.facts->'legacy'->>'product'), p.facts->>'legacy_price', '0') AS price
FROM legacy_documents d
JOIN legacy_documents c ON c.source = d.source AND c.collection = 'customers_v2' AND c.verdict = 'imported'
     AND c.key = d.facts->'legacy'->>'customer' AND c.facts->>'billable' = 'true'
JOIN legacy_documents p ON p.source = d.source AND p.collection = 'products' AND p.verdict = 'imported'
     AND p.key = d.facts->'legacy'->>'product'
WHERE d.source = %s AND d.collection = 'subscriptions_v2' AND d.verdict = 'imported'
  AND d.facts->'legacy'->>'active' = 'true'
"""

ASKED = """
INSERT INTO legacy_bills (source, party, month, customer_id, delivered_minor, one_time_minor, first_view_minor,
                          second_view_minor, paid_minor, currency)
WITH standing AS (SELECT party, month, sum(minor) AS minor FROM asked GROUP BY party, month),
one_time AS (
    SELECT c.key AS party, to_char((d.facts->>'day')::date, 'YYYY-MM') AS month,
           sum((d.facts->'legacy'->>'value_minor')::bigint) AS minor
    FROM legacy_documents d
    JOIN legacy_documents c ON c.source = d.source AND c.collection = 'customers_v2' AND c.verdict = 'imported'
         AND c.key = d.facts->'legacy'->>'customer' AND c.facts->>'billable' = 'true'
    WHERE d.source = :source AND d.collection = 'orders' AND d.verdict = 'imported'
      AND d.facts->'legacy'->>'counts' = 'true' AND d.facts->>'day' IS NOT NULL
    GROUP BY 1, 2
), paid AS (
    SELECT l.party, coalesce(p.for_month, to_char(p.received_on, 'YYYY-MM')) AS month, sum(p.amount_minor) AS minor
    FROM payments p JOIN legacy_parties l ON l.customer_id = p.customer_id AND l.source = :source
    WHERE p.source = :source GROUP BY 1, 2
)
SELECT :source, party, month, l.customer_id, 0, 0, coalesce(s.minor, 0) + coalesce(o.minor, 0), coalesce(s.minor, 0),
       coalesce(p.minor, 0), :currency
FROM standing s FULL JOIN one_time o USING (party, month) FULL JOIN paid p USING (party, month)
JOIN (SELECT party, customer_id FROM legacy_parties WHERE source = :source) l USING (party)
WHERE coalesce(s.minor, 0) <> 0 OR coalesce(o.minor, 0) <> 0 OR coalesce(p.minor, 0) <> 0
ON CONFLICT (source, party, month) DO UPDATE
SET first_view_minor = excluded.first_view_minor, second_view_minor = excluded.second_view_minor,
    paid_minor = excluded.paid_minor
WHERE (legacy_bills.first_view_minor, legacy_bills.second_view_minor, legacy_bills.paid_minor)
      IS DISTINCT FROM (excluded.first_view_minor, excluded.second_view_minor, excluded.paid_minor)
"""


def _days(text: Mapping[str, str] | None) -> dict[date, Decimal]:
    return {date.fromisoformat(day): Decimal(quantity) for day, quantity in (text or {}).items()}


class Engine:
    """The old quantity engine over one standing order; first hit wins."""

    def __init__(self, plan: Mapping[str, Any]) -> None:
        self.mode = plan.get("mode")
        self.default = Decimal(plan.get("default_qty") or 0)
        self.stop = date.fromisoformat(plan["stop"]) if plan.get("stop") else date.max
        self.pauses = [
            (date.fromisoformat(start) if start else date.min, date.fromisoformat(end) if end else date.max)
            for start, end in plan.get("pauses") or ()
        ]
        self.told = _days(plan.get("overrides")) | _days(plan.get("irregular"))
        self.weekdays = frozenset(plan.get("weekdays") or ())

    def quantity(self, month: Month) -> Decimal:
        """Return the month's quantity: every calendar day, the future included, from the first on."""
        first, total = month.first, Decimal(0)
        count = monthrange(first.year, first.month)[1]
        for n in range(count):
            day = first.replace(day=n + 1)
            if day >= self.stop or any(start <= day <= end for start, end in self.pauses):
                continue
            if day in self.told:
                total += self.told[day]
            elif self.mode == "fixed_daily" or (self.mode == "weekly_pattern" and day.weekday() in self.weekdays):
                total += self.default
        return total


def _asked(session: Session, months: list[Month]) -> Iterator[tuple[str, str, int]]:
    """Yield party, month and paise of each standing order, streaming."""
    with driver(session).cursor(name="legacy_standing") as cursor:
        cursor.execute(STANDING, (SOURCE,))
        for party, plan, price in cursor:
            engine, unit = Engine(plan), Decimal(price) * 100
            for month in months:
                minor = half_up(engine.quantity(month) * unit)
                if minor:
                    yield party, str(month), minor


def recompute(session: Session, currency: str) -> int:
    """Work out the old bill per customer and month, first and second view; return rows new or changed.

    Months reach from the first to the last time a delivery row was written, as the data set's README says.
    """
    bounds = rows(session, MONTHS, {"source": SOURCE})[0]
    months: list[Month] = []
    if bounds["first_on"]:
        month = Month.of(bounds["first_on"])
        while month.first <= bounds["last_on"]:
            months.append(month)
            month = month.next()
    run(session, "CREATE TEMP TABLE asked (party text, month text, minor bigint) ON COMMIT DROP")
    asked = list(_asked(session, months))
    with driver(session).cursor() as cursor, cursor.copy("COPY asked FROM STDIN") as copy:
        for row in asked:
            copy.write_row(row)
    return run(session, ASKED, {"source": SOURCE, "currency": currency})
