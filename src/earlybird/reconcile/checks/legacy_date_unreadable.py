"""Dates and months of the old system that no reading makes sense of."""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind

CHECK = Check(
    number=65,
    name="legacy_date_unreadable",
    title="Which dates of the old system cannot be read?",
    severity=Severity.warning,
    kind=Kind.takeover,
    sql="""
    SELECT concat_ws('/', d.source, d.collection, p.field, p.rule) AS subject,
           format('%s documents of %s: %s is no date', count(*), d.collection, p.field) AS title,
           NULL::bigint AS money_minor, NULL::text AS currency, NULL::uuid AS customer_id,
           jsonb_build_object('count', count(*), 'rule', p.rule, 'values', (array_agg(DISTINCT p.value))[1:10],
                              'document_ids', (array_agg(d.id ORDER BY d.id))[1:20]) AS facts
    FROM legacy_documents d
    CROSS JOIN LATERAL jsonb_to_recordset(d.problems) AS p (field text, rule text, value jsonb)
    WHERE d.problems IS NOT NULL AND p.rule IN ('date', 'month')
    GROUP BY d.source, d.collection, p.field, p.rule
""",
)
