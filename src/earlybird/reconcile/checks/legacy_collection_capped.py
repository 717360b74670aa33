"""The old system reads no more than a thousand rows of a list: what lay beyond was never seen, or billed."""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind

CHECK = Check(
    number=68,
    name="legacy_collection_capped",
    title="Which lists of the old system were longer than it could read?",
    severity=Severity.info,
    kind=Kind.takeover,
    sql="""
    SELECT d.source || '/' || d.collection AS subject,
           format('%s has %s documents; the old system read 1,000 of them', d.collection, count(*)) AS title,
           NULL::bigint AS money_minor, NULL::text AS currency, NULL::uuid AS customer_id,
             jsonb_build_object('collection', d.collection, 'count', count(*)) AS facts
    FROM legacy_documents d
    WHERE d.verdict <> 'duplicate'
    GROUP BY d.source, d.collection HAVING count(*) > 1000
""",
)
