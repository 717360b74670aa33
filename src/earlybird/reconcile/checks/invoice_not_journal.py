"""The journal of an issued document holds its total as receivable.

A journal that does not sum to zero is the question `journal_not_zero`; a total that is not its lines', while the
books agree with the lines, is `invoice_not_lines`.
"""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind, major

CHECK = Check(
    number=7,
    name="invoice_not_journal",
    title="Is each document in the books as it was issued?",
    severity=Severity.error,
    kind=Kind.live,
    sql=f"""
    WITH booked AS (
        SELECT journal_id, sum(amount_minor) FILTER (WHERE account = 'receivable') AS receivable,
               sum(amount_minor) AS rest
        FROM postings GROUP BY journal_id
    ), documents AS (
        SELECT journal_id, sum(total_minor) AS total FROM invoices WHERE state <> 'draft' AND journal_id IS NOT NULL
        GROUP BY journal_id
    )
    SELECT i.id::text AS subject,
           format('%s %s %s of %s is booked with %s', i.kind, i.series, i.number,
                  {major("i.total_minor", "i.currency")}, {major("coalesce(p.receivable, 0)", "i.currency")}) AS title,
           (i.total_minor - coalesce(p.receivable, 0))::bigint AS money_minor, i.currency, i.customer_id,
           jsonb_build_object('invoice_id', i.id, 'journal_id', i.journal_id, 'total_minor', i.total_minor,
                              'receivable_minor', coalesce(p.receivable, 0)) AS facts
    FROM invoices i
    LEFT JOIN documents d ON d.journal_id = i.journal_id
    LEFT JOIN booked p ON p.journal_id = i.journal_id
    WHERE i.state <> 'draft'
      AND coalesce(d.total, i.total_minor) <> coalesce(p.receivable, 0)
      AND coalesce(p.rest, 0) = 0
      AND coalesce(p.receivable, 0) <> ALL (
          SELECT unnest(ARRAY[sum(l.amount_minor), sum(l.amount_minor + l.tax_minor)]) + i.rounding_minor
          FROM invoice_lines l WHERE l.invoice_id = i.id HAVING count(*) > 0)
""",
)
