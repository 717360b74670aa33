"""Customers are told what happened: each fact once, in their language, when and how they want it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session
from typer.testing import CliRunner

import make
from conftest import NOW, scratch
from earlybird.billing.service import charges, invoices, payments
from earlybird.billing.service import messages as bills
from earlybird.catalog.models import Product
from earlybird.cli import app
from earlybird.customers.service import facts, telling
from earlybird.deliveries.schemas import Confirmation
from earlybird.deliveries.service import door
from earlybird.deliveries.service import messages as deliveries
from earlybird.infra.db import as_history, connect, rows, run, transaction
from earlybird.infra.embedded import Embedded
from earlybird.infra.ports.messages import KeptMessages
from earlybird.infra.security import Keys
from earlybird.kernel import ids
from earlybird.kernel.clock import Month
from earlybird.kernel.ctx import Ctx
from earlybird.notifications import jobs, service
from earlybird.notifications.errors import AlwaysTold, NeverAgain, NoWay, StillWaits
from earlybird.notifications.states import Channel, FactKind, MessageKind
from earlybird.orders import service as orders
from earlybird.orders.service import Wanted
from earlybird.subscriptions import service as subscriptions
from earlybird.territory.states import Shift
from make.delivered import delivered
from notifications.test_sending import Refusing

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
TODAY = date(2026, 1, 15)
LATER = NOW + 11 * MINUTE
"""When an outcome of now has stood long enough."""

PHONE = "+919000000001"


@pytest.fixture(scope="module")
def database(server: Embedded) -> Iterator[Engine]:
    with scratch(server) as url:
        engine = connect(url)
        yield engine
        engine.dispose()


@dataclass
class Dairy:
    """A business, one customer with a phone, and what they are told."""

    engine: Engine
    ctx: Ctx
    firm: make.Firm
    customer_id: UUID
    product_id: UUID
    keys: Keys = field(default_factory=Keys.random)

    def tell(self, now: datetime = LATER, channels: frozenset[str] = frozenset({"sms", "email"})) -> int:
        ctx = self.ctx.at(now)
        return sum(one.tell(self.engine, ctx, self.keys, channels) for one in (deliveries, bills))

    def told(self) -> list[dict[str, Any]]:
        with transaction(self.engine) as session:
            return rows(session, "SELECT * FROM messages WHERE customer_id = :id ORDER BY id", {"id": self.customer_id})

    def kinds(self) -> list[str]:
        return [row["kind"] for row in self.told()]

    def sent(self, now: datetime = LATER) -> list[tuple[str, str, str, str]]:
        gateway = KeptMessages()
        while jobs.send(self.engine, self.ctx.at(now), self.keys, gateway):
            pass
        return gateway.sent

    def policy(self, name: str, value: Any) -> None:
        with transaction(self.engine) as session:
            run(session, "INSERT INTO policies VALUES (:name, CAST(:value AS jsonb), now(), 'test')",
                {"name": name, "value": json.dumps(value)})  # fmt: skip

    def planned(self) -> Any:
        with transaction(self.engine) as session:
            made = make.planned(session, self.firm, self.customer_id, [self.product_id], ["2"], on=TODAY)
            run(session, "DELETE FROM message_facts WHERE kind = 'order'")
            return made

    def at_the_door(self, planned: Any, quantity: str, *, now: datetime = NOW, kind: str = "confirm") -> None:
        said = {"client_id": ids.new_id().hex, "kind": kind, "order_id": planned.order_id, "authority": "staff",
                "lines": [{"order_line_id": planned.line_ids[0], "quantity": quantity}],
                "device_at": now.isoformat(), "reason": "counted again"}  # fmt: skip
        with transaction(self.engine) as session:
            assert door.confirm(session, self.ctx.at(now), Confirmation.model_validate(said)).rule is None

    def prefer(self, **wishes: Any) -> None:
        with transaction(self.engine) as session:
            telling.prefer(session, self.ctx, self.customer_id, **wishes)


@pytest.fixture
def dairy(database: Engine, ctx: Ctx) -> Dairy:
    with transaction(database) as session:
        for table in ("messages", "message_facts", "policies"):
            run(session, f"DELETE FROM {table}")
        firm = make.business(session, name=f"Sunrise {ids.new_id().hex[-8:]}")
        customer, product = make.customer(session, firm, phone=PHONE).id, make.product(session, firm).id
    return Dairy(database, ctx, firm, customer, product)


def place(session: Session, dairy: Dairy) -> Any:
    return orders.place(
        session, dairy.ctx, dairy.customer_id, service_on=TODAY + 3 * DAY, shift=Shift.morning,
        lines=[Wanted(dairy.product_id, Decimal("1.5"))],
    )  # fmt: skip


def test_an_order_is_confirmed_in_the_language_of_the_customer(dairy: Dairy) -> None:
    with transaction(dairy.engine) as session:
        run(session, "UPDATE customers SET language = 'te-IN' WHERE id = :id", {"id": dairy.customer_id})
        order = place(session, dairy)
    assert (dairy.tell(NOW), dairy.tell(NOW)) == (1, 0)
    [(channel, address, subject, body)] = dairy.sent(NOW)
    assert (channel, address) == ("sms", PHONE)
    assert subject == f"మీ ఆర్డర్ {order.code}"
    assert [part in body for part in (order.code, "1.5 L Toned Milk", "18 జన, 2026", "₹90.00")] == [True] * 4, body


def test_what_is_cancelled_before_it_is_told_is_not_told(dairy: Dairy) -> None:
    with transaction(dairy.engine) as session:
        orders.cancel(session, dairy.ctx, place(session, dairy).id, reason="moved")
    assert dairy.tell(NOW) == 0


def test_commits_out_of_order_lose_no_fact_and_two_at_once_tell_each_once(dairy: Dairy) -> None:
    with transaction(dairy.engine) as slow:
        place(slow, dairy)
        with transaction(dairy.engine) as quick:
            place(quick, dairy)
        assert dairy.tell(NOW) == 1
    with transaction(dairy.engine) as session:
        place(session, dairy)
    with transaction(dairy.engine) as other:
        taken = service.pull(other, FactKind.order, limit=1)
        assert (len(taken), dairy.tell(NOW)) == (1, 1)
    assert dairy.tell(NOW) == 0  # the other took its fact and told nothing: that is its own affair
    assert len(dairy.told()) == 2


def test_a_fact_noted_again_is_not_told_again(dairy: Dairy) -> None:
    with transaction(dairy.engine) as session:
        order = place(session, dairy).id
    dairy.tell(NOW)
    with transaction(dairy.engine) as session:
        run(session, "INSERT INTO message_facts (kind, subject_id) VALUES ('order', :id)", {"id": order})
    assert (dairy.tell(NOW), len(dairy.told())) == (0, 1)


def test_an_outcome_is_told_once_it_stands_and_only_the_final_word(dairy: Dairy) -> None:
    stop = dairy.planned()
    dairy.at_the_door(stop, "2")
    dairy.at_the_door(stop, "1", now=NOW + 5 * MINUTE, kind="correct")
    assert dairy.tell(NOW + 11 * MINUTE) == 0
    assert dairy.tell(NOW + 15 * MINUTE) == 1
    message = dairy.told()[-1]
    assert (message["kind"], message["facts"]["items"]) == ("partially_delivered", "1 L Milk")
    dairy.at_the_door(stop, "0", now=NOW + 20 * MINUTE, kind="correct")
    dairy.at_the_door(stop, "0", now=NOW + 21 * MINUTE, kind="correct")
    dairy.tell(NOW + 40 * MINUTE)
    dairy.at_the_door(stop, "1", now=NOW + 41 * MINUTE, kind="correct")
    dairy.tell(NOW + 60 * MINUTE)
    dairy.at_the_door(stop, "1.5", now=NOW + 61 * MINUTE, kind="correct")
    assert dairy.tell(NOW + 80 * MINUTE) == 0
    assert dairy.kinds() == ["partially_delivered", "not_delivered", "partially_delivered"]


def test_what_was_delivered_at_five_waits_for_nine_unless_wanted_at_once(dairy: Dairy) -> None:
    five, nine = NOW.replace(day=14, hour=23, minute=30), NOW.replace(hour=3, minute=30)
    dairy.policy("tell_after_minutes", 0)
    dairy.at_the_door(dairy.planned(), "2", now=five)
    assert dairy.tell(five) == 1
    assert dairy.told()[-1]["next_try_at"] == nine
    assert dairy.sent(nine - timedelta(seconds=1)) == []
    assert [body.partition(": ")[2] for *_, body in dairy.sent(nine)] == ["delivered on 15 Jan 2026: 2 L Milk."]
    dairy.prefer(is_at_once=True)
    dairy.at_the_door(dairy.planned(), "2", now=five)
    dairy.tell(five)
    assert len(dairy.sent(five)) == 1


def test_who_is_on_a_round_that_leaves_is_told_but_not_in_the_small_hours(dairy: Dairy) -> None:
    def send_out(now: datetime) -> int:
        stop, key = dairy.planned(), ids.new_id()
        with transaction(dairy.engine) as session:
            run(session, "DELETE FROM message_facts")
            facts = {"round": key, "site": dairy.firm.site_id, "on": now.date(), "stop": stop.delivery_id, "now": now}
            run(session, "INSERT INTO rounds (id, site_id, service_on, shift, name) "
                "VALUES (:round, :site, :on, 'morning', 'North')", facts)  # fmt: skip
            run(session, "INSERT INTO round_stops (delivery_id, round_id, position) VALUES (:stop, :round, 1)", facts)
            for state in ("out", "done", "out"):
                run(session, f"UPDATE rounds SET state = '{state}', state_at = :now WHERE id = :round", facts)
        return dairy.tell(now)

    assert send_out(NOW) == 1
    assert dairy.told()[-1]["kind"] == "out_for_delivery"
    assert send_out(NOW.replace(day=16, hour=0)) == 0  # 5:30: at nine nobody needs to know
    dairy.prefer(is_at_once=True)
    assert send_out(NOW.replace(day=17, hour=0)) == 1


def test_pauses_are_told_together_and_so_is_going_on(dairy: Dairy) -> None:
    with transaction(dairy.engine) as session:
        customer = session.get_one(facts.Customer, dairy.customer_id)
        milk, paneer = make.product(session, dairy.firm), make.product(session, dairy.firm, name="Paneer")
        wishes = [make.subscription(session, customer, product).id for product in (milk, paneer)]
    since, until = TODAY + 2 * DAY, TODAY + 5 * DAY
    with transaction(dairy.engine) as session:
        for wish in wishes:
            subscriptions.pause(session, dairy.ctx, wish, starts_on=since, ends_on=until)
    assert dairy.tell() == 1
    said = {"business": dairy.told()[0]["facts"]["business"], "items": "Paneer, Toned Milk"}
    assert dairy.told()[0]["facts"] == said | {"since": "2026-01-17", "until": "2026-01-20"}
    with transaction(dairy.engine) as session:
        for wish in wishes:
            subscriptions.resume(session, dairy.ctx, wish, on=TODAY + 4 * DAY)
    assert dairy.tell() == 1
    assert (dairy.kinds(), dairy.told()[1]["facts"]) == (["pause_set", "pause_ended"], said | {"since": "2026-01-19"})
    with transaction(dairy.engine) as session:
        subscriptions.pause(session, dairy.ctx, wishes[0], starts_on=TODAY + 30 * DAY, ends_on=None)
        subscriptions.resume(session, dairy.ctx, wishes[0], on=TODAY + 20 * DAY)
    assert dairy.tell() == 0
    with transaction(dairy.engine) as session:
        facts.move(session, dairy.ctx, dairy.customer_id, "pause", reason="away")
    with transaction(dairy.engine) as session:
        run(session, "UPDATE subscriptions SET state = 'active' WHERE customer_id = :id", {"id": dairy.customer_id})
    assert dairy.tell() == 1
    assert (dairy.kinds()[-1], dairy.told()[-1]["facts"]) == ("pause_open", said | {"since": "2026-01-15"})


def bill(dairy: Dairy) -> None:
    with transaction(dairy.engine) as session:
        product = session.get_one(Product, dairy.product_id)
        delivered(session, dairy.firm, dairy.customer_id, product, on=date(2026, 1, 5))
        charges.charge_delivered(session, dairy.ctx)
        invoices.run_month(session, dairy.ctx, dairy.firm.id, Month(2026, 1), [dairy.customer_id])
        run(session, "DELETE FROM message_facts WHERE kind IN ('order', 'delivery')")


def pay(dairy: Dairy, amount: str, now: datetime) -> None:
    row = {"client_id": ids.new_id().hex, "customer": str(dairy.customer_id), "amount": amount, "currency": "INR",
           "method": "upi", "received_on": now.date().isoformat(), "reference": "UTR-7788"}  # fmt: skip
    with transaction(dairy.engine) as session:
        payments.receive(session, dairy.ctx.at(now), [(1, orjson.dumps(row).decode(), row)])


def test_bills_and_payments_are_told_and_what_is_overdue_reminded_of_a_few_times(dairy: Dairy) -> None:
    bill(dairy)
    pay(dairy, "20.00", NOW)
    assert dairy.tell() == 2
    billed, paid = dairy.told()
    assert {name: billed["facts"][name] for name in ("amount", "due", "first", "last")} == {
        "amount": "60.00 INR", "due": "2026-01-22", "first": "2026-01-01", "last": "2026-01-31",
    }  # fmt: skip
    assert (paid["kind"], paid["facts"]["amount"], paid["facts"]["date"]) == (
        "payment_received", "20.00 INR", "2026-01-15",
    )  # fmt: skip
    assert "UTR-7788" not in str(dairy.told())
    for days in range(40):
        for _ in range(2):
            bills.remind(dairy.engine, dairy.ctx.at(NOW + days * DAY), dairy.keys, {"sms"})
    reminded = [row for row in dairy.told() if row["kind"] == "payment_reminder"]
    assert [(row["queued_at"] - NOW).days for row in reminded] == [10, 17, 24]
    assert {(row["facts"]["amount"], row["facts"]["due"]) for row in reminded} == {("40.00 INR", "2026-01-22")}
    run_out = NOW + 60 * DAY
    pay(dairy, "40.00", run_out)
    dairy.policy("remind_times", 20)
    assert bills.remind(dairy.engine, dairy.ctx.at(run_out), dairy.keys, {"sms"}) == 0


def test_who_is_not_to_be_disturbed_is_told_of_bills_alone(dairy: Dairy) -> None:
    dairy.prefer(is_silent=True)
    with transaction(dairy.engine) as session:
        place(session, dairy)
    bill(dairy)
    pay(dairy, "20.00", NOW)
    assert dairy.tell() == 1
    assert dairy.kinds() == ["bill_issued"]
    dairy.prefer(opted_out=[MessageKind.payment_received])
    with transaction(dairy.engine) as session:
        place(session, dairy)
    pay(dairy, "20.00", NOW)
    assert dairy.tell() == 1
    with pytest.raises(AlwaysTold):
        dairy.prefer(opted_out=[MessageKind.bill_issued])


@pytest.mark.parametrize(
    ("email", "phone", "preferred", "channels", "way"),
    [
        ("a@milk.in", PHONE, None, {"sms", "email", "whatsapp"}, ("whatsapp", PHONE)),
        ("a@milk.in", PHONE, None, {"sms", "email"}, ("sms", PHONE)),
        ("a@milk.in", PHONE, "email", {"sms", "email"}, ("email", "a@milk.in")),
        ("a@milk.local", PHONE, "email", {"sms", "email"}, ("sms", PHONE)),
        ("a@milk.in", None, "sms", {"sms", "email"}, ("email", "a@milk.in")),
        ("a@milk.local", None, None, {"sms", "email"}, None),
        ("a@milk.in", PHONE, "sms", set(), None),
    ],
)
def test_each_is_reached_by_the_way_they_prefer_and_have(
    dairy: Dairy, email: str, phone: str | None, preferred: Channel | None, channels: set[str], way: Any
) -> None:
    dairy.prefer(channel=preferred)
    with transaction(dairy.engine) as session:
        run(session, "UPDATE customers SET email = :email, phone = :phone WHERE id = :id",
            {"email": email, "phone": phone, "id": dairy.customer_id})  # fmt: skip
        place(session, dairy)
    dairy.tell(NOW, frozenset(channels))
    assert [(row["channel"], row["address"]) for row in dairy.told()] == ([way] if way else [])


def test_history_steps_and_a_silent_business_note_nothing(dairy: Dairy) -> None:
    with transaction(dairy.engine) as session:
        as_history(session)
        place(session, dairy)
    with transaction(dairy.engine) as session:
        run(session, "SET LOCAL earlybird.step = '19'")
        place(session, dairy)
    dairy.policy("tell_customers", value=False)
    with transaction(dairy.engine) as session:
        place(session, dairy)
        assert rows(session, "SELECT * FROM message_facts") == []


def fail(dairy: Dairy) -> dict[str, Any]:
    """Let the newest message fail for good, and return it."""
    now = NOW
    while dairy.told()[-1]["state"] == "queued":
        jobs.send(dairy.engine, dairy.ctx.at(now), dairy.keys, Refusing())
        now = max(now, dairy.told()[-1]["next_try_at"])
    return dairy.told()[-1]


def test_what_failed_is_kept_with_its_reason_and_sent_again_to_where_they_are_now(dairy: Dairy) -> None:
    bill(dairy)
    dairy.tell()
    lost = fail(dairy)
    assert (lost["state"], lost["body"], bool(lost["last_error"])) == ("failed", None, True)
    other = "+919000000002"
    with transaction(dairy.engine) as session:
        run(session, "UPDATE customers SET phone = :phone, language = 'zh'", {"phone": other})
    with transaction(dairy.engine) as session:
        shown = telling.resend(session, dairy.ctx, dairy.keys, lost["id"], reason="a new phone")
        assert (shown["state"], shown["tries"], shown["address"]) == ("queued", 0, other)
        with pytest.raises(StillWaits):
            telling.resend(session, dairy.ctx, dairy.keys, lost["id"])
    [(_, address, subject, body)] = dairy.sent(NOW)
    assert (address, subject[:2], "2026年1月22日" in body) == (other, "您的", True)
    with transaction(dairy.engine) as session:
        run(session, "UPDATE customers SET phone = NULL, email = NULL WHERE id = :id", {"id": dairy.customer_id})
        with pytest.raises(NoWay):
            telling.resend(session, dairy.ctx, dairy.keys, lost["id"])
        trail = rows(
            session, "SELECT action, reason FROM audit_entries WHERE entity_id = :id ORDER BY id", {"id": lost["id"]}
        )
    assert [entry["action"] for entry in trail] == [
        "notifications.tell",
        "message.fail",
        "message.resend",
        "message.send",
    ]
    assert trail[2]["reason"] == "a new phone"


def test_codes_and_links_are_kept_nowhere_and_never_sent_again(dairy: Dairy) -> None:
    with transaction(dairy.engine) as session:
        made = service.tell(
            session, dairy.ctx, dairy.keys, kind=MessageKind.one_time_code, channel=Channel.sms, address=PHONE,
            facts={"code": "739105", "minutes": 5}, customer_id=dairy.customer_id,
        )  # fmt: skip
    dairy.sent()
    assert (dairy.told()[-1]["facts"], dairy.told()[-1]["state"]) == (None, "sent")
    with transaction(dairy.engine) as session, pytest.raises(NeverAgain):
        telling.resend(session, dairy.ctx, dairy.keys, made)


def test_the_commands_list_what_failed_and_send_it_again(
    dairy: Dairy, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    bill(dairy)
    dairy.tell()
    lost = str(fail(dairy)["id"])
    monkeypatch.setenv("EARLYBIRD_DATABASE_URL", dairy.engine.url.render_as_string(hide_password=False))
    monkeypatch.setenv("EARLYBIRD_NOW", NOW.isoformat())
    monkeypatch.setenv("EARLYBIRD_DATA_DIR", str(tmp_path))

    def failed() -> list[str]:
        listed = CliRunner().invoke(app, ["messages", "list", "--state", "failed", "--json"])
        assert listed.exit_code == 0
        return [row["id"] for row in json.loads(listed.stdout)]

    assert failed() == [lost]
    again = CliRunner().invoke(app, ["messages", "resend", lost])
    assert (again.exit_code, again.stdout) == (0, "1 sent again.\n")
    assert failed() == []
    with pytest.raises(StillWaits):
        CliRunner().invoke(app, ["messages", "resend", lost], catch_exceptions=False)
