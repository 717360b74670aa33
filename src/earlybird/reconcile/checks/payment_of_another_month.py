"""A payment that names a month settles that month's document before any later one.

An older document may well come first: the oldest debt is settled first.
"""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind, major

CHECK = Check(
    number=34,
    name="payment_of_another_month",
    title="Does every payment for a month settle that month?",
    severity=Severity.warning,
    kind=Kind.live,
    sql=f"""
    SELECT y.id::text AS subject,
           format('The payment of %s for %s settles a later month instead', {major("y.amount_minor", "y.currency")},
                  y.for_month) AS title,
           y.amount_minor AS money_minor, y.currency, y.customer_id,
           jsonb_build_object('payment_id', y.id, 'for_month', y.for_month, 'settles_from', a.first_from) AS facts
    FROM payments y
    JOIN (SELECT a.payment_id, min(i.period_from) AS first_from
          FROM payment_allocations a JOIN invoices i ON i.id = a.invoice_id
          GROUP BY 1 HAVING sum(a.amount_minor) > 0) a ON a.payment_id = y.id
    WHERE y.state = 'recorded' AND y.for_month ~ '^[0-9]{{4}}-[0-9]{{2}}$' AND to_char(a.first_from,
      'YYYY-MM') > y.for_month
      AND EXISTS (SELECT FROM invoices i
                  LEFT JOIN (SELECT invoice_id, sum(amount_minor) AS paid FROM payment_allocations GROUP BY 1) p
                    ON p.invoice_id = i.id
                  WHERE i.customer_id = y.customer_id AND i.state = 'issued' AND i.kind <> 'credit_note'
                    AND to_char(i.period_from, 'YYYY-MM') = y.for_month AND i.total_minor > coalesce(p.paid, 0))
""",
)
