"""The old system told deliveries in two places. On some days one says delivered and the other does not."""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind

CHECK = Check(
    number=62,
    name="legacy_deliveries_conflict",
    title="Where do the two delivery lists of the old system disagree?",
    severity=Severity.info,
    kind=Kind.takeover,
    sql="""
    WITH told AS (
        SELECT l.customer_id, l.service_on, l.collection,
               bool_or(l.status IN ('delivered', 'partially_delivered')) AS is_done
        FROM legacy_deliveries l
        WHERE l.customer_id IS NOT NULL AND l.service_on IS NOT NULL AND NOT l.is_early
          AND l.status IN ('delivered', 'partially_delivered', 'not_delivered', 'cancelled')
        GROUP BY 1, 2, 3
    ), days AS (
        SELECT customer_id, service_on FROM told GROUP BY 1, 2
        HAVING count(*) > 1 AND bool_or(is_done) AND NOT bool_and(is_done)
    )
    SELECT x.customer_id::text AS subject,
           format('On %s days the two old lists disagree on whether %s was served', count(*), min(c.name)) AS title,
           NULL::bigint AS money_minor, NULL::text AS currency, x.customer_id,
           jsonb_build_object('count', count(*), 'days', (array_agg(x.service_on ORDER BY x.service_on))[1:31])
             AS facts
    FROM days x JOIN customers c ON c.id = x.customer_id
    GROUP BY x.customer_id
""",
)
