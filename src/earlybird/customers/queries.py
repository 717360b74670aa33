"""Customers as everybody may see them, their doors, who looks like whom, and what they refer to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.customers.errors import AreaUnknown, DriverUnknown, MarketerUnknown, PayerUnknown, SiteUnknown
from earlybird.infra.db import rows

DEPOTS = """
SELECT s.id, s.business_id, b.country, s.kind FROM sites s JOIN businesses b ON b.id = s.business_id
WHERE s.archived_at IS NULL ORDER BY s.id
"""


def depots(session: Session) -> dict[UUID | None, dict[str, Any]]:
    """Return the sites in use (id, business_id, country, kind) by id; the only depot, where it is one, under None."""
    found = rows(session, DEPOTS)
    by_id: dict[UUID | None, dict[str, Any]] = {row["id"]: row for row in found}
    only = [row for row in found if row["kind"] == "depot"]
    return by_id | ({None: only[0]} if len(only) == 1 else {})


def depot_of(known: dict[UUID | None, dict[str, Any]], site_id: UUID | None) -> dict[str, Any]:
    """Return the depot of that id, the only one where none is named."""
    if site_id not in known:
        raise SiteUnknown(field="site_id")
    return known[site_id]


MISFITS = """
SELECT g.place, CASE
    WHEN g.area_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM areas a WHERE a.id = g.area_id AND a.site_id = g.site_id AND a.archived_at IS NULL) THEN 'area_id'
    WHEN g.driver_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM memberships m JOIN users u ON u.id = m.user_id AND u.state <> 'disabled'
        WHERE m.user_id = g.driver_id AND m.role = 'driver' AND m.ended_at IS NULL) THEN 'driver_id'
    WHEN g.marketer_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM memberships m JOIN users u ON u.id = m.user_id AND u.state <> 'disabled'
        WHERE m.user_id = g.marketer_id AND m.role = 'marketing' AND m.ended_at IS NULL) THEN 'marketer_id'
    WHEN g.bill_to_id IS NOT NULL AND (
        g.bill_to_id = g.id OR EXISTS (SELECT FROM customers o WHERE o.bill_to_id = g.id) OR NOT EXISTS (
            SELECT FROM customers c WHERE c.id = g.bill_to_id AND c.business_id = g.business_id
              AND c.bill_to_id IS NULL AND c.archived_at IS NULL)) THEN 'bill_to_id'
    END AS field
FROM unnest(CAST(:id AS uuid[]), CAST(:business_id AS uuid[]), CAST(:site_id AS uuid[]), CAST(:area_id AS uuid[]),
            CAST(:driver_id AS uuid[]), CAST(:marketer_id AS uuid[]), CAST(:bill_to_id AS uuid[]))
     WITH ORDINALITY AS g (id, business_id, site_id, area_id, driver_id, marketer_id, bill_to_id, place)
"""
LINKS = ("area_id", "driver_id", "marketer_id", "bill_to_id")
UNKNOWN = {
    "area_id": AreaUnknown,
    "driver_id": DriverUnknown,
    "marketer_id": MarketerUnknown,
    "bill_to_id": PayerUnknown,
}


def check_links(session: Session, customers: Sequence[dict[str, Any]]) -> None:
    """Refuse the first customer whose area, driver, marketer or payer is none of theirs; `row` says which, from 0."""
    if not any(row[name] for row in customers for name in LINKS):
        return
    columns = ("id", "business_id", "site_id", *LINKS)
    given = {name: [str(row[name]) if row[name] else None for row in customers] for name in columns}
    found = rows(session, f"SELECT * FROM ({MISFITS}) x WHERE field IS NOT NULL ORDER BY place LIMIT 1", given)
    if found:
        raise UNKNOWN[found[0]["field"]](field=found[0]["field"], row=found[0]["place"] - 1)
