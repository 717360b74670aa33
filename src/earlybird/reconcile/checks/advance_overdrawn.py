"""What a customer paid ahead is never less than nothing."""

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
           format('The advance of a customer is overdrawn by %s', {major("sum(p.amount_minor)", "p.currency")})
             AS title,
           sum(p.amount_minor)::bigint AS money_minor, p.currency, p.customer_id,
           jsonb_build_object('customer_id', p.customer_id) AS facts
    FROM postings p
    WHERE p.account = 'customer_advance' AND p.customer_id IS NOT NULL
    GROUP BY p.customer_id, p.currency
    HAVING sum(p.amount_minor) > 0
""",
)
