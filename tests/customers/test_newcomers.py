"""A customer comes with a login: by every entrance, one to one, and the database holds us to it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

import make
from earlybird.customers import service
from earlybird.customers.errors import AreaUnknown, LanguageUnknown, PayerUnknown, SiteUnknown
from earlybird.customers.service import Door, Newcomer
from earlybird.identity.errors import BadEmail, BadPhone
from earlybird.infra.db import rows, run, transaction, value
from earlybird.kernel import ids
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.errors import Failure

HELD = "SET CONSTRAINTS ALL IMMEDIATE"


def login(session: Session, customer_id: Any) -> dict[str, Any]:
    found = rows(session, "SELECT * FROM users WHERE customer_id = :id", {"id": customer_id})
    assert len(found) == 1
    return found[0]


def test_a_customer_comes_with_a_door_and_a_login(session: Session, ctx: Ctx) -> None:
    firm = make.business(session)
    made = service.create(
        session,
        ctx,
        Newcomer(
            name="Meena Rao", phone="98450 12345", email="Meena@Example.com", address=Door(line1="12 Temple Road")
        ),
    )
    assert (made.site_id, made.phone, made.phone_as_given) == (firm.site_id, "+919845012345", "98450 12345")
    own = login(session, made.id)
    assert (own["email"], own["state"], own["password_hash"]) == ("meena@example.com", "uninvited", None)
    member = rows(session, "SELECT * FROM memberships WHERE user_id = :id", {"id": own["id"]})
    assert [(m["role"], m["customer_id"]) for m in member] == [("customer", made.id)]
    assert value(session, "SELECT line1 FROM addresses WHERE customer_id = :id AND is_default", {"id": made.id})
    run(session, HELD)


def test_without_an_address_of_its_own_the_login_gets_one_nobody_writes_to(session: Session, ctx: Ctx) -> None:
    make.business(session)
    first, taken, none = service.create_many(
        session,
        ctx,
        [Newcomer(name="A", email="a@example.com"), Newcomer(name="B", email="A@example.com"), Newcomer(name="C")],
    )
    assert login(session, first)["email"] == "a@example.com"
    for key in (taken, none):
        assert login(session, key)["email"] == f"customer-{key}@earlybird.local"
    assert value(session, "SELECT email FROM customers WHERE id = :id", {"id": taken}) == "a@example.com"
    run(session, HELD)


def test_a_first_password_must_be_changed_and_is_one_hash_for_all(session: Session, ctx: Ctx) -> None:
    make.business(session)
    made = service.create_many(session, ctx, [Newcomer(name="A"), Newcomer(name="B")], first_hash="$argon2id$x")
    for key in made:
        own = login(session, key)
        assert (own["password_hash"], own["must_change_password"], own["state"]) == ("$argon2id$x", True, "invited")
    kept = value(session, "SELECT string_agg(CAST(e AS text), ' ') FROM audit_entries e")
    assert "argon2id" not in kept


def test_many_are_few_statements(session: Session, ctx: Ctx) -> None:
    from sqlalchemy import event

    make.business(session)
    seen: list[str] = []
    event.listen(session.connection(), "before_cursor_execute", lambda *facts: seen.append(facts[2]))
    made = service.create_many(
        session,
        ctx,
        [
            Newcomer(
                name=f"Household {n}",
                email=f"h{n}@example.com",
                address=Door(line1=f"{n} Temple Road"),
                keys=[("sheet", "row", str(n))],
            )
            for n in range(500)
        ],
    )
    assert len(set(made)) == 500
    assert len(seen) < 15
    assert value(session, "SELECT count(*) FROM users WHERE customer_id IS NOT NULL") == 500
    assert value(session, "SELECT customer_id FROM customer_keys WHERE key = '7'") == made[7]
    run(session, HELD)


@pytest.mark.parametrize(
    ("facts", "failure"),
    [
        ({"phone": "12"}, BadPhone),
        ({"email": "nobody"}, BadEmail),
        ({"language": "klingon!"}, LanguageUnknown),
        ({"site_id": ids.new_id()}, SiteUnknown),
        ({"area_id": ids.new_id()}, AreaUnknown),
        ({"bill_to_id": ids.new_id()}, PayerUnknown),
    ],
)
def test_what_breaks_a_rule_names_its_row_and_field(
    session: Session, ctx: Ctx, facts: dict[str, Any], failure: type[Failure]
) -> None:
    make.business(session)
    with pytest.raises(failure) as refused:
        service.create_many(session, ctx, [Newcomer(name="Good"), Newcomer(name="Bad", **facts)])
    assert refused.value.facts["row"] == 1
    assert refused.value.field == next(iter(facts))
    assert value(session, "SELECT count(*) FROM customers") == 0


def test_two_at_once_with_one_address_both_get_a_login(fresh: Engine, ctx: Ctx) -> None:
    with transaction(fresh) as session:
        make.business(session)

    def take_on(name: str) -> None:
        with transaction(fresh) as session:
            service.create(session, ctx, Newcomer(name=name, email="same@example.com"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(take_on, "ABCDEFGH"))
    with transaction(fresh) as session:
        found = rows(session, "SELECT email, customer_id FROM users WHERE customer_id IS NOT NULL")
        assert len({row["customer_id"] for row in found}) == 8
        assert sorted(row["email"] == "same@example.com" for row in found) == [False] * 7 + [True]


BREAKS = {
    "a customer without a login": (
        "INSERT INTO customers (business_id, site_id, code, name) SELECT business_id, site_id, 'C-2', 'B' FROM customers"
    ),
    "a login taken away": "UPDATE users SET customer_id = NULL",
    "a login deleted": "WITH m AS (DELETE FROM memberships) DELETE FROM users",
    "a second login": "INSERT INTO users (name, email, customer_id) SELECT 'B', 'b@example.com', id FROM customers",
    "a login that is no member": "UPDATE memberships SET ended_at = now()",
    "a member that is no longer one": "DELETE FROM memberships",
    "a membership of another role": "UPDATE memberships SET role = 'driver'",
    "a merged customer brought back without a login": (
        "UPDATE users SET customer_id = NULL; UPDATE customers SET archived_at = now(); "
        "UPDATE customers SET archived_at = NULL"
    ),
}


@pytest.mark.parametrize("name", BREAKS)
def test_the_database_refuses(fresh: Engine, ctx: Ctx, name: str) -> None:
    with transaction(fresh) as session:
        make.business(session)
        service.create(session, ctx, Newcomer(name="Meena"))

    def break_it(*, said: bool) -> None:
        with transaction(fresh) as session:
            if said:
                service.logins_later(session, "said so")
            for statement in BREAKS[name].split(";"):
                run(session, statement)

    with pytest.raises(IntegrityError):
        break_it(said=False)
    if name != "a second login":
        break_it(said=True)
