"""An old order names a customer. Some name the login of one, or nobody that the dump knows."""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind

CHECK = Check(
    number=61,
    name="legacy_order_namespace",
    title="Which old orders name a login, or nobody, instead of a customer?",
    severity=Severity.info,
    kind=Kind.takeover,
    sql="""
    SELECT d.source || ':' || x.what AS subject,
           format(CASE x.what WHEN 'login' THEN '%s old orders name a login where a customer belongs'
                              ELSE '%s old orders name nobody the old system knows' END, count(*)) AS title,
           NULL::bigint AS money_minor, NULL::text AS currency, NULL::uuid AS customer_id,
           jsonb_build_object('count', count(*), 'document_ids', (array_agg(d.id ORDER BY d.id))[1:20]) AS facts
    FROM legacy_documents d
    LEFT JOIN legacy_documents c ON c.source = d.source AND c.collection = 'customers_v2' AND c.verdict = 'imported'
     AND c.key = d.facts->>'customer'
    LEFT JOIN legacy_documents u ON u.source = d.source AND u.collection = 'users' AND u.verdict = 'imported'
     AND u.key = d.facts->>'customer'
    CROSS JOIN LATERAL (SELECT CASE WHEN u.id IS NOT NULL THEN 'login' ELSE 'nobody' END AS what) x
    WHERE d.collection = 'orders' AND d.verdict = 'imported' AND c.id IS NULL
    GROUP BY d.source, x.what
""",
)
