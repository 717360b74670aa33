"""The cash told at a door is a payment in somebody's bag: booked as the last word says, and held by whoever drives.

A payment that a person took back stays taken back: it was in the books.
"""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind, major

CHECK = Check(
    number=27,
    name="cash_not_posted",
    title="Is the cash taken at doors in the books, and in somebody's bag?",
    severity=Severity.error,
    kind=Kind.live,
    sql=f"""
    WITH told AS (
        SELECT DISTINCT ON (c.delivery_id) c.*, e.received_at
        FROM delivery_cash c JOIN delivery_events e ON e.id = c.event_id ORDER BY c.delivery_id, c.revision DESC
    )
    SELECT c.delivery_id::text AS subject,
           format(CASE WHEN y.id IS NULL OR c.holder_id IS NOT NULL THEN '%s in cash taken on %s is not in the books'
                       ELSE '%s in cash taken on %s is in nobody''s bag' END,
                  {major("c.amount_minor", "c.currency")}, c.taken_on) AS title,
           (c.amount_minor - CASE WHEN c.holder_id IS NULL THEN 0 ELSE coalesce(y.amount_minor, 0) END)::bigint
             AS money_minor, c.currency, c.customer_id,
           jsonb_build_object('delivery_id', c.delivery_id, 'event_id', c.event_id, 'payment_id', y.id,
                              'amount_minor', c.amount_minor) AS facts
    FROM told c LEFT JOIN payments y ON y.delivery_id = c.delivery_id AND y.state = 'recorded'
    WHERE c.received_at <= :now - make_interval(secs => :grace)
      AND (c.amount_minor > 0 AND c.holder_id IS NULL
           OR (coalesce(y.amount_minor, 0) <> c.amount_minor
               OR y.id IS NOT NULL AND y.holder_id IS DISTINCT FROM c.holder_id)
              AND NOT EXISTS (SELECT FROM payments p WHERE p.client_id = 'door:' || c.id))
""",
)
