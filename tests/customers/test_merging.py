"""Two that are one: what is to come goes over, what was stays, and taking it back restores every row."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlalchemy.orm import Session

import make
from earlybird.customers import queries, service
from earlybird.customers.errors import Archived, CannotUndo, NotOneBusiness, PricesDiffer, SameCustomer
from earlybird.customers.models import Customer
from earlybird.customers.service import Door, Newcomer
from earlybird.infra.db import rehearsal, rows, run, value
from earlybird.kernel.ctx import Ctx

TABLES = ("customers", "users", "memberships", "subscriptions", "customer_keys", "addresses", "api_keys", "prices")


def picture(session: Session) -> dict[str, Any]:
    session.flush()
    return {name: rows(session, f"SELECT CAST(to_jsonb(t) AS text) AS row FROM {name} t ORDER BY 1") for name in TABLES}


def household(session: Session, ctx: Ctx, name: str, **facts: Any) -> UUID:
    wanted = Newcomer(name=name, address=Door(line1=f"{name} Road"), **facts)
    return service.create(session, ctx, wanted).id


def test_what_is_to_come_goes_over_and_what_was_stays(session: Session, ctx: Ctx) -> None:
    firm = make.business(session)
    gone = household(session, ctx, "Meena R", keys=[("old", "id", "17")])
    into = household(session, ctx, "Meena Rao")
    paid_for = household(session, ctx, "Son", bill_to_id=gone)
    milk = make.product(session, firm)
    standing = make.subscription(session, session.get_one(Customer, gone), milk)
    order = make.planned(session, firm, gone, [milk.id])
    service.merge(session, ctx, gone, into, reason="registered twice")
    assert value(session, "SELECT customer_id FROM subscriptions") == into
    door = value(session, "SELECT id FROM addresses WHERE customer_id = :id", {"id": gone})
    assert value(session, "SELECT address_id FROM subscriptions WHERE id = :id", {"id": standing.id}) == door
    assert value(session, "SELECT customer_id FROM orders WHERE id = :id", {"id": order.order_id}) == gone
    assert queries.find_by_keys(session, "old", "id", ["17"]) == {"17": into}
    assert value(session, "SELECT bill_to_id FROM customers WHERE id = :id", {"id": paid_for}) == into
    assert value(session, "SELECT bill_to_id FROM customers WHERE id = :id", {"id": gone}) == into
    assert set(queries.family(session, into)) == {gone, into}
    assert {d["customer_id"] for d in queries.addresses(session, ctx, into)} == {gone, into}
    members = rows(
        session, "SELECT user_id, customer_id FROM memberships WHERE customer_id IN (:a, :b)", {"a": gone, "b": into}
    )
    assert len(members) == 4
    shown = queries.get(session, ctx, gone)
    assert (shown["merged_into_id"], shown["login_id"]) == (into, None)
    with pytest.raises(Archived):
        service.change(session, ctx, gone, name="Back")
    run(session, "SET CONSTRAINTS ALL IMMEDIATE")


def test_what_cannot_be_one_is_refused(session: Session, ctx: Ctx) -> None:
    firm = make.business(session)
    one = household(session, ctx, "One")
    other = household(session, ctx, "Other")
    with pytest.raises(SameCustomer):
        service.merge(session, ctx, one, one, reason="x")
    milk = make.product(session, firm)
    make.subscription(session, session.get_one(Customer, one), milk)
    run(
        session,
        "INSERT INTO prices (product_id, scope, customer_id, unit_price, currency, valid_from) "
        "VALUES (:p, 'customer', :c, 48, 'INR', '2025-01-01')",
        {"p": milk.id, "c": one},
    )
    with pytest.raises(PricesDiffer) as refused:
        service.merge(session, ctx, one, other, reason="x")
    assert refused.value.facts["products"] == ["Toned Milk"]
    far = make.business(session, "Elsewhere")
    stranger = service.create(session, ctx, Newcomer(name="Stranger", site_id=far.site_id)).id
    with pytest.raises(NotOneBusiness):
        service.merge(session, ctx, stranger, other, reason="x")


def test_a_merge_that_was_built_upon_is_not_taken_back(session: Session, ctx: Ctx) -> None:
    firm = make.business(session)
    a, b, c = (household(session, ctx, name) for name in "ABC")
    make.subscription(session, session.get_one(Customer, a), make.product(session, firm))
    first = service.merge(session, ctx, a, b, reason="x")
    second = service.merge(session, ctx, b, c, reason="x")
    with pytest.raises(CannotUndo) as refused, session.begin_nested():
        service.undo(session, ctx, first, reason="y")
    assert refused.value.facts["table"] in {"memberships", "customers", "subscriptions"}
    service.undo(session, ctx, second, reason="y")
    service.undo(session, ctx, first, reason="y")
    assert value(session, "SELECT count(*) FROM customers WHERE archived_at IS NULL") == 3


HISTORY = st.lists(
    st.tuples(
        st.sampled_from(["standing", "stopped", "key", "payer", "member", "email", "address", "api_key"]),
        st.integers(0, 3),
        st.integers(0, 3),
    ),
    max_size=8,
)
MERGES = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 3)).filter(lambda p: p[0] != p[1]), min_size=1, max_size=4
)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=HISTORY, merges=MERGES)
def test_taken_back_everything_is_as_before(worker_engine: Engine, ctx: Ctx, history: Any, merges: Any) -> None:
    with rehearsal(worker_engine) as session:
        firm = make.business(session)
        milk = make.product(session, firm)
        people = [household(session, ctx, name) for name in "ABCD"]
        for number, (what, x, y) in enumerate(history):
            one, two = people[x], people[y]
            if what in {"standing", "stopped"}:
                make.subscription(
                    session, session.get_one(Customer, one), milk, state="active" if what == "standing" else "stopped"
                )
            elif what == "key":
                run(session, "INSERT INTO customer_keys VALUES ('old', 'id', :k, :c)", {"k": str(number), "c": one})
            elif what == "payer":
                facts = {"a": one, "b": two}
                run(
                    session,
                    "UPDATE customers SET bill_to_id = :b WHERE id = :a AND id <> :b AND NOT EXISTS (SELECT FROM "
                    "customers o WHERE o.bill_to_id = :a OR (o.id = :b AND o.bill_to_id IS NOT NULL))",
                    facts,
                )
            elif what == "member":
                run(
                    session,
                    "INSERT INTO memberships (user_id, role, customer_id) SELECT id, 'customer', :b FROM users "
                    "WHERE customer_id = :a ON CONFLICT DO NOTHING",
                    {"a": one, "b": two},
                )
            elif what == "email":
                service.change(session, ctx, one, email=f"n{number}@example.com")
            elif what == "address":
                service.add_address(session, ctx, one, line1=f"Door {number}")
            else:
                run(
                    session,
                    "INSERT INTO api_keys (name, prefix, key_hash, role, actions, customer_id, created_at) "
                    "VALUES ('k', 'ebk_', :h, 'customer', '{}', :c, now())",
                    {"h": str(number), "c": one},
                )
        before = picture(session)
        made = []
        for x, y in merges:
            try:
                with session.begin_nested():
                    made.append(service.merge(session, ctx, people[x], people[y], reason="twice"))
            except Archived:
                continue
        assert made or all(people[x] == people[y] for x, y in merges)
        run(session, "SET CONSTRAINTS ALL IMMEDIATE")
        run(session, "SET CONSTRAINTS ALL DEFERRED")
        for key in reversed(made):
            assert picture(session) != before
            service.undo(session, ctx, key, reason="not twice")
        assert picture(session) == before
        run(session, "SET CONSTRAINTS ALL IMMEDIATE")
