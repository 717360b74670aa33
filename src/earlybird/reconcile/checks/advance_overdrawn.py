"""What a customer paid ahead is never less than nothing.

A payment of less than nothing, as some come from an old system, takes from it and is no mistake of the books.
"""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind, major

CHECK = Check(
    number=32,
    name="advance_overdrawn",
    title="Is no customer's advance below zero?",
    severity=Severity.error,
    kind=Kind.live,
    sql=f"""
    SELECT p.customer_id::text || ':' || p.currency AS subject,
           format('The advance of a customer is overdrawn by %s', {major("p.ahead", "p.currency")}) AS title,
           p.ahead AS money_minor, p.currency, p.customer_id, jsonb_build_object('customer_id', p.customer_id)
             AS facts
    FROM (SELECT x.customer_id, x.currency, sum(x.amount_minor)::bigint AS ahead FROM postings x
          WHERE x.account = 'customer_advance' AND x.customer_id IS NOT NULL GROUP BY 1, 2) p
    LEFT JOIN (SELECT y.customer_id, y.currency, -sum(y.amount_minor) AS taken FROM payments y
               WHERE y.amount_minor < 0 AND y.state = 'recorded' GROUP BY 1, 2) t
      ON t.customer_id = p.customer_id AND t.currency = p.currency
    WHERE p.ahead > coalesce(t.taken, 0)
""",
)
