"""Every payment has a journal of its amount, reversed once when it is reversed; every journal of a payment has one."""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind, major

CHECK = Check(
    number=11,
    name="payment_lost",
    title="Is each payment in the books, and each booked payment there?",
    severity=Severity.error,
    kind=Kind.live,
    sql=f"""
    WITH booked AS (
        SELECT journal_id, sum(amount_minor) FILTER (WHERE account IN ('receivable', 'customer_advance')) AS credited,
               sum(amount_minor) AS rest
        FROM postings GROUP BY journal_id
    )
    SELECT y.id::text AS subject,
           format('The %s payment of %s, received %s, is booked with %s', y.method,
                  {major("y.amount_minor", "y.currency")}, y.received_on,
                  {major("-coalesce(p.credited, 0)", "y.currency")}) AS title,
           (y.amount_minor + coalesce(p.credited, 0))::bigint AS money_minor, y.currency, y.customer_id,
           jsonb_build_object('payment_id', y.id, 'journal_id', y.journal_id) AS facts
    FROM payments y
    LEFT JOIN booked p ON p.journal_id = y.journal_id
    WHERE coalesce(p.credited, 0) <> -y.amount_minor AND coalesce(p.rest, 0) = 0
    UNION ALL
    SELECT y.id::text,
           format('The payment of %s was reversed, but not in the books', {major("y.amount_minor", "y.currency")}),
           y.amount_minor, y.currency, y.customer_id, jsonb_build_object('payment_id', y.id, 'journal_id', y.journal_id)
    FROM payments y
    JOIN booked p ON p.journal_id = y.journal_id AND p.credited = -y.amount_minor
    WHERE y.state = 'reversed' AND NOT EXISTS (SELECT FROM journals j WHERE j.reverses_id = y.journal_id)
    UNION ALL
    SELECT j.id::text,
           format('A payment of %s was booked on %s, but there is no such payment',
                  {major("-coalesce(sum(p.amount_minor), 0)", "min(p.currency)")}, j.posted_on),
           -coalesce(sum(p.amount_minor), 0)::bigint, min(p.currency), min(p.customer_id::text)::uuid,
           jsonb_build_object('journal_id', j.id)
    FROM journals j
    LEFT JOIN postings p ON p.journal_id = j.id AND p.account IN ('receivable', 'customer_advance')
    WHERE j.kind = 'payment' AND j.reverses_id IS NULL
      AND NOT EXISTS (SELECT FROM payments y WHERE y.journal_id = j.id)
      AND NOT EXISTS (SELECT FROM payments y WHERE y.journal_id IS NULL AND y.business_id = j.business_id
                        AND y.customer_id = p.customer_id AND y.amount_minor = -p.amount_minor)
    GROUP BY j.id, j.posted_on
""",
)
