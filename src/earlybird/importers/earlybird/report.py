"""The report of a take-over: every document accounted for, every link asserted, money per customer and month."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from earlybird.importers.earlybird.evidence import SOURCE
from earlybird.infra.db import rows, value

# What the documents prove, also of days after the day of change, which the old bill no longer faces;
# but for orders of deleted accounts, which nobody can be held to.
MONTHS = """
WITH delivered AS (
    SELECT p.party, to_char(c.service_on, 'YYYY-MM') AS month, sum(c.amount_minor)::bigint AS minor
    FROM charges c
    JOIN delivery_event_lines l ON l.id = c.event_line_id
    JOIN delivery_events e ON e.id = l.event_id AND e.actor_kind = 'legacy'
    JOIN legacy_parties p ON p.customer_id = c.customer_id AND p.source = :source
    WHERE NOT (p.kind = 'deleted' AND p.party ~ '^(user|order):')
    GROUP BY 1, 2
)
SELECT party AS customer_legacy_id, month, coalesce(d.minor, 0) AS delivered_minor,
       coalesce(b.first_view_minor, 0) AS legacy_billed_minor
FROM delivered d FULL JOIN (SELECT * FROM legacy_bills WHERE source = :source) b USING (party, month)
WHERE coalesce(d.minor, 0) <> 0 OR coalesce(b.first_view_minor, 0) <> 0 ORDER BY party, month
"""

LOGINS = """
SELECT a.account, p.party FROM legacy_accounts a
JOIN users u ON u.id = a.user_id
JOIN legacy_parties p ON p.source = a.source AND p.customer_id = a.customer_id
WHERE a.source = :source
  AND (u.customer_id = a.customer_id OR EXISTS (SELECT FROM memberships m WHERE m.user_id = a.user_id
       AND m.customer_id = a.customer_id AND m.ended_at IS NULL))
"""

OWNERS = """
SELECT d.key, p.party FROM orders o
JOIN legacy_documents d ON d.id = o.id AND d.source = :source AND d.collection = 'orders'
JOIN legacy_parties p ON p.source = d.source AND p.customer_id = o.customer_id AND p.kind <> 'deleted'
"""

ATTACHED = """
SELECT concat(l.collection, chr(58), l.key) AS row, d.key FROM legacy_deliveries l
JOIN legacy_documents d ON d.id = l.order_id WHERE l.source = :source
"""


def report(session: Session, intake: dict[str, dict[str, int]]) -> dict[str, Any]:
    """Return the report of one dump; `intake` holds what was read and duplicate per collection.

    Money in whole paise. Links are only those the steps have made; format: docs/contract.md.
    """
    facts = {"source": SOURCE}
    return {
        "collections": dict(sorted(intake.items())),
        "links": {
            "users_to_customers": {r["account"]: r["party"] for r in rows(session, LOGINS, facts)},
            "orders_to_customers": {r["key"]: r["party"] for r in rows(session, OWNERS, facts)},
            "deliveries_to_orders": {r["row"]: r["key"] for r in rows(session, ATTACHED, facts)},
        },
        "money": {
            "payments_minor": int(
                value(session, "SELECT coalesce(sum(amount_minor), 0) FROM payments WHERE source = :source", facts)
            ),
            "opening_balances_minor": int(
                value(
                    session,
                    "SELECT coalesce(sum((facts->>'balance_minor')::bigint), 0) FROM legacy_documents "
                    "WHERE source = :source AND collection = 'customers_v2' AND verdict <> 'duplicate'",
                    facts,
                )
            ),
            "by_customer_month": rows(session, MONTHS, facts),
        },
    }


BILLS = """
SELECT b.party, b.month, b.customer_id, coalesce(c.name, b.party) AS name, b.delivered_minor, b.one_time_minor,
       b.first_view_minor, b.second_view_minor, b.paid_minor, b.currency, r.minor AS recovery_minor,
       r.state AS recovery_state
FROM legacy_bills b
LEFT JOIN customers c ON c.id = b.customer_id
LEFT JOIN (
    SELECT customer_id, to_char(effective_on, 'YYYY-MM') AS month, sum(amount_minor)::bigint AS minor,
           CASE WHEN bool_or(state = 'proposed') THEN 'proposed' ELSE min(state) END AS state
    FROM adjustments WHERE kind = 'recovery' GROUP BY 1, 2
) r ON r.customer_id = b.customer_id AND r.month = b.month
WHERE b.source = :source AND (CAST(:month AS text) IS NULL OR b.month = :month)
ORDER BY b.delivered_minor - b.first_view_minor DESC, b.party, b.month
"""


def bills(session: Session, month: str | None) -> dict[str, Any]:
    """Return the old bill, first and second view, beside what was delivered, worst loss first; minor units."""
    found = rows(session, BILLS, {"source": SOURCE, "month": month})
    gaps = [row["delivered_minor"] - row["first_view_minor"] for row in found]
    return {
        "rows": found,
        "totals": {
            **{
                name: sum(row[name] for row in found)
                for name in ("delivered_minor", "one_time_minor", "first_view_minor", "second_view_minor")
            },
            "lost_minor": sum(gap for gap in gaps if gap > 0),
            "over_minor": -sum(gap for gap in gaps if gap < 0),
        },
    }
