"""Bring the cash taken at doors into the books, and into the depot: driver's bag, counted table, what is still owed."""

from __future__ import annotations

from uuid import UUID

import orjson
from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.audit.states import Severity
from earlybird.billing import errors, queries
from earlybird.billing.service import allocation, payments
from earlybird.infra.db import lock, rows, run
from earlybird.kernel import ids
from earlybird.kernel.ctx import Ctx
from earlybird.ledger import queries as ledger_queries
from earlybird.ledger import service as ledger

TAKEN = """
WITH taken AS (
    DELETE FROM unbooked_cash WHERE cash_id IN (
        SELECT cash_id FROM unbooked_cash ORDER BY cash_id LIMIT :limit FOR UPDATE SKIP LOCKED)
    RETURNING cash_id
)
SELECT DISTINCT c.delivery_id, coalesce(u.bill_to_id, u.id) AS payer_id
FROM taken JOIN delivery_cash c ON c.id = taken.cash_id JOIN customers u ON u.id = c.customer_id
"""

CHANGED = """
SELECT c.id AS cash_id, c.delivery_id, c.amount_minor, c.currency, c.holder_id, c.taken_on, o.code AS reference,
       u.business_id, b.zone, coalesce(u.bill_to_id, u.id) AS payer_id, y.id, y.journal_id
FROM unnest(CAST(:deliveries AS uuid[])) AS k(id)
CROSS JOIN LATERAL (SELECT * FROM delivery_cash WHERE delivery_id = k.id ORDER BY revision DESC LIMIT 1) c
JOIN deliveries d ON d.id = c.delivery_id
JOIN orders o ON o.id = d.order_id
JOIN customers u ON u.id = c.customer_id
JOIN businesses b ON b.id = u.business_id
LEFT JOIN payments y ON y.delivery_id = c.delivery_id AND y.state = 'recorded'
WHERE (coalesce(y.amount_minor, 0), y.holder_id) IS DISTINCT FROM
      (c.amount_minor, CASE WHEN y.id IS NOT NULL OR c.amount_minor > 0 THEN c.holder_id END)
  AND NOT EXISTS (SELECT FROM payments p WHERE p.client_id = 'door:' || c.id)
"""
"""Stops whose last word about cash is not what the books hold; a payment a person took back stays taken back."""

PAYMENTS = """
INSERT INTO payments (id, business_id, customer_id, client_id, amount_minor, currency, method, received_on, reference,
                      delivery_id, holder_id, made_at, state_at)
SELECT new_id(), business_id, payer_id, 'door:' || cash_id, amount_minor, currency, 'cash', taken_on, reference,
       delivery_id, holder_id, :now, :now
FROM json_to_recordset(CAST(:rows AS json)) AS r(cash_id uuid, business_id uuid, payer_id uuid, amount_minor bigint,
     currency text, taken_on date, reference text, delivery_id uuid, holder_id uuid)
RETURNING id
"""


def book(session: Session, ctx: Ctx, *, limit: int | None = None) -> int:
    """Record the cash of at most `limit` words at doors as payments in the driver's bag; return how many stops.

    The last word about a stop counts: where it is another than the books hold, the earlier payment is reversed and
    the new one recorded. Runs in any number of processes; doing it again changes nothing. Zero: nothing waits.
    """
    taken = rows(session, TAKEN, {"limit": limit})
    if not taken:
        return 0
    queries.lock_payers(session, sorted({row["payer_id"] for row in taken}))
    changed = rows(session, CHANGED, {"deliveries": sorted({row["delivery_id"] for row in taken})})
    wrong = [row for row in changed if row["id"]]
    if wrong:
        payments.take_back(session, ctx, wrong, reason="another word about the cash counts")
    due = [row for row in changed if row["amount_minor"]]
    if due:
        made = rows(session, PAYMENTS, {"rows": orjson.dumps(due, default=str).decode(), "now": ctx.now})
        keys = [row["id"] for row in made]
        payments.post(session, ctx, keys)
        audit.record_many(session, ctx, "payments.record", "payment", keys)
    if changed:
        allocation.allocate_open(session, ctx, sorted({row["payer_id"] for row in changed}))
    return len({row["delivery_id"] for row in taken})


SETTLEMENT = """
SELECT CAST(:journal_id AS uuid) AS journal_id, CAST(:business_id AS uuid) AS business_id, 'cash_settlement' AS kind,
       CAST(CAST(:made_at AS timestamptz) AT TIME ZONE b.zone AS date) AS posted_on, CAST(:note AS text) AS memo,
       CAST(NULL AS uuid) AS reverses_id, p.account, CAST(NULL AS uuid) AS customer_id, p.user_id, p.amount_minor,
       CAST(:currency AS text) AS currency
FROM businesses b CROSS JOIN (VALUES
    ('depot_cash', CAST(NULL AS uuid), CAST(:counted AS bigint)),
    ('driver_cash', CAST(:driver_id AS uuid), -CAST(:counted AS bigint))
) AS p (account, user_id, amount_minor)
WHERE b.id = :business_id
"""


def settle(
    session: Session,
    ctx: Ctx,
    driver_id: UUID,
    *,
    counted_minor: int,
    currency: str,
    note: str | None = None,
    business_id: UUID | None = None,
) -> UUID:
    """Take the counted cash of a driver into the depot, in minor units; return the settlement.

    All that was told at doors is booked first. What was counted leaves the driver's account, so a difference stays
    owed there (or in the driver's favour), and is a finding until the account is even.
    """
    firms = {row["id"]: row["currency"] for row in queries.firms_of_driver(session, driver_id)}
    if not firms:
        raise errors.NoSuchDriver(field="driver_id", driver_id=driver_id)
    if business_id is None and len(firms) == 1:
        business_id = next(iter(firms))
    if business_id is None or business_id not in firms:
        raise errors.NotDriversBusiness(field="business_id")
    if currency != firms[business_id]:
        raise errors.NotItsCurrency(field="currency", currency=firms[business_id])
    while book(session, ctx):
        pass
    lock(session, f"billing.driver_cash:{driver_id}")
    expected = ledger_queries.driver_cash(session, driver_id).get((business_id, currency), 0)
    settlement_id, journal_id = ids.new_id(), ids.new_id()
    facts = {
        "id": settlement_id,
        "journal_id": journal_id,
        "business_id": business_id,
        "driver_id": driver_id,
        "counted": counted_minor,
        "expected": expected,
        "currency": currency,
        "note": note,
    }
    ledger.post_many(session, ctx, SETTLEMENT, facts)
    run(
        session,
        "INSERT INTO cash_settlements (id, business_id, driver_id, counted_minor, expected_minor, currency, note, "
        "settled_at, settled_by, journal_id) VALUES (:id, :business_id, :driver_id, :counted, :expected, :currency, "
        ":note, :now, :by, CASE WHEN :counted > 0 THEN CAST(:journal_id AS uuid) END)",
        {**facts, "now": ctx.now, "by": ctx.actor.name},
    )
    told = {"driver_id": str(driver_id), "counted_minor": counted_minor, "expected_minor": expected}
    audit.record(
        session, ctx, "cash.settle", "cash_settlement", settlement_id, after={**told, "currency": currency}, reason=note
    )
    subject = f"{driver_id}:{business_id}:{currency}"
    if expected == counted_minor:
        audit.resolve_many(session, ctx, "cash_differs", [subject])
    else:
        audit.report(
            session,
            ctx,
            "cash_differs",
            subject,
            "The cash counted at the depot is not what the driver took at the doors.",
            severity=Severity.warning,
            money_minor=expected - counted_minor,
            currency=currency,
            facts={**told, "settlement_id": str(settlement_id)},
        )
    return settlement_id
