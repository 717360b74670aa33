"""What people do is told row by row with before and after; what machines do in bulk by count and digest."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy.orm import Session

import make
from earlybird.audit import service as audit
from earlybird.infra.db import rows, run
from earlybird.kernel.ctx import SYSTEM, Actor, Ctx
from earlybird.orders.states import MACHINE

TOLD = "SELECT * FROM audit_entries WHERE action = :action ORDER BY entity_id"


@pytest.fixture
def placed(session: Session, ctx: Ctx) -> list[UUID]:
    firm = make.business(session)
    customer = make.customer(session, firm)
    facts = {"firm": firm.id, "site": firm.site_id, "customer": customer.id, "now": ctx.now}
    found = rows(
        session,
        "INSERT INTO orders (seller_id, site_id, customer_id, source, state) SELECT :firm, :site, :customer, 'one_time', "
        "CASE n WHEN 1 THEN 'planned' WHEN 2 THEN 'cancelled' ELSE 'placed' END FROM generate_series(1, 4) n RETURNING id",
        facts,
    )
    return [row["id"] for row in found]


@pytest.mark.parametrize("kind", ["user", "link", "key"])
def test_moves_of_a_person_are_told_one_by_one(session: Session, ctx: Ctx, placed: list[UUID], kind: str) -> None:
    actor = Actor(kind=kind, name="Prakash", role="driver", id=placed[0])
    there = replace(ctx, actor=actor, address="203.0.113.7", device="Pixel", via="driver app")
    moved = audit.move_many(session, there, "orders", MACHINE, "cancel", placed, reason="asked")
    assert len(moved) == 3
    told = rows(session, TOLD, {"action": "order.cancel"})
    assert [row["entity_id"] for row in told] == sorted(moved)
    assert sorted(row["before"]["state"] for row in told) == ["placed", "placed", "planned"]
    for row in told:
        assert (row["after"], row["reason"], row["row_count"]) == ({"state": "cancelled"}, "asked", 1)
        assert (row["actor_kind"], row["actor_id"], row["actor_name"], row["role"]) == (
            kind,
            placed[0],
            "Prakash",
            "driver",
        )
        assert (row["address"], row["device"], row["via"], row["at"]) == ("203.0.113.7", "Pixel", "driver app", ctx.now)
        assert row["trace_id"] == there.trace_id


def test_bulk_work_of_a_machine_is_told_by_count_and_digest(session: Session, ctx: Ctx, placed: list[UUID]) -> None:
    machine = replace(ctx, actor=SYSTEM)
    audit.move_many(session, machine, "orders", MACHINE, "cancel", placed)
    audit.record_many(session, machine, "test.many", "order", placed)
    for action, count in (("order.cancel", 3), ("test.many", 4)):
        [told] = rows(session, TOLD, {"action": action})
        assert (told["entity_id"], told["row_count"], len(told["digest"])) == (None, count, 64)
    run(session, "UPDATE orders SET state = 'placed' WHERE id = :id", {"id": placed[3]})
    audit.move_many(session, machine, "orders", MACHINE, "cancel", [placed[3]])
    assert [row["entity_id"] for row in rows(session, TOLD, {"action": "order.cancel"})] == [placed[3], None]


def test_many_facts_of_a_person_are_told_one_by_one(session: Session, ctx: Ctx, placed: list[UUID]) -> None:
    audit.record_many(session, ctx, "test.many", "order", placed, after={"on": ctx.now.date()}, reason="asked")
    told = rows(session, TOLD, {"action": "test.many"})
    assert [row["entity_id"] for row in told] == sorted(placed)
    assert {str(row["after"]) for row in told} == {"{'on': '2026-01-15'}"}
    audit.record_many(session, ctx, "test.none", "order", [])
    assert rows(session, TOLD, {"action": "test.none"}) == []
