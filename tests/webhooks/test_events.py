"""What happened is told once, whoever commits first; what nobody asks for costs no row."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import text

import make
from earlybird.billing.service import charges, credit_notes, invoices, payments
from earlybird.deliveries.schemas import Confirmation
from earlybird.deliveries.service import door, planning
from earlybird.infra import db
from earlybird.infra.db import rows, transaction, value
from earlybird.kernel.clock import Month
from earlybird.orders import service as orders
from earlybird.orders.service import Wanted
from earlybird.territory.states import Shift
from earlybird.webhooks.states import EventKind
from make.delivered import delivered
from webhooks.conftest import Dairy, Receiver


def place(session: db.Session, dairy: Dairy) -> Any:
    return orders.place(
        session, dairy.ctx, dairy.customer_id, service_on=dairy.ctx.now.date() + timedelta(days=3),
        shift=Shift.morning, lines=[Wanted(dairy.product_id, Decimal("1.5"))],
    )  # fmt: skip


def noted(dairy: Dairy) -> int:
    with transaction(dairy.engine) as session:
        return value(session, "SELECT count(*) FROM webhook_changes")


def test_an_order_placed_changed_and_cancelled_is_told_signed(dairy: Dairy, receiver: Receiver) -> None:
    _, secret = dairy.subscribe(receiver.url)
    with transaction(dairy.engine) as session:
        order = place(session, dairy)
    assert dairy.send() == 1
    with transaction(dairy.engine) as session:
        session.execute(text("UPDATE order_lines SET quantity = 2, amount_minor = 12000"))
    assert dairy.send() == 1
    with transaction(dairy.engine) as session:
        orders.cancel(session, dairy.ctx, order.id, reason="moved")
    assert dairy.send() == 1
    assert dairy.send() == 0
    told = receiver.verified(secret)
    assert [event["type"] for event in told] == ["order.placed", "order.changed", "order.cancelled"]
    data = told[0]["data"]
    assert (data["id"], data["code"], data["amount_minor"], data["currency"]) == (
        str(order.id),
        order.code,
        9000,
        "INR",
    )
    assert set(data) == {
        "id", "code", "customer_id", "site_id", "service_on", "shift", "source", "state", "amount_minor", "currency",
    }  # fmt: skip
    assert told[1]["data"]["amount_minor"] == 12000
    assert told[0]["timestamp"].endswith("Z")
    assert len(set(receiver.ids())) == 3
    with transaction(dairy.engine) as session:
        assert {row["state"] for row in rows(session, "SELECT state FROM webhook_deliveries")} == {"delivered"}
        assert value(session, "SELECT count(*) FROM webhook_attempts WHERE status = 204") == 3
        assert (
            value(session, "SELECT waiting_count FROM (SELECT count(*) AS waiting_count FROM webhook_changes) w") == 0
        )


def test_doors_bills_and_payments_are_told(dairy: Dairy, receiver: Receiver) -> None:
    _, secret = dairy.subscribe(receiver.url)
    ctx = dairy.ctx
    with transaction(dairy.engine) as session:
        planned = make.planned(session, dairy.firm, dairy.customer_id, [dairy.product_id], ["2"], on=ctx.now.date())
        for client_id, kind, quantity in (("a", "confirm", "2"), ("b", "correct", "1"), ("c", "return", "1")):
            line = {"order_line_id": planned.line_ids[0], "quantity": quantity}
            said = {"client_id": client_id, "kind": kind, "order_id": planned.order_id, "lines": [line],
                    "device_at": ctx.now.isoformat(), "authority": "staff", "reason": "counted again"}  # fmt: skip
            verdict = door.confirm(session, ctx, Confirmation.model_validate(said))
            assert verdict.rule is None
        milk = make.product(session, dairy.firm)
        month = Month(2026, 1)
        delivered(session, dairy.firm, dairy.customer_id, milk, on=date(2026, 1, 5))
        charges.charge_delivered(session, ctx)
        invoices.run_month(session, ctx, dairy.firm.id, month, [dairy.customer_id])
        invoice = value(session, "SELECT id FROM invoices WHERE kind = 'invoice'")
    with transaction(dairy.engine) as session:
        credit_notes.credit_in_full(session, ctx, invoice, reason="wrong house")
        row = {"client_id": "p1", "customer": str(dairy.customer_id), "amount": "20.00", "currency": "INR",
               "method": "upi", "received_on": ctx.now.date().isoformat(), "reference": "UTR-7788"}  # fmt: skip
        payments.receive(session, ctx, [(1, orjson.dumps(row).decode(), row)])
        back = {"reverse": "p1", "reason": "bounced"}
        payments.reverse(session, ctx, [(1, orjson.dumps(back).decode(), back)])
    while dairy.send():
        pass
    told = {event["type"]: event["data"] for event in receiver.verified(secret)}
    assert set(told) >= {
        "delivery.confirmed", "delivery.corrected", "delivery.returned", "invoice.issued", "invoice.voided",
        "credit_note.issued", "payment.recorded", "payment.reversed",
    }  # fmt: skip
    assert told["delivery.corrected"]["order_id"] == str(planned.order_id)
    assert told["delivery.corrected"]["outcome"] == "not_delivered"
    assert told["credit_note.issued"]["corrects_id"] == told["invoice.issued"]["id"] == str(invoice)
    assert told["invoice.issued"]["total_minor"] > 0
    assert (told["payment.recorded"]["amount_minor"], told["payment.recorded"]["state"]) == (2000, "reversed")
    assert not {"Meena", "Temple", "UTR-7788"} & set(
        " ".join(body for _, body in receiver.got).replace('"', " ").split()
    )


def test_commits_out_of_order_lose_no_event(dairy: Dairy, receiver: Receiver) -> None:
    dairy.subscribe(receiver.url, EventKind.order_placed)
    with transaction(dairy.engine) as slow:
        first = place(slow, dairy).id
        with transaction(dairy.engine) as quick:
            second = place(quick, dairy).id
        assert dairy.send() == 1
        with transaction(dairy.engine) as third:
            last = place(third, dairy).id
    dairy.send()
    told = [orjson.loads(body)["data"]["id"] for _, body in receiver.got]
    assert told[0] == str(second)
    assert sorted(told) == sorted(map(str, (first, second, last)))
    assert noted(dairy) == 0


def test_two_pulls_at_once_tell_each_change_once(dairy: Dairy, receiver: Receiver) -> None:
    from earlybird.webhooks import service

    dairy.subscribe(receiver.url, EventKind.order_placed)
    with transaction(dairy.engine) as session:
        for _ in range(4):
            place(session, dairy)
    with transaction(dairy.engine) as one, transaction(dairy.engine) as two:
        two.execute(text("SET LOCAL lock_timeout = '2s'"))
        assert (service.pull(one, dairy.ctx), service.pull(two, dairy.ctx)) == (4, 0)
    with transaction(dairy.engine) as session:
        assert value(session, "SELECT count(*) FROM webhook_events") == 4


@pytest.mark.parametrize("state", ["nobody", "disabled", "others"])
def test_what_nobody_asks_for_is_not_noted(dairy: Dairy, receiver: Receiver, state: str) -> None:
    from earlybird.webhooks import service
    from earlybird.webhooks.states import EndpointState

    if state != "nobody":
        endpoint, _ = dairy.subscribe(receiver.url, EventKind.payment_recorded)
    if state == "disabled":
        with transaction(dairy.engine) as session:
            service.change(session, dairy.ctx, endpoint, events=tuple(EventKind), state=EndpointState.disabled)
    with transaction(dairy.engine) as session:
        orders.cancel(session, dairy.ctx, place(session, dairy).id, reason="no")
    assert noted(dairy) == 0


@pytest.mark.parametrize("setting", ["earlybird.history", "earlybird.step"])
def test_history_and_data_steps_are_not_told(dairy: Dairy, receiver: Receiver, setting: str) -> None:
    dairy.subscribe(receiver.url)
    with transaction(dairy.engine) as session:
        session.execute(text("SELECT set_config(:name, '7', true)"), {"name": setting})
        place(session, dairy)
    assert noted(dairy) == 0


def test_a_take_over_tells_nobody(dairy: Dairy, receiver: Receiver, tmp_path: Path) -> None:
    from earlybird.importers.earlybird import takeover

    seen = []

    def stage(session: db.Session, *_: Any) -> dict[str, int]:
        seen.append(value(session, "SELECT current_setting('earlybird.history', true)"))
        return {}

    stages, takeover.STAGES = takeover.STAGES, ((("One", stage),),)
    try:
        takeover.convert(dairy.engine, dairy.ctx, name="Dairy", cutover_on=None)
    finally:
        takeover.STAGES = stages
    assert seen == ["yes"]


def test_a_plan_tells_of_every_order_it_makes_once_and_of_no_change_beside(dairy: Dairy, receiver: Receiver) -> None:
    dairy.subscribe(receiver.url)
    on = dairy.ctx.now.date() + timedelta(days=1)
    with transaction(dairy.engine) as session:
        product = make.product(session, dairy.firm)
        for n in range(3):
            make.subscription(session, make.customer(session, dairy.firm, f"C{n}"), product)
    for _ in range(2):
        with transaction(dairy.engine) as session:
            planning.plan_day(session, dairy.ctx, dairy.firm.site_id, on)
    while dairy.send():
        pass
    assert receiver.kinds() == ["order.placed"] * 3
