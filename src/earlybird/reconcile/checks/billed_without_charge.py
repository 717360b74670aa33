"""Every line of a document stands on a charge or an approved amount that exists.

A fact of that day that lost its charge is the question `fact_not_charged`, not this one.
"""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind

CHECK = Check(
    number=28,
    name="billed_without_charge",
    title="Is everything billed a charge or an approved amount?",
    severity=Severity.error,
    kind=Kind.live,
    sql="""
    SELECT l.id::text AS subject,
           format('%s of %s is billed on %s %s without a charge behind it', l.description, l.service_on, i.series,
             i.number)
             AS title,
           l.amount_minor AS money_minor, i.currency, i.customer_id,
           jsonb_build_object('invoice_id', i.id, 'charge_id', l.charge_id, 'adjustment_id', l.adjustment_id) AS facts
    FROM invoice_lines l
    JOIN invoices i ON i.id = l.invoice_id
    WHERE l.charge_id IS NOT NULL AND NOT EXISTS (SELECT FROM charges h WHERE h.id = l.charge_id)
          AND NOT EXISTS (SELECT FROM delivery_event_lines e LEFT JOIN charges x ON x.event_line_id = e.id
                          WHERE e.customer_id = i.customer_id AND e.service_on = l.service_on
                            AND e.delta_quantity = l.quantity AND x.id IS NULL)
       OR l.adjustment_id IS NOT NULL
          AND NOT EXISTS (SELECT FROM adjustments a WHERE a.id = l.adjustment_id AND a.state = 'approved')
""",
)
