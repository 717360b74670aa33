"""Whoever is to drive a stop exists, and has not left."""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind

CHECK = Check(
    number=40,
    name="driver_missing",
    title="Is every driver that is named there?",
    severity=Severity.error,
    kind=Kind.live,
    sql="""
    SELECT 'stops:' || d.driver_id AS subject,
           format(CASE WHEN u.id IS NULL THEN '%s stops from %s on are given to somebody who is not there'
                       ELSE '%s stops from %s on are given to somebody who has left' END, count(*),
                         min(d.planned_on)) AS title,
           NULL::bigint AS money_minor, NULL::text AS currency, NULL::uuid AS customer_id,
           jsonb_build_object('driver_id', d.driver_id, 'count', count(*), 'delivery_ids', (array_agg(d.id))[1:20])
             AS facts
    FROM deliveries d LEFT JOIN users u ON u.id = d.driver_id
    WHERE d.driver_id IS NOT NULL AND d.state IN ('planned', 'out') AND (u.id IS NULL OR u.archived_at IS NOT NULL)
    GROUP BY d.driver_id, u.id
    UNION ALL
    SELECT 'customers:' || c.driver_id, format('%s customers are given to somebody who is not there', count(*)),
      NULL, NULL,
           NULL, jsonb_build_object('driver_id', c.driver_id, 'count', count(*), 'customer_ids',
             (array_agg(c.id))[1:20])
    FROM customers c
    WHERE c.driver_id IS NOT NULL AND c.archived_at IS NULL AND NOT EXISTS (SELECT FROM users u
      WHERE u.id = c.driver_id)
    GROUP BY c.driver_id
""",
)
