"""A charge made before the bill run of its month is on a document or waived.

What was charged after the run waits for the next one; of two at the same instant the ids (UUIDv7) tell
which came first.
"""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind

CHECK = Check(
    number=4,
    name="charge_not_billed",
    title="Is every charge whose bill run has been on a document?",
    severity=Severity.error,
    kind=Kind.live,
    sql="""
    WITH runs AS MATERIALIZED (
        SELECT business_id, period_to, max(issued_at) AS issued_at, max(id::text)::uuid AS last_id
        FROM invoices WHERE state <> 'draft' AND kind IN ('invoice', 'legacy')
        GROUP BY business_id, period_to
    ), unbilled AS (
        SELECT h.* FROM charges h
        WHERE h.amount_minor <> 0
          AND NOT EXISTS (SELECT FROM invoice_lines l WHERE l.charge_id = h.id)
          AND NOT EXISTS (SELECT FROM waivers w WHERE w.charge_id = h.id)
    )
    SELECT h.id::text AS subject,
           format('The charge for %s is on no bill, though its bill run has been', h.service_on) AS title,
           h.amount_minor AS money_minor, h.currency, h.customer_id,
           jsonb_build_object('charge_id', h.id, 'event_line_id', h.event_line_id, 'service_on', h.service_on) AS facts
    FROM unbilled h
    JOIN customers c ON c.id = h.customer_id
    WHERE EXISTS (SELECT FROM runs r WHERE r.business_id = c.business_id AND r.period_to >= h.service_on
                    AND r.issued_at >= h.charged_at AND r.last_id > h.id)
      AND EXISTS (SELECT FROM delivery_event_lines e WHERE e.id = h.event_line_id)
""",
)
