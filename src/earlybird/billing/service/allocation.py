"""Settle what is open with what was paid: the oldest payment settles the oldest document."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.billing import queries
from earlybird.billing.queries.open import OPEN
from earlybird.infra.db import rows
from earlybird.kernel.ctx import Ctx
from earlybird.ledger import service as ledger

ALLOCATE = f"""
WITH {OPEN}, paying AS (
    SELECT y.id, y.customer_id, y.currency, y.received_on, y.amount_minor - coalesce(a.minor, 0) AS spare
    FROM payments y
    LEFT JOIN LATERAL (SELECT sum(a.amount_minor) AS minor FROM payment_allocations a
                       WHERE a.payment_id = y.id) AS a ON true
    WHERE y.customer_id = ANY(:customers) AND y.state = 'recorded' AND y.journal_id IS NOT NULL
), purse AS (
    SELECT *, sum(spare) OVER (PARTITION BY customer_id, currency ORDER BY received_on, id) AS upto
    FROM paying WHERE spare > 0
), made AS (
    INSERT INTO payment_allocations (payment_id, invoice_id, amount_minor, made_at)
    SELECT p.id, d.id, least(p.upto, d.hi) - greatest(p.upto - p.spare, d.lo), :now
    FROM purse p JOIN open d USING (customer_id, currency)
    WHERE least(p.upto, d.hi) > greatest(p.upto - p.spare, d.lo)
    RETURNING payment_id, amount_minor
)
SELECT y.customer_id, y.business_id, y.currency, sum(m.amount_minor)::bigint AS amount_minor
FROM made m JOIN payments y ON y.id = m.payment_id GROUP BY y.customer_id, y.business_id, y.currency
"""

ADVANCE = """
SELECT s.journal_id, s.business_id, 'allocation' AS kind,
       CAST(CAST(:made_at AS timestamptz) AT TIME ZONE z.zone AS date) AS posted_on,
       CAST(NULL AS text) AS memo, CAST(NULL AS uuid) AS reverses_id, p.account, s.customer_id,
       CAST(NULL AS uuid) AS user_id, p.sign * s.amount_minor AS amount_minor, s.currency
FROM unnest(CAST(:journals AS uuid[]), CAST(:businesses AS uuid[]), CAST(:owners AS uuid[]),
            CAST(:amounts AS bigint[]), CAST(:currencies AS text[]))
     AS s (journal_id, business_id, customer_id, amount_minor, currency)
JOIN businesses z ON z.id = s.business_id
CROSS JOIN (VALUES ('customer_advance', 1), ('receivable', -1)) AS p (account, sign)
"""


def allocate_open(session: Session, ctx: Ctx, customers: Sequence[UUID]) -> int:
    """Settle the open documents of `customers` with their unspent payments; return the sum, in minor units.

    Opening documents first, then legacy ones, then by date and number. What finds no document stays the
    customer's advance (the wallet) and settles the next bill.
    """
    queries.lock_payers(session, customers)
    with_advance = [
        row["customer_id"]
        for row in rows(
            session,
            "SELECT customer_id FROM postings WHERE customer_id = ANY(:customers) AND account = 'customer_advance' "
            "GROUP BY customer_id HAVING sum(amount_minor) < 0",
            {"customers": list(customers)},
        )
    ]
    if not with_advance:
        return 0
    settled = rows(session, ALLOCATE, {"customers": with_advance, "now": ctx.now})
    return move_advance(session, ctx, settled, sign=1)


def take_back(session: Session, ctx: Ctx, *, payments: Sequence[UUID] = (), invoices: Sequence[UUID] = ()) -> int:
    """Undo every allocation of these payments, or to these documents, by negative rows; return the sum."""
    undone = rows(
        session,
        """
        WITH made AS (
            INSERT INTO payment_allocations (payment_id, invoice_id, amount_minor, made_at)
            SELECT payment_id, invoice_id, -sum(amount_minor), CAST(:now AS timestamptz) FROM payment_allocations
            WHERE payment_id = ANY(CAST(:payments AS uuid[])) OR invoice_id = ANY(CAST(:invoices AS uuid[]))
            GROUP BY payment_id, invoice_id HAVING sum(amount_minor) <> 0
            RETURNING payment_id, amount_minor
        )
        SELECT y.customer_id, y.business_id, y.currency, -sum(m.amount_minor)::bigint AS amount_minor
        FROM made m JOIN payments y ON y.id = m.payment_id GROUP BY y.customer_id, y.business_id, y.currency
        """,
        {"now": ctx.now, "payments": list(payments), "invoices": list(invoices)},
    )
    return move_advance(session, ctx, undone, sign=-1)


def move_advance(session: Session, ctx: Ctx, sums: list[dict[str, object]], *, sign: int) -> int:
    """Book the sums per customer from advance to receivable, or with sign -1 back; return their total."""
    if sums:
        journals = rows(session, "SELECT new_id() AS id FROM generate_series(1, :n)", {"n": len(sums)})
        ledger.post_many(
            session,
            ctx,
            ADVANCE,
            {
                "journals": [row["id"] for row in journals],
                "businesses": [row["business_id"] for row in sums],
                "owners": [row["customer_id"] for row in sums],
                "amounts": [sign * int(str(row["amount_minor"])) for row in sums],
                "currencies": [row["currency"] for row in sums],
            },
        )
    return sum(int(str(row["amount_minor"])) for row in sums)
