"""A customer's balance is documents less payments.

Journals of a document or payment are held to them by `invoice_not_journal` and `payment_lost`; this question
is about every other journal that moves what a customer owes.
"""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind, major

CHECK = Check(
    number=10,
    name="receivable_unexplained",
    title="Is what customers owe their documents less their payments?",
    severity=Severity.error,
    kind=Kind.live,
    sql=f"""
    SELECT p.customer_id::text || ':' || p.currency AS subject,
           format('%s of what the customer owes comes from no document and no payment',
                  {major("sum(p.amount_minor)", "p.currency")}) AS title,
           sum(p.amount_minor)::bigint AS money_minor, p.currency, p.customer_id,
           jsonb_build_object('customer_id', p.customer_id, 'journal_ids', (array_agg(DISTINCT p.journal_id))[1:100])
             AS facts
    FROM postings p
    JOIN journals j ON j.id = p.journal_id
    WHERE p.account IN ('receivable', 'customer_advance') AND p.customer_id IS NOT NULL
      AND j.kind NOT LIKE 'payment%'
      AND NOT EXISTS (SELECT FROM invoices i WHERE i.journal_id = j.id)
      AND NOT EXISTS (SELECT FROM payments y WHERE y.journal_id IN (j.id, j.reverses_id))
    GROUP BY p.customer_id, p.currency
    HAVING sum(p.amount_minor) <> 0
""",
)
