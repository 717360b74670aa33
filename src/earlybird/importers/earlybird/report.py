"""The report of a take-over: every document accounted for, every link asserted, money per customer and month."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from earlybird.importers.earlybird.evidence import SOURCE
from earlybird.infra.db import rows, value

DELIVERED = """
SELECT l.party, to_char(c.service_on, 'YYYY-MM') AS month, sum(c.amount_minor)::bigint AS minor,
       coalesce(sum(c.amount_minor) FILTER (WHERE ol.source = 'one_time'), 0)::bigint AS one_time_minor
FROM charges c
JOIN delivery_event_lines el ON el.id = c.event_line_id
JOIN delivery_lines dl ON dl.id = el.delivery_line_id
JOIN order_lines ol ON ol.id = dl.order_line_id
JOIN delivery_events e ON e.id = el.event_id AND e.via = 'import'
JOIN legacy_parties l ON l.customer_id = c.customer_id AND l.source = :source
GROUP BY l.party, to_char(c.service_on, 'YYYY-MM')
"""

MONTHS = """
SELECT party AS customer_legacy_id, month, delivered_minor, first_view_minor AS legacy_billed_minor
FROM legacy_bills WHERE source = :source AND (delivered_minor <> 0 OR first_view_minor <> 0) ORDER BY party, month
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
JOIN legacy_parties p ON p.source = d.source AND p.customer_id = o.customer_id
"""

ATTACHED = """
SELECT l.collection || ':' || l.key AS row, d.key FROM legacy_deliveries l
JOIN legacy_documents d ON d.id = l.order_id WHERE l.source = :source
"""


def report(session: Session, intake: dict[str, dict[str, int]]) -> dict[str, Any]:
    """Return the report of one dump; `intake` holds what was read and duplicate per collection.

    Money in whole paise. Links are only those the steps have made; format: docs/contract.md.
    """
    facts = {"source": SOURCE}
    aside = {
        row["collection"]: row["n"]
        for row in rows(
            session,
            "SELECT collection, count(*) AS n FROM legacy_documents WHERE source = :source "
            "AND verdict = 'quarantined' GROUP BY collection",
            facts,
        )
    }
    collections = {}
    for name, told in sorted(intake.items()):
        quarantined = aside.get(name, 0)
        collections[name] = {
            "in": told["in"],
            "imported": told["in"] - told["duplicates"] - quarantined,
            "quarantined": quarantined,
            "duplicates": told["duplicates"],
        }
    return {
        "collections": collections,
        "links": {
            "users_to_customers": {r["account"]: r["party"] for r in rows(session, LOGINS, facts)},
            "orders_to_customers": {r["key"]: r["party"] for r in rows(session, OWNERS, facts)},
            "deliveries_to_orders": {r["row"]: r["key"] for r in rows(session, ATTACHED.replace(":'", "\\:'"), facts)},
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
