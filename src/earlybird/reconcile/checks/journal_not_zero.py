"""The postings of a journal sum to zero in each currency."""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind, major

CHECK = Check(
    number=8,
    name="journal_not_zero",
    title="Does each journal sum to zero?",
    severity=Severity.error,
    kind=Kind.live,
    sql=f"""
    SELECT j.id::text AS subject,
           format('The %s journal of %s is off by %s', j.kind, j.posted_on, {major("p.off", "p.currency")}) AS title,
           p.off::bigint AS money_minor, p.currency, p.customer_id,
           jsonb_build_object('journal_id', j.id, 'posting_ids', p.posting_ids) AS facts
    FROM (SELECT journal_id, currency, sum(amount_minor) AS off, array_agg(id) AS posting_ids,
                 min(customer_id::text)::uuid AS customer_id
          FROM postings GROUP BY journal_id, currency HAVING sum(amount_minor) <> 0) p
    JOIN journals j ON j.id = p.journal_id
""",
)
