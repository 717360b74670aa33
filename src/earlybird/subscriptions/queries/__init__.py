"""What is due: the quantity rule as one statement over all standing orders; and single orders as people see them."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.infra.db import rows
from earlybird.subscriptions.queries.calendar import calendar
from earlybird.subscriptions.queries.standing import (
    customer_served,
    get_for_update,
    is_sold,
    lives_at,
    page,
    shifts_on,
    show,
    version_on,
    visible,
    was_sold,
)

__all__ = [
    "DUE",
    "calendar",
    "customer_served",
    "due",
    "get_for_update",
    "is_sold",
    "lives_at",
    "page",
    "shifts_on",
    "show",
    "version_on",
    "visible",
    "was_sold",
]

DUE = """
SELECT o.subscription_id, o.customer_id, o.address_id, o.site_id, o.area_id, o.currency, o.customer_driver_id,
       day.service_on, slot.shift,
       coalesce(irr.quantity, ovr.quantity, usual.quantity) AS quantity, usual.quantity AS base_quantity,
       CASE WHEN irr.quantity IS NOT NULL THEN 'irregular' WHEN ovr.quantity IS NOT NULL THEN 'override'
            ELSE o.pattern END AS rule,
       o.version_id, o.product_id, o.agreed_price, o.version_driver_id,
       CASE WHEN irr.quantity IS NULL AND ovr.quantity IS NOT NULL THEN ovr.id
            ELSE coalesce(irr.id, ovr.id) END AS override_id,
       coalesce(irr.driver_id, ovr.driver_id) AS override_driver_id
FROM (
    SELECT s.id AS subscription_id, s.customer_id, s.address_id, s.starts_on, s.stops_on,
           c.site_id, c.area_id, b.currency, c.driver_id AS customer_driver_id,
           least(CASE WHEN c.state IN ('paused', 'stopped') THEN coalesce(c.state_from, '-infinity') END,
                 CAST(c.archived_at AT TIME ZONE t.zone AS date)) AS gone_from,
           v.id AS version_id, v.valid_from, v.product_id, v.quantity, v.pattern, v.weekdays, v.every_n, v.until_on,
           v.agreed_price, v.shift, v.driver_id AS version_driver_id
    FROM subscriptions s
    JOIN customers c ON c.id = s.customer_id
    JOIN sites t ON t.id = c.site_id
    JOIN businesses b ON b.id = c.business_id
    JOIN subscription_versions v ON v.subscription_id = s.id
    WHERE (CAST(:site_id AS uuid) IS NULL OR c.site_id = :site_id)
      AND (s.state = 'active' OR s.state = 'stopped' AND s.stops_on IS NOT NULL)
      AND s.starts_on <= :last AND (s.stops_on IS NULL OR s.stops_on > :first)
) o
JOIN generate_series(0, CAST(:last AS date) - CAST(:first AS date)) AS n ON true
CROSS JOIN LATERAL (SELECT CAST(:first AS date) + n AS service_on) day
LEFT JOIN subscription_overrides irr ON irr.subscription_id = o.subscription_id
      AND irr.service_on = day.service_on AND irr.kind = 'irregular' AND irr.superseded_at IS NULL
LEFT JOIN subscription_overrides ovr ON ovr.subscription_id = o.subscription_id
      AND ovr.service_on = day.service_on AND ovr.kind = 'override' AND ovr.superseded_at IS NULL
CROSS JOIN LATERAL (SELECT CASE WHEN CASE o.pattern
          WHEN 'weekly' THEN extract(isodow FROM day.service_on)::int - 1 = ANY(o.weekdays)
          WHEN 'one_time' THEN day.service_on <= o.until_on
          WHEN 'every_nth' THEN (day.service_on - o.starts_on) % o.every_n = 0
          WHEN 'daily' THEN true
      END THEN o.quantity ELSE 0 END AS quantity) usual
JOIN (VALUES ('morning'), ('evening')) AS slot(shift)
      ON coalesce(irr.shift, ovr.shift, o.shift) IN (slot.shift, 'both')
WHERE day.service_on >= o.valid_from AND NOT EXISTS (
      SELECT FROM subscription_versions later WHERE later.subscription_id = o.subscription_id
        AND later.valid_from > o.valid_from AND later.valid_from <= day.service_on)
  AND day.service_on >= o.starts_on AND (o.stops_on IS NULL OR day.service_on < o.stops_on)
  AND (o.gone_from IS NULL OR day.service_on < o.gone_from)
  AND coalesce(irr.quantity, ovr.quantity, usual.quantity) > 0
  AND NOT EXISTS (
      SELECT FROM subscription_pauses p WHERE p.subscription_id = o.subscription_id AND p.cancelled_at IS NULL
        AND p.starts_on <= day.service_on AND (p.ends_on IS NULL OR p.ends_on >= day.service_on))"""
"""What is due from :first to :last, both included, at :site_id (null: at every site).

One row per standing order, service date and shift with a quantity above zero; the twin of
`rules.quantity`. Closures of a site are not its business.
"""


def due(session: Session, first: date, last: date, *, site_id: UUID | None = None) -> list[dict[str, Any]]:
    """List what is due between two dates; see `DUE`."""
    return rows(session, DUE, {"first": first, "last": last, "site_id": site_id})
