"""Allocations stay within the payment they share out and the document they settle."""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind, major

CHECK = Check(
    number=12,
    name="allocation_too_much",
    title="Is no payment and no document settled beyond its amount?",
    severity=Severity.error,
    kind=Kind.live,
    sql=f"""
    SELECT y.id::text AS subject,
           format('%s of a payment of %s are allocated', {major("a.allocated", "y.currency")},
             {major("y.amount_minor", "y.currency")}) AS title,
           (a.allocated - CASE y.state WHEN 'reversed' THEN 0 ELSE y.amount_minor END)::bigint AS money_minor,
           y.currency, y.customer_id, jsonb_build_object('payment_id', y.id, 'allocated_minor', a.allocated) AS facts
    FROM payments y
    JOIN (SELECT payment_id, sum(amount_minor) AS allocated
      FROM payment_allocations GROUP BY 1) a ON a.payment_id = y.id
    WHERE a.allocated > CASE y.state WHEN 'reversed' THEN 0 ELSE y.amount_minor END OR a.allocated < 0
    UNION ALL
    SELECT i.id::text, format('%s are allocated to %s %s %s of %s', a.allocated, i.kind, i.series,
      i.number,
                              i.total_minor),
           (a.allocated - i.total_minor)::bigint, i.currency, i.customer_id,
           jsonb_build_object('invoice_id', i.id, 'allocated_minor', a.allocated)
    FROM invoices i
    JOIN (SELECT a.invoice_id, sum(a.amount_minor) AS allocated, sum(y.amount_minor - s.allocated) AS spare
          FROM payment_allocations a
          JOIN payments y ON y.id = a.payment_id
          JOIN (SELECT payment_id, sum(amount_minor) AS allocated FROM payment_allocations GROUP BY 1) s
            ON s.payment_id = y.id
          GROUP BY 1) a ON a.invoice_id = i.id
    WHERE a.allocated > greatest(i.total_minor, 0) AND a.spare >= 0
""",
)
