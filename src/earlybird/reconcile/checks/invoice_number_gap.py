"""The documents of a series carry 1, 2, 3 … up to the last number given, as tax law asks of a series."""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind

CHECK = Check(
    number=20,
    name="invoice_number_gap",
    title="Are the numbers of each series without a gap?",
    severity=Severity.error,
    kind=Kind.live,
    sql="""
    SELECT s.business_id || ':' || s.series AS subject,
           format('Series %s has given %s numbers, %s documents carry one', s.series, s.next_number - 1, x.count)
             AS title,
           NULL::bigint AS money_minor, NULL::text AS currency, NULL::uuid AS customer_id,
           jsonb_build_object('series', s.series, 'missing',
             (SELECT (array_agg(n ORDER BY n))[1:100] FROM generate_series(1, greatest(s.next_number - 1, x.last)) n
              WHERE NOT EXISTS (SELECT FROM invoices i WHERE i.business_id = s.business_id AND i.series = s.series
                                  AND i.number = n))) AS facts
    FROM (SELECT business_id, series, next_number FROM invoice_series
          UNION ALL
          SELECT DISTINCT business_id, series, 0 FROM invoices i WHERE number IS NOT NULL
            AND NOT EXISTS (SELECT FROM invoice_series s WHERE s.business_id = i.business_id AND s.series = i.series)) s
    CROSS JOIN LATERAL (SELECT count(*) AS count, coalesce(max(i.number), 0) AS last FROM invoices i
                        WHERE i.business_id = s.business_id AND i.series = s.series AND i.number IS NOT NULL) x
    WHERE x.count <> x.last OR (s.next_number > 0 AND s.next_number <> x.last + 1)
""",
)
