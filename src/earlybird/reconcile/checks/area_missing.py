"""The area that a customer or a driver stands in exists, at the customer's own site."""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind

CHECK = Check(
    number=39,
    name="area_missing",
    title="Does every area that is named exist?",
    severity=Severity.error,
    kind=Kind.live,
    sql="""
    SELECT 'customer:' || c.id AS subject,
           format(CASE WHEN a.id IS NULL THEN '%s (%s) stands in an area that is not there'
                       ELSE '%s (%s) stands in an area of another site' END, c.name, c.code) AS title,
           NULL::bigint AS money_minor, NULL::text AS currency, c.id AS customer_id,
             jsonb_build_object('customer_id', c.id, 'area_id', c.area_id) AS facts
    FROM customers c LEFT JOIN areas a ON a.id = c.area_id
    WHERE c.area_id IS NOT NULL AND c.archived_at IS NULL AND (a.id IS NULL OR a.site_id <> c.site_id)
    UNION ALL
    SELECT 'driver:' || d.id, 'A driver stands in an area that is not there', NULL, NULL, NULL,
           jsonb_build_object('driver_id', d.driver_id, 'area_id', d.area_id)
    FROM area_drivers d WHERE NOT EXISTS (SELECT FROM areas a WHERE a.id = d.area_id)
""",
)
