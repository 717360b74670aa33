"""What people do while steps run: confirm, order, pause, pay; each client has customers of its own."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Engine

from earlybird.billing.schemas.incoming import PaymentIn
from earlybird.billing.service import payments
from earlybird.deliveries.schemas.told import Confirmation
from earlybird.deliveries.service import door, planning
from earlybird.infra import db
from earlybird.kernel.ctx import EVERYWHERE, Actor, Ctx
from earlybird.orders import service as orders
from earlybird.subscriptions import service as subscriptions

DAY = date(2026, 2, 2)
AT_THE_DOOR = Ctx(
    actor=Actor(kind="user", name="Asha", role="admin", reaches=EVERYWHERE),
    now=datetime(2026, 2, 2, 3, tzinfo=UTC),
    via="api",
)
KINDS = ("confirm", "order", "pause", "pay")


def plan_the_day(engine: Engine) -> None:
    with db.transaction(engine) as session:
        for row in db.rows(session, "SELECT id FROM sites"):
            planning.plan_day(session, AT_THE_DOOR, row["id"], DAY)


def world(engine: Engine) -> dict[str, list[dict[str, Any]]]:
    """What there is to write about, in one order whatever the ids."""
    with db.rehearsal(engine) as session:
        return {
            "confirm": db.rows(
                session,
                "SELECT o.id FROM orders o JOIN deliveries d ON d.order_id = o.id WHERE o.service_on = :day ORDER BY o.id",
                {"day": DAY},
            ),
            "order": db.rows(
                session,
                "SELECT c.id, (SELECT id FROM products p ORDER BY id LIMIT 1) AS product FROM customers c "
                "WHERE c.archived_at IS NULL AND c.state = 'active' ORDER BY c.id",
            ),
            "pause": db.rows(
                session,
                "SELECT s.id FROM subscriptions s JOIN customers c ON c.id = s.customer_id WHERE s.stops_on IS NULL "
                "AND s.state = 'active' AND c.state = 'active' ORDER BY s.id",
            ),
            "pay": db.rows(session, "SELECT id FROM customers WHERE state = 'active' ORDER BY id"),
        }


def write(engine: Engine, kind: str, row: dict[str, Any], name: str) -> None:
    """Do one thing."""
    with db.transaction(engine) as session:
        if kind == "confirm":
            told = {"client_id": name, "kind": "confirm", "order_id": row["id"], "outcome": "delivered",
                    "device_at": AT_THE_DOOR.now}  # fmt: skip
            verdict = door.confirm(session, AT_THE_DOOR, Confirmation.model_validate(told))
            assert verdict.answer == "accepted", verdict
        elif kind == "order":
            lines = [orders.Wanted(row["product"], Decimal(1), Decimal(40))]
            orders.place(
                session, AT_THE_DOOR, row["id"], lines=lines, service_on=date(2026, 2, 5), shift="morning", note=name
            )
        elif kind == "pause":
            day = date(2026, 3, 1 + random.Random(name).randrange(20))
            subscriptions.pause(session, AT_THE_DOOR, row["id"], starts_on=day, ends_on=day, reason=name)
        else:
            told = {"client_id": name, "customer": str(row["id"]), "amount": "10.00", "currency": "INR", "method": "upi",
                    "received_on": "2026-02-02"}  # fmt: skip
            payments.record(session, AT_THE_DOOR, PaymentIn.model_validate(told))
