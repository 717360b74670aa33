"""A charge on no document waits for one: it is on the list that the next bill run reads.

A waived charge waits for nothing.
"""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind

CHECK = Check(
    number=30,
    name="charge_forgotten",
    title="Will every unbilled charge be billed?",
    severity=Severity.error,
    kind=Kind.live,
    sql="""
    SELECT h.id::text AS subject,
           format('The charge for %s is on no bill, and no bill run will find it', h.service_on) AS title,
           h.amount_minor AS money_minor, h.currency, h.customer_id,
           jsonb_build_object('charge_id', h.id, 'service_on', h.service_on) AS facts
    FROM charges h
    LEFT JOIN invoice_lines l ON l.charge_id = h.id
    LEFT JOIN waivers w ON w.charge_id = h.id
    LEFT JOIN unbilled_charges u ON u.customer_id = h.customer_id AND u.service_on = h.service_on
      AND u.charge_id = h.id
    WHERE l.id IS NULL AND w.id IS NULL AND u.charge_id IS NULL AND h.amount_minor <> 0
      AND EXISTS (SELECT FROM delivery_event_lines e WHERE e.id = h.event_line_id)
      AND NOT EXISTS (SELECT FROM customers c
                      JOIN invoices i ON i.business_id = c.business_id AND i.period_to >= h.service_on
                       AND i.kind IN ('invoice', 'legacy') AND i.state <> 'draft'
                       AND i.issued_at >= h.charged_at AND i.id > h.id
                      WHERE c.id = h.customer_id)
""",
)
