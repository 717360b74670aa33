"""States of the old system that its own rules do not know."""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind

CHECK = Check(
    number=66,
    name="legacy_status_unknown",
    title="Which states of the old system are unknown?",
    severity=Severity.warning,
    kind=Kind.takeover,
    sql="""
    SELECT concat_ws('/', d.source, d.collection, p.field, p.rule) AS subject,
           format('%s documents of %s: %s says a word nobody knows', count(*), d.collection, p.field) AS title,
           NULL::bigint AS money_minor, NULL::text AS currency, NULL::uuid AS customer_id,
           jsonb_build_object('count', count(*), 'rule', p.rule, 'values', (array_agg(DISTINCT p.value))[1:10],
                              'document_ids', (array_agg(d.id ORDER BY d.id))[1:20]) AS facts
    FROM legacy_documents d
    CROSS JOIN LATERAL jsonb_to_recordset(d.problems) AS p (field text, rule text, value jsonb)
    WHERE d.problems IS NOT NULL AND p.rule IN ('status', 'role', 'shift')
    GROUP BY d.source, d.collection, p.field, p.rule
""",
)
