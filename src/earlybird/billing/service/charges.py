"""Charge what was delivered: pulled from the facts at the door, once per fact, in whole sets."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.billing import errors, queries
from earlybird.billing.models import Waiver
from earlybird.billing.rules import minor_scale
from earlybird.infra.db import lock, rows, run
from earlybird.kernel import ids
from earlybird.kernel.ctx import Ctx

POLICY = "charge_one_time_orders"
"""The policy row that leaves one-time orders out of future charging when its value is false."""

CHARGE = f"""
WITH taken AS (
    DELETE FROM uncharged_lines WHERE event_line_id IN (
        SELECT event_line_id FROM uncharged_lines ORDER BY event_line_id LIMIT :limit FOR UPDATE SKIP LOCKED)
    RETURNING event_line_id
), made AS (
    INSERT INTO charges (event_line_id, customer_id, service_on, quantity, amount_minor, currency, tax_class_id,
                         charged_at)
    SELECT el.id, el.customer_id, el.service_on, el.delta_quantity,
           round(ol.unit_price * (before.quantity + el.delta_quantity) * {minor_scale("ol.currency")})
             - round(ol.unit_price * before.quantity * {minor_scale("ol.currency")}),
           ol.currency, ol.tax_class_id, :now
    FROM taken
    JOIN delivery_event_lines el ON el.id = taken.event_line_id
    JOIN delivery_lines dl ON dl.id = el.delivery_line_id
    JOIN order_lines ol ON ol.id = dl.order_line_id
    CROSS JOIN LATERAL (
        SELECT CASE WHEN el.revision = 1 THEN 0 ELSE (
            SELECT coalesce(sum(b.delta_quantity), 0) FROM delivery_event_lines b
            WHERE b.delivery_line_id = el.delivery_line_id AND b.revision < el.revision) END AS quantity) AS before
    WHERE ol.source <> 'one_time'
       OR NOT EXISTS (SELECT FROM policies WHERE name = :policy AND value = 'false'::jsonb)
      AND NOT EXISTS (SELECT FROM orders o WHERE o.id = ol.order_id AND o.paid_upstream)
    ORDER BY el.customer_id, el.service_on
    ON CONFLICT (event_line_id) DO NOTHING
    RETURNING id
)
SELECT (SELECT count(*) FROM taken) AS taken, count(*) AS made,
       encode(sha256(string_agg(uuid_send(id), ''::bytea ORDER BY id)), 'hex') AS digest
FROM made
"""

CHARGE_THESE = CHARGE.replace(
    "SELECT event_line_id FROM uncharged_lines ORDER BY event_line_id LIMIT :limit FOR UPDATE SKIP LOCKED",
    "SELECT unnest(CAST(:lines AS uuid[]))",
)


def charge_delivered(
    session: Session, ctx: Ctx, *, limit: int | None = None, lines: Sequence[UUID] | None = None
) -> int:
    """Charge at most `limit` delivered lines that have no charge, none paid upstream; return how many were looked at.

    With `lines` these alone, which the caller has locked on the work list.

    Zero means that nothing waits that nobody else is charging. Runs in any number of processes: each takes lines
    of its own, and what a line costs depends on its facts alone, not on who is first.
    """
    facts = {"now": ctx.now, "policy": POLICY}
    if lines is None:
        done = rows(session, CHARGE, facts | {"limit": limit})[0]
    else:
        done = rows(session, CHARGE_THESE, facts | {"lines": list(lines)})[0]
    if done["made"]:
        audit.record(session, ctx, "charges.make", "charge", row_count=done["made"], digest=done["digest"])
    return int(done["taken"])


def sweep(session: Session) -> int:
    """Put every delivered line without a charge back on the work list; return how many were not on it.

    The whole history is compared: for the night, after a restored backup, or when the policy was switched.
    """
    lock(session, "billing.charge")
    return run(
        session,
        """
        INSERT INTO uncharged_lines (event_line_id)
        SELECT el.id FROM delivery_event_lines el
        WHERE NOT EXISTS (SELECT FROM charges c WHERE c.event_line_id = el.id)
        ON CONFLICT DO NOTHING
        """,
    ) + run(
        session,
        """
        INSERT INTO unbilled_charges (customer_id, service_on, charge_id)
        SELECT c.customer_id, c.service_on, c.id FROM charges c
        WHERE (c.quantity <> 0 OR c.amount_minor <> 0)
          AND NOT EXISTS (SELECT FROM invoice_lines l WHERE l.charge_id = c.id)
          AND NOT EXISTS (SELECT FROM waivers w WHERE w.charge_id = c.id)
        ON CONFLICT DO NOTHING
        """,
    )


def waive_charge(session: Session, ctx: Ctx, charge_id: UUID, *, reason: str) -> Waiver:
    """Decide not to ask for a charge that is on no document yet; the one who decides is kept with the reason."""
    if not reason.strip():
        raise errors.ReasonMissing(field="reason")
    charge = queries.charge(session, charge_id)
    queries.lock_payers(session, [charge["payer_id"]])
    charge = queries.charge(session, charge_id)
    if charge["document"]:
        raise errors.ChargeOnDocument(charge=charge_id, document=charge["document"])
    if charge["waived"]:
        raise errors.ChargeWaived(charge=charge_id)
    row = Waiver(id=ids.new_id(), charge_id=charge_id, reason=reason, approver=ctx.actor.name, made_at=ctx.now)
    session.add(row)
    session.flush()  # the trigger takes the charge off the work list now, for a bill run in this transaction
    audit.record(session, ctx, "charges.waive", "charge", charge_id, after={"waived": True}, reason=reason)
    return row
