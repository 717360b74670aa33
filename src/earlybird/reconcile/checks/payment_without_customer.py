"""A payment is somebody's."""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind, major

CHECK = Check(
    number=33,
    name="payment_without_customer",
    title="Does every payment name a customer who exists?",
    severity=Severity.warning,
    kind=Kind.live,
    sql=f"""
    SELECT y.id::text AS subject,
           format('The %s payment of %s, received %s, is nobody''s', y.method, {major("y.amount_minor", "y.currency")},
                  y.received_on) AS title,
           y.amount_minor AS money_minor, y.currency, y.customer_id,
           jsonb_build_object('payment_id', y.id, 'reference', y.reference) AS facts
    FROM payments y
    WHERE y.state = 'recorded'
      AND (y.customer_id IS NULL OR NOT EXISTS (SELECT FROM customers c WHERE c.id = y.customer_id))
""",
)
