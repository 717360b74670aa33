"""Confirmations on PostgreSQL: each rule refuses with its field, repeats are harmless, orders move along."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.orm import Session

import make
from conftest import NOW, SOAK
from earlybird.deliveries import errors
from earlybird.deliveries.schemas import Answer, Confirmation, NotRead, Verdict, read
from earlybird.deliveries.service import attempts, door
from earlybird.infra.db import rows, value
from earlybird.kernel.ctx import Ctx
from make.business import Firm
from make.planned import ON, Planned

AT = "2026-01-15T06:30:00+05:30"


@dataclass
class Town:
    """A firm, one customer, two products and a session, with short words for asking."""

    session: Session
    ctx: Ctx
    firm: Firm
    customer_id: UUID
    products: list[UUID]

    def order(self, *quantities: str, **over: Any) -> Planned:
        return make.planned(self.session, self.firm, self.customer_id, self.products, quantities or ("2", "1"), **over)

    def tell(self, order: Planned | None = None, **over: Any) -> Verdict:
        return door.confirm(self.session, self.ctx, said(order, **over))

    def delivered(self, order: Planned) -> list[Decimal]:
        found = rows(
            self.session,
            "SELECT id, delivered_quantity AS q FROM delivery_lines WHERE delivery_id = :id",
            {"id": order.delivery_id},
        )
        by_id = {row["id"]: row["q"] for row in found}
        return [by_id[line] for line in order.delivery_line_ids]

    def states(self, order: Planned) -> tuple[str, str]:
        return tuple(
            rows(
                self.session,
                "SELECT o.state AS o, d.state AS d FROM orders o JOIN deliveries d ON d.order_id = o.id "
                "WHERE d.id = :id",
                {"id": order.delivery_id},
            )[0].values()
        )

    def count(self, table: str) -> int:
        return value(self.session, f"SELECT count(*) FROM {table}")


def said(order: Planned | None = None, **over: Any) -> Confirmation:
    facts = {"client_id": uuid4().hex, "kind": "confirm", "device_at": AT}
    if order is not None:
        facts["order_id"] = str(order.order_id)
    if "lines" not in over:
        facts["outcome"] = "delivered"
    return Confirmation.model_validate({k: v for k, v in (facts | over).items() if v is not None})


@pytest.fixture
def town(session: Session, ctx: Ctx) -> Town:
    firm = make.business(session)
    products = [make.product(session, firm).id, make.product(session, firm, "Curd").id]
    return Town(session, ctx, firm, make.customer(session, firm).id, products)


def test_a_confirmation_moves_line_delivery_and_order_in_one_go(town: Town) -> None:
    order = town.order("2", "1.5")
    verdict = town.tell(order)
    assert (verdict.answer, verdict.outcome) == (Answer.accepted, "delivered")
    assert town.delivered(order) == [Decimal(2), Decimal("1.5")]
    assert town.states(order) == ("delivered", "delivered")
    kept = rows(town.session, "SELECT * FROM delivery_events")[0]
    assert (kept["client_id"], kept["actor_name"], kept["via"]) == (verdict.client_id, "Asha", "file")
    lines = rows(town.session, "SELECT revision, delta_quantity FROM delivery_event_lines ORDER BY delta_quantity")
    assert [tuple(line.values()) for line in lines] == [(1, Decimal("1.5")), (1, Decimal(2))]
    actions = {row["action"] for row in rows(town.session, "SELECT action FROM audit_entries")}
    assert actions == {"deliveries.confirm", "delivery.deliver", "order.deliver"}


@pytest.mark.parametrize(
    ("lines", "state"),
    [
        ([{"line": 1, "quantity": "2"}, {"line": 2, "quantity": "1"}], "delivered"),
        ([{"line": 1, "quantity": "0.5"}, {"line": 2, "quantity": 1}], "partially_delivered"),
        ([{"line": 1, "quantity": "2"}], "partially_delivered"),
        ([{"line": 1, "quantity": "0"}, {"line": 2, "quantity": "0"}], "not_delivered"),
    ],
)
def test_the_lines_decide_the_outcome(town: Town, lines: list[dict[str, Any]], state: str) -> None:
    order = town.order()
    assert town.tell(order, lines=lines).outcome == state
    assert town.states(order) == (state, state)


def test_not_delivered_writes_the_event_but_no_line_of_zero(town: Town) -> None:
    order = town.order()
    town.tell(order, outcome="not_delivered", reason="door locked")
    assert town.states(order) == ("not_delivered", "not_delivered")
    assert (town.count("delivery_events"), town.count("delivery_event_lines")) == (1, 0)


def test_an_order_is_found_by_code_and_by_another_systems_key(town: Town) -> None:
    first, second = town.order(), town.order()
    town.session.execute(text("INSERT INTO order_keys VALUES ('old', '_id', '65a', :id)"), {"id": second.order_id})
    assert town.tell(order_code=first.code).order_id == first.order_id
    assert town.tell(order_id={"source": "old", "kind": "_id", "key": "65a"}).order_id == second.order_id
    assert town.tell(order_code="O-2222").field == "order_code"
    assert town.tell(order_id={"source": "old", "kind": "_id", "key": "nobody"}).field == "order_id"
    town.session.execute(
        text("UPDATE orders SET code = :code WHERE id = :id"), {"code": first.code, "id": second.order_id}
    )
    assert town.tell(order_code=first.code).rule == errors.OrderAmbiguous.__doc__


def _unknown_order(town: Town) -> Verdict:
    return town.tell(order_id=str(uuid4()))


def _cancelled_order(town: Town) -> Verdict:
    return town.tell(town.order(state="cancelled"))


def _cancelled_delivery(town: Town) -> Verdict:
    order = town.order()
    town.session.execute(text("UPDATE deliveries SET state = 'cancelled' WHERE id = :id"), {"id": order.delivery_id})
    return town.tell(order, delivery_id=str(order.delivery_id))


def _cancelled_line(town: Town) -> Verdict:
    order = town.order()
    town.session.execute(text("UPDATE order_lines SET cancelled_at = now() WHERE id = :id"), {"id": order.line_ids[0]})
    return town.tell(order, lines=[{"line": 1, "quantity": 1}])


def _taken_client_id(town: Town) -> Verdict:
    order = town.order()
    town.tell(order, client_id="x")
    return town.tell(order, client_id="x", outcome="not_delivered")


REFUSALS = [
    ("order_id", errors.OrderUnknown, _unknown_order),
    ("order_id", errors.OrderCancelled, _cancelled_order),
    ("delivery_id", errors.DeliveryCancelled, _cancelled_delivery),
    ("lines.0.line", errors.LineCancelled, _cancelled_line),
    ("client_id", errors.ClientIdTaken, _taken_client_id),
    ("order_id", errors.DeliveryUnknown, lambda t: _without(t, "deliveries")),
    ("order_id", errors.NothingToDeliver, lambda t: _without(t, "delivery_lines")),
    ("delivery_id", errors.DeliveryUnknown, lambda t: t.tell(t.order(), delivery_id=str(t.order().delivery_id))),
    ("attempt", errors.DeliveryUnknown, lambda t: t.tell(t.order(), attempt=2)),
    ("lines.0.line", errors.LineUnknown, lambda t: t.tell(t.order(), lines=[{"line": 3, "quantity": 1}])),
    ("lines.0.order_line_id", errors.LineUnknown,
     lambda t: t.tell(t.order(), lines=[{"order_line_id": str(t.order().line_ids[0]), "quantity": 1}])),
    ("lines.0.product_id", errors.LineUnknown,
     lambda t: t.tell(t.order(), lines=[{"product_id": str(uuid4()), "quantity": 1}])),
    ("lines.0.product_id", errors.LineAmbiguous,
     lambda t: t.tell(t.order("1", "1", "1"), lines=[{"product_id": str(t.products[0]), "quantity": 1}])),
    ("lines.1", errors.LineNamedTwice,
     lambda t: t.tell(t.order(), lines=[{"line": 1, "quantity": 1},
                                        {"product_id": str(t.products[0]), "quantity": 1}])),
    ("lines.1.quantity", errors.MoreThanOrdered,
     lambda t: t.tell(t.order(), lines=[{"line": 1, "quantity": 1}, {"line": 2, "quantity": "1.001"}])),
    ("lines.0.quantity", errors.MoreThanOrdered,
     lambda t: t.tell(t.order(), kind="return", lines=[{"line": 1, "quantity": "3"}])),
    ("device_at", errors.InTheFuture, lambda t: t.tell(t.order(), device_at=NOW + timedelta(minutes=6))),
    ("device_at", errors.OutsideWindow, lambda t: t.tell(t.order(on=date(2026, 1, 17)))),
    ("device_at", errors.OutsideWindow, lambda t: t.tell(t.order(on=date(2026, 1, 13)))),
    ("device_at", errors.OutsideWindow,
     lambda t: t.tell(t.order(on=date(2026, 1, 13)), kind="correct", authority="staff")),
    ("device_at", errors.OutsideWindow,
     lambda t: t.tell(t.order(on=date(2026, 1, 13)), kind="correct", authority="driver", reason="late")),
    ("device_at", errors.OutsideWindow,
     lambda t: t.tell(t.order(on=date(2026, 1, 13)), kind="confirm", authority="staff", reason="late")),
]  # fmt: skip


def _without(town: Town, table: str) -> Verdict:
    order = town.order()
    town.session.execute(text("DELETE FROM delivery_lines"))
    if table == "deliveries":
        town.session.execute(text("DELETE FROM deliveries"))
    return town.tell(order)


@pytest.mark.parametrize(("field", "failure", "case"), REFUSALS, ids=[f"{f}-{e.__name__}" for f, e, _ in REFUSALS])
def test_each_rule_refuses_names_its_field_and_writes_no_fact(town: Town, field: str, failure: Any, case: Any) -> None:
    verdict = case(town)
    assert (verdict.answer, verdict.field) == (Answer.rejected, field)
    assert verdict.rule.startswith(failure.__doc__)
    kept = rows(town.session, "SELECT field, rule, client_id, body, resolved_at FROM delivery_rejections")
    assert [(k["field"], k["rule"], k["client_id"], k["resolved_at"]) for k in kept] == [
        (field, verdict.rule, verdict.client_id, None)
    ]
    assert read(kept[0]["body"].encode()).client_id == verdict.client_id
    assert town.count("delivery_events") == (1 if failure is errors.ClientIdTaken else 0)


BAD = [
    ('{"client_id"', None, "EOF"),
    ("[]", None, "object"),
    ('{"client_id":"a","kind":"confirm","order_id":"%s","outcome":"delivered"}', "device_at", "required"),
    ('{%s,"outcome":"delivered","tip":5}', "tip", "No such field"),
    ('{%s,"outcome":"delivered","device_at":1768435200}', "device_at", "ISO 8601"),
    ('{%s,"outcome":"delivered","device_at":"2026-01-15T06:30:00"}', "device_at", "timezone"),
    ('{%s,"outcome":"delivered","device_at":"0001-01-01T00:00:00+05:30"}', "device_at", "between"),
    ('{%s,"lines":[{"line":1,"quantity":"NaN"}]}', "lines.0.quantity", "finite"),
    ('{%s,"lines":[{"line":1,"quantity":"Infinity"}]}', "lines.0.quantity", "finite"),
    ('{%s,"lines":[{"line":1,"quantity":NaN}]}', "lines.0.quantity", "finite"),
    ('{%s,"lines":[{"line":1,"quantity":-1}]}', "lines.0.quantity", "greater than or equal to 0"),
    ('{%s,"lines":[{"line":1,"quantity":true}]}', "lines.0.quantity", "number"),
    ('{%s,"lines":[{"line":1,"quantity":"0.0001"}]}', "lines.0.quantity", "decimal places"),
    ('{%s,"lines":[{"line":1,"quantity":"123456789012345"}]}', "lines.0.quantity", "digits"),
    ('{%s,"lines":[{"line":1,"order_line_id":"018f0000-0000-7000-8000-000000000000","quantity":1}]}', "lines.0", "one way"),
    ('{%s,"lines":[{"quantity":1}]}', "lines.0", "one way"),
    ('{%s,"lines":[]}', "lines", "at least 1"),
    ("{%s}", "outcome", "outcome or the lines"),
    ('{%s,"outcome":"delivered","lines":[{"line":1,"quantity":1}]}', "outcome", "outcome or the lines"),
    ('{%s,"kind":"return","outcome":"delivered"}', "lines", "return names the lines"),
    ('{%s,"kind":"return","lines":[{"line":1,"quantity":0}]}', "lines", "return names the lines"),
    ('{%s,"order_code":"O-1","outcome":"delivered"}', "order_id", "not both"),
    ('{%s,"order_id":null,"outcome":"delivered"}', "order_id", "Name the order"),
    ('{%s,"order_id":"abc","outcome":"delivered"}', "order_id", "UUID"),
    ('{%s,"authority":"boss","outcome":"delivered"}', "authority", "staff"),
    ('{%s,"client_id":"a\\u0000","outcome":"delivered"}', "client_id", "pattern"),
    ('{%s,"client_id":"","outcome":"delivered"}', "client_id", "at least 1"),
    ('{%s,"empties":[{"container":"crate","quantity":1},{"container":"crate","quantity":2}],"outcome":"delivered"}', "empties", "once"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "field", "rule"), BAD)
def test_a_malformed_confirmation_names_field_and_rule(body: str, field: str | None, rule: str) -> None:
    stem = f'"client_id":"a","kind":"confirm","order_id":"{uuid4()}","device_at":"{AT}"'
    found = read(body.replace("%s", stem if body.startswith(("{%s", "[")) else str(uuid4())).encode())
    assert isinstance(found, NotRead)
    assert (found.field, rule in found.rule) == (field, True), found


def test_a_client_id_too_long_for_an_index_is_kept_shortened(town: Town) -> None:
    noise = "".join(sha256(str(n).encode()).hexdigest() for n in range(200))  # does not compress
    body = f'{{"client_id":"{noise}"}}'.encode()
    door.confirm_many(town.session, town.ctx, [read(body)], bodies=[body])
    kept = rows(town.session, "SELECT client_id, body FROM delivery_rejections")[0]
    assert (len(kept["client_id"]), kept["body"]) == (200, body.decode())


def test_bytes_that_are_not_utf8_are_kept_readable(town: Town) -> None:
    body = b'{"client_id":"\xff\x00"}'
    found = read(body)
    assert isinstance(found, NotRead)
    assert "UTF-8 at byte 15" in found.rule
    door.confirm_many(town.session, town.ctx, [found], bodies=[body])
    assert value(town.session, "SELECT body FROM delivery_rejections") == '{"client_id":"\\xff\\x00"}'


@pytest.mark.parametrize(
    ("on", "at"),
    [
        (ON, "2026-01-14T00:00:00+05:30"),
        (date(2026, 1, 14), "2026-01-15T23:59:00+05:30"),
        (ON, (NOW + timedelta(minutes=5)).isoformat()),
    ],
)
def test_a_day_before_and_after_and_a_fast_clock_are_real(town: Town, on: date, at: str) -> None:
    town.ctx = town.ctx.at(NOW if "+00:00" in at else NOW + timedelta(days=1))
    assert town.tell(town.order(on=on), device_at=at).answer == Answer.accepted


def test_staff_corrects_outside_the_window_with_a_reason(town: Town) -> None:
    order = town.order(on=date(2026, 1, 5))
    assert town.tell(order, kind="correct", authority="staff", reason="bill disputed").answer == Answer.accepted


def test_the_policies_switch_the_rules_and_widen_the_window(town: Town) -> None:
    town.session.execute(
        text(
            "INSERT INTO policies VALUES ('check_quantities', 'false', now(), 'x'), ('confirm_window_days', '3', now(), 'x')"
        )
    )
    order = town.order("2", on=date(2026, 1, 12))
    assert town.tell(order, lines=[{"line": 1, "quantity": 5}]).answer == Answer.accepted
    assert town.delivered(order) == [Decimal(2)]
    assert rows(town.session, "SELECT check_name, facts FROM findings")[0]["facts"]["quantity"] == "3.000"
    late = town.order(on=date(2026, 1, 11))
    assert town.tell(late).rule.startswith(errors.OutsideWindow.__doc__)
    town.session.execute(text("INSERT INTO policies VALUES ('check_dates', 'false', now(), 'x')"))
    assert town.tell(late, device_at=datetime(2030, 1, 1, tzinfo=NOW.tzinfo)).answer == Answer.accepted


def test_a_repeat_changes_nothing_and_gets_the_first_answer(town: Town) -> None:
    order = town.order()
    item = said(order, lines=[{"line": 1, "quantity": "1.0"}, {"line": 2, "quantity": 1}])
    first = door.confirm(town.session, town.ctx, item)
    before = [town.count(t) for t in ("delivery_events", "delivery_event_lines", "audit_entries")]
    respelt = read(item.model_dump_json().replace("1.000", "1").encode())
    assert isinstance(respelt, Confirmation)
    again = door.confirm_many(town.session, town.ctx, [item, respelt])
    assert again == [first._replace(answer=Answer.repeated, first=Answer.accepted)] * 2
    assert [town.count(t) for t in ("delivery_events", "delivery_event_lines", "audit_entries")] == before


def test_a_loser_is_kept_and_the_conflict_shows(town: Town) -> None:
    order = town.order("2")
    staff = town.tell(order, kind="correct", authority="staff", lines=[{"line": 1, "quantity": 1}])
    loser = town.tell(order, actor={"kind": "user", "name": "Prakash"})
    assert (staff.answer, loser.answer) == (Answer.accepted, Answer.superseded)
    assert town.delivered(order) == [Decimal(1)]
    assert town.count("delivery_events") == 2
    found = rows(town.session, "SELECT * FROM findings")
    assert [(f["check_name"], f["subject"], f["severity"]) for f in found] == [
        ("confirmations_disagree", str(order.delivery_line_ids[0]), "warning")
    ]
    assert found[0]["facts"]["told"] == {staff.client_id: "1.000", loser.client_id: "2.000"}


def test_one_person_changing_their_mind_is_no_conflict(town: Town) -> None:
    order = town.order("2")
    town.tell(order)
    town.tell(order, outcome="not_delivered", device_at="2026-01-15T06:31:00+05:30")
    assert (town.states(order), town.count("findings")) == (("not_delivered", "not_delivered"), 0)


def test_two_devices_of_one_person_that_disagree_are_a_conflict_which_a_correction_closes(town: Town) -> None:
    order = town.order("2")
    states = "SELECT check_name, state FROM findings ORDER BY check_name"
    town.tell(order, device_id="phone")
    town.tell(order, outcome="not_delivered", device_id="tablet", device_at="2026-01-15T06:31:00+05:30")
    assert rows(town.session, states) == [{"check_name": "confirmations_disagree", "state": "open"}]
    town.tell(order, kind="correct", authority="staff", reason="asked them both")
    assert rows(town.session, states) == [{"check_name": "confirmations_disagree", "state": "resolved"}]
    town.tell(order, outcome="not_delivered", authority="link", device_id="helper's")
    assert rows(town.session, states)[0]["state"] == "resolved"


def test_what_comes_in_long_after_its_day_counts_and_goes_to_review(town: Town) -> None:
    order = town.order("2")
    verdict = door.confirm(town.session, town.ctx.at(town.ctx.now + timedelta(days=5)), said(order, client_id="lift"))
    assert (verdict.answer, town.delivered(order)) == (Answer.accepted, [Decimal(2)])
    found = rows(town.session, "SELECT check_name, subject, state, facts FROM findings")
    assert [(f["check_name"], f["subject"], f["state"]) for f in found] == [("told_late", "lift", "open")]
    assert (found[0]["facts"]["planned_on"], found[0]["facts"]["received_on"]) == ("2026-01-15", "2026-01-20")
    door.confirm(
        town.session,
        town.ctx.at(town.ctx.now + timedelta(days=9)),
        said(order, kind="correct", authority="staff", reason="seen"),
    )
    assert town.count("findings") == 1


def test_an_excess_that_a_later_word_takes_away_is_over(town: Town) -> None:
    order = town.order("2")
    town.tell(order, lines=[{"line": 1, "quantity": 1}])
    town.tell(order, kind="return", lines=[{"line": 1, "quantity": 2}], device_at="2026-01-15T08:00:00+05:30")
    assert [f["state"] for f in rows(town.session, "SELECT state FROM findings")] == ["open"]
    town.tell(order, device_at="2026-01-15T06:45:00+05:30")
    assert [f["state"] for f in rows(town.session, "SELECT state FROM findings")] == ["resolved"]


def test_crates_given_and_empties_taken_back_are_moved_by_the_word_that_counts(town: Town) -> None:
    order = town.order()
    town.tell(order, given=[{"container": "crate", "quantity": 2}], empties=[{"container": "crate", "quantity": 1}])
    town.tell(order, authority="link", given=[{"container": "crate", "quantity": 9}])
    aside = said(order, kind="correct", authority="staff", outcome=None, given=[{"container": "crate", "quantity": 3}],
                 empties=[{"container": "crate", "quantity": 0}])  # fmt: skip
    assert door.confirm(town.session, town.ctx, aside).outcome == "delivered"
    moved = rows(town.session, "SELECT quantity FROM container_movements ORDER BY id")
    assert sorted(m["quantity"] for m in moved) == [-1, 1, 1, 2]


def test_a_return_comes_off_and_counts_only_after_the_winner(town: Town) -> None:
    order = town.order("2")
    early = town.tell(order, kind="return", lines=[{"line": 1, "quantity": 1}], device_at="2026-01-15T06:00:00+05:30")
    assert (early.answer, early.outcome, town.states(order)) == (Answer.superseded, "planned", ("planned", "planned"))
    town.tell(order, kind="return", lines=[{"line": 1, "quantity": "0.5"}], device_at="2026-01-15T07:00:00+05:30")
    town.tell(order)
    assert (town.delivered(order), town.states(order)) == ([Decimal("1.5")], ("partially_delivered",) * 2)
    town.tell(order, kind="return", lines=[{"line": 1, "quantity": 2}], device_at="2026-01-15T08:00:00+05:30")
    assert (town.delivered(order), town.states(order)) == ([Decimal(0)], ("not_delivered",) * 2)
    assert [f["check_name"] for f in rows(town.session, "SELECT * FROM findings")] == ["quantities_beyond_order"]


def test_empties_leave_the_customer_once_however_many_tell_it(town: Town) -> None:
    order = town.order()
    town.tell(order, empties=[{"container": "bottle", "quantity": 3}])
    town.tell(order, authority="link", empties=[{"container": "bottle", "quantity": 9}])
    town.tell(order, authority="staff", kind="correct", empties=[{"container": "bottle", "quantity": 2}])
    moved = rows(town.session, "SELECT quantity FROM container_movements ORDER BY id")
    assert [m["quantity"] for m in moved] == [-3, 1]


def test_an_order_is_the_sum_of_its_attempts(town: Town) -> None:
    order = town.order("2", "1")
    town.tell(order, client_id="a", outcome="not_delivered")
    second = attempts.plan_next(
        town.session, town.ctx, order.order_id, on=date(2026, 1, 16), shift="evening", driver_id=None
    )
    assert town.states(order) == ("planned", "not_delivered")
    town.tell(order, client_id="b", attempt=1, lines=[{"line": 1, "quantity": 2}], authority="staff")
    assert town.states(order) == ("partially_delivered", "partially_delivered")
    town.tell(
        order,
        client_id="c",
        attempt=1,
        outcome="not_delivered",
        authority="staff",
        device_at="2026-01-15T09:00:00+05:30",
    )
    assert town.states(order) == ("planned", "not_delivered")
    verdict = town.tell(order, client_id="d")
    assert (verdict.delivery_id, town.states(order)) == (second, ("delivered", "not_delivered"))
    town.tell(order, client_id="e", attempt=1, authority="staff", device_at="2026-01-15T10:00:00+05:30")
    assert {f["check_name"] for f in rows(town.session, "SELECT * FROM findings")} == {"quantities_beyond_order"}
    with pytest.raises(errors.NoNextAttempt):
        attempts.plan_next(town.session, town.ctx, order.order_id, on=ON, shift=None, driver_id=None)


def test_a_rejected_one_that_comes_right_is_resolved(town: Town) -> None:
    order = town.order()
    bad = said(order, client_id="x", lines=[{"line": 9, "quantity": 1}])
    good = said(order, client_id="x")
    door.confirm_many(town.session, town.ctx, [bad, good])
    other = town.order()
    door.confirm(town.session, town.ctx, said(other, client_id="y", attempt=7))
    door.confirm(town.session, town.ctx, said(other, client_id="y"))
    assert all(r["resolved_at"] for r in rows(town.session, "SELECT resolved_at FROM delivery_rejections"))
    door.confirm_many(town.session, town.ctx, [bad])
    assert town.count("delivery_rejections") == 3  # x was refused for its lines, then for its taken client_id


def test_a_row_the_database_refuses_is_found_and_the_others_stand(town: Town) -> None:
    town.session.execute(
        text(
            "CREATE FUNCTION pick() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.client_id = 'bad' THEN "
            "RAISE EXCEPTION 'not this one' USING ERRCODE = 'check_violation'; END IF; RETURN NEW; END $$; "
            "CREATE TRIGGER pick BEFORE INSERT ON delivery_events FOR EACH ROW EXECUTE FUNCTION pick()"
        )
    )
    items = [said(town.order(), client_id="bad" if n == 4 else str(n)) for n in range(7)]
    answers = door.confirm_many(town.session, town.ctx, items)
    assert [a.answer for a in answers] == [Answer.rejected if n == 4 else Answer.accepted for n in range(7)]
    assert answers[4].rule == f"{errors.DatabaseRefused.__doc__} (reason=not this one)"
    assert town.count("delivery_events") == 6


def test_an_imported_event_without_words_speaks_through_its_deltas(town: Town) -> None:
    order = town.order("2")
    event = town.tell(order).event_id
    assert event
    town.session.execute(text("SET LOCAL earlybird.step = '20'"))
    town.session.execute(text("UPDATE delivery_events SET told = NULL"))
    assert town.tell(order, authority="link", outcome="not_delivered").answer == Answer.superseded
    assert town.delivered(order) == [Decimal(2)]


QUANTITY = st.integers(0, 3)
EVENT = st.tuples(
    st.sampled_from(["confirm", "correct", "return"]),
    st.sampled_from(["staff", "driver", "substitute", "link"]),
    st.sampled_from(["phone", "tablet", "desk"]),
    st.integers(0, 4),
    QUANTITY,
    QUANTITY,
)


@given(events=st.lists(EVENT, min_size=1, max_size=6), seed=st.integers(0, 2**16))
@settings(
    max_examples=200 if SOAK else 20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_order_and_repetition_of_events_ends_in_the_same_state(
    town: Town, events: list[tuple[Any, ...]], seed: int
) -> None:
    ends = []
    for shuffle in range(2):
        order = town.order("3", "3")
        items = []
        for n, (kind, authority, device, minute, first, second) in enumerate(events):
            told = [{"line": 1, "quantity": first}, {"line": 2, "quantity": second}]
            lines = [line for line in told if line["quantity"]] if kind == "return" else told
            if lines:
                items.append(
                    said(
                        order,
                        client_id=f"{order.order_id}-{n}",
                        kind=kind,
                        authority=authority,
                        lines=lines,
                        actor={"kind": "device", "name": device},
                        device_at=f"2026-01-15T06:3{minute}:00+05:30",
                        empties=[{"container": "crate", "quantity": n + 1}] if kind == "confirm" else None,
                    )
                )
        if shuffle:
            dice = random.Random(seed)
            items = [*items, *dice.choices(items, k=3)] if items else []
            dice.shuffle(items)
            for item in items[: len(items) // 2]:
                door.confirm(town.session, town.ctx, item)
            items = items[len(items) // 2 :]
        door.confirm_many(town.session, town.ctx, items)
        summed = [
            value(
                town.session,
                "SELECT coalesce(sum(delta_quantity), 0) FROM delivery_event_lines WHERE delivery_line_id = :id",
                {"id": line},
            )
            for line in order.delivery_line_ids
        ]
        crates = value(
            town.session,
            "SELECT sum(m.quantity) FROM container_movements m JOIN delivery_events e ON e.id = m.event_id "
            "WHERE e.delivery_id = :id",
            {"id": order.delivery_id},
        )
        findings = value(
            town.session,
            "SELECT array_agg(check_name ORDER BY check_name) FROM findings WHERE subject = ANY(:ids) "
            "AND check_name = 'confirmations_disagree'",
            {"ids": [str(line) for line in order.delivery_line_ids]},
        )
        assert town.delivered(order) == summed
        ends.append((summed, town.states(order), crates, findings))
    assert ends[0] == ends[1]
