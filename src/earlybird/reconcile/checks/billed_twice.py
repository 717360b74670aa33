"""A charge, or an amount, stands on one document only."""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind

CHECK = Check(
    number=29,
    name="billed_twice",
    title="Is nothing billed twice?",
    severity=Severity.error,
    kind=Kind.live,
    sql="""
    SELECT coalesce(x.charge_id, x.adjustment_id)::text AS subject,
           format('A charge of %s stands on %s lines of documents', x.service_on, x.times) AS title,
           x.excess AS money_minor, i.currency, i.customer_id,
           jsonb_build_object('charge_id', x.charge_id, 'adjustment_id', x.adjustment_id, 'invoice_ids',
             x.invoice_ids)
             AS facts
    FROM (SELECT l.charge_id, l.adjustment_id, count(*) AS times, min(l.service_on) AS service_on,
                 (sum(l.amount_minor) - max(l.amount_minor))::bigint AS excess, array_agg(l.invoice_id) AS invoice_ids
          FROM invoice_lines l GROUP BY l.charge_id, l.adjustment_id HAVING count(*) > 1) x
    JOIN invoices i ON i.id = x.invoice_ids[1]
""",
)
