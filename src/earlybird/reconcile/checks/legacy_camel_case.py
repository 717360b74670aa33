"""Documents of the old system with fields spelled as its newer half does, which its older half never reads."""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind

CHECK = Check(
    number=67,
    name="legacy_camel_case",
    title="Which documents of the old system are spelled in two ways?",
    severity=Severity.info,
    kind=Kind.takeover,
    sql="""
    SELECT d.source || '/' || d.collection AS subject,
           format('%s documents of %s have fields spelled likeThis', count(*), d.collection) AS title,
           NULL::bigint AS money_minor, NULL::text AS currency, NULL::uuid AS customer_id,
           jsonb_build_object('count', count(*), 'document_ids', (array_agg(d.id ORDER BY d.id))[1:20]) AS facts
    FROM legacy_documents d
    WHERE d.body ~ '"[a-z]+[A-Z][A-Za-z]*" *:' AND d.verdict <> 'duplicate'
    GROUP BY d.source, d.collection
""",
)
