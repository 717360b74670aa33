"""Two transactions at one door: the second waits for the first, and then knows what it said."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

import make
from earlybird.deliveries import errors
from earlybird.deliveries.schemas import Answer, Confirmation, Verdict
from earlybird.deliveries.service import door
from earlybird.infra.db import rows, transaction, value
from earlybird.kernel.ctx import Ctx
from make.planned import Planned


def said(order: Planned, client_id: str, **over: Any) -> Confirmation:
    facts = {"client_id": client_id, "kind": "confirm", "order_id": order.order_id, "outcome": "delivered",
             "device_at": "2026-01-15T06:30:00+05:30"}  # fmt: skip
    return Confirmation.model_validate(facts | over)


def orders(engine: Engine, count: int) -> list[Planned]:
    with transaction(engine) as session:
        firm = make.business(session)
        product, customer = make.product(session, firm).id, make.customer(session, firm).id
        return [make.planned(session, firm, customer, [product], ["2"]) for _ in range(count)]


def one_after_the_other(engine: Engine, ctx: Ctx, first: Confirmation, second: Confirmation) -> Verdict:
    """Start the second while the first is told but not committed; return the second's verdict."""

    def tell() -> Verdict:
        with transaction(engine) as session:
            return door.confirm(session, ctx, second)

    with ThreadPoolExecutor(1) as thread:
        with transaction(engine) as session:
            door.confirm(session, ctx, first)
            answer = thread.submit(tell)
            with Session(engine) as watch:
                waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
                while not value(watch, waiting):
                    assert not answer.done()
                    watch.rollback()
        return answer.result()


def test_the_second_to_speak_of_an_order_knows_what_the_first_said(fresh: Engine, ctx: Ctx) -> None:
    order = orders(fresh, 1)[0]
    first = said(order, "a", outcome="not_delivered", authority="staff")
    assert one_after_the_other(fresh, ctx, first, said(order, "b")).answer == Answer.superseded
    with Session(fresh) as session:
        assert value(session, "SELECT delivered_quantity FROM delivery_lines") == Decimal(0)
        assert {
            r["state"] for r in rows(session, "SELECT state FROM orders UNION ALL SELECT state FROM deliveries")
        } == {"not_delivered"}


def test_one_client_id_for_two_orders_at_once_is_told_as_taken(fresh: Engine, ctx: Ctx) -> None:
    one, two = orders(fresh, 2)
    verdict = one_after_the_other(fresh, ctx, said(one, "a"), said(two, "a"))
    assert (verdict.answer, verdict.field, verdict.rule) == (
        Answer.rejected, "client_id", errors.ClientIdTaken.__doc__,
    )  # fmt: skip
