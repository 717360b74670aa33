"""References and fields are held: new rows at once, old ones proven or listed, and people go on working meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from conftest import NOW
from earlybird.customers.service import facts as customers
from earlybird.importers import earlybird as legacy
from earlybird.infra import db, fields
from earlybird.infra.embedded import Embedded
from earlybird.kernel.errors import Failure
from earlybird.migrations import holding
from earlybird.migrations import service as steps
from earlybird.migrations.steps import references_held
from earlybird.subscriptions import service as subscriptions
from make import decay
from make.house import House, house, told
from migrations import clients, content
from migrations.content import IMPORTER

REFERENCES, FIELDS = steps.find("32"), steps.find("33")


def run(engine: Engine, sql: str, **facts: Any) -> int:
    """One change by whoever writes, as the door does it."""
    with db.transaction(engine) as session:
        return db.run(session, sql, facts)


def behind(engine: Engine, sql: str) -> None:
    """One change behind everybody's back: no trigger and no foreign key asks."""
    with db.transaction(engine) as session:
        db.run(session, "SET LOCAL session_replication_role = replica")
        assert db.run(session, sql) > 0


def ask(engine: Engine, sql: str) -> list[dict[str, Any]]:
    with db.rehearsal(engine) as session:
        return db.rows(session, sql)


def unclear(engine: Engine, step: steps.Step) -> set[str]:
    assert step.unclear is not None
    with db.rehearsal(engine) as session:
        return {row["what"] for row in step.unclear(session)}


def held_by(engine: Engine, table: str, name: str) -> str:
    """How a field or reference is held."""
    with db.rehearsal(engine) as session:
        proven = holding.constraints(session, table).get(name)
        if proven is not None:
            return "proven" if proven else "new rows"
        return "changes" if name in holding.triggers(session, table) else "nothing"


def refused(engine: Engine, sql: str) -> str:
    """The name of what refuses a change."""
    with pytest.raises(IntegrityError) as failure:
        run(engine, sql)
    return str(failure.value.orig.diag.constraint_name)  # type: ignore[union-attr]


def test_who_breaks_a_bound_since_long_stands_is_listed_and_goes_on(taken: Engine) -> None:
    one = "(SELECT id FROM customers WHERE state = 'active' AND archived_at IS NULL ORDER BY id LIMIT 1)"
    [row] = ask(taken, f"SELECT id, phone, name FROM customers WHERE id = {one}")
    him = f"id = '{row['id']}'"
    run(taken, f"UPDATE customers SET phone = '12345' WHERE {him}")
    before = content.digests(taken)
    assert steps.plan(taken, IMPORTER, FIELDS).unclear[0]["what"].startswith("customers.phone:")
    steps.apply(taken, IMPORTER, FIELDS)
    assert held_by(taken, "customers", "customers_phone_held_check") == "changes"
    assert held_by(taken, "customers", "customers_name_held_check") == "proven"
    assert held_by(taken, "prices", "prices_unit_price_held_check") == "proven"
    assert steps.verify(taken, FIELDS) == []
    assert ask(taken, f"SELECT phone FROM customers WHERE {him}") == [{"phone": "12345"}]
    with db.transaction(taken) as session:
        customers.move(session, clients.AT_THE_DOOR, row["id"], "pause", reason="a journey")
        customers.change(session, clients.AT_THE_DOOR, row["id"], notes="rings twice")
    assert run(taken, f"UPDATE customers SET phone = '12345', name = 'Old' WHERE {him}") == 1
    assert refused(taken, f"UPDATE customers SET phone = '999' WHERE {him}") == "customers_phone_held_check"
    assert refused(taken, "UPDATE prices SET unit_price = 100001") == "prices_unit_price_held_check"
    run(taken, f"UPDATE customers SET phone = '{row['phone'] or '+919845012345'}' WHERE {him}")
    steps.apply(taken, IMPORTER, FIELDS)
    assert held_by(taken, "customers", "customers_phone_held_check") == "proven"
    assert unclear(taken, FIELDS) == set()
    steps.revert(taken, IMPORTER, FIELDS)
    assert {held_by(taken, held.table, held.name) for held in fields.HELD} == {"nothing"}
    assert run(
        taken, f"UPDATE customers SET phone = '12345', state = 'active', name = :name WHERE {him}", name=row["name"]
    )
    assert set(content.unlike(before, content.digests(taken))) <= {"customers", "replan_requests", "message_facts"}


def test_new_rows_are_held_before_the_old_ones_are_proven(taken: Engine) -> None:
    said = []

    def progress(_: str, done: int, __: int, ___: int) -> None:
        if done == HOLDS:
            said.append(refused(taken, "INSERT INTO areas (site_id, name) SELECT id, '' FROM sites LIMIT 1"))
            said.append(held_by(taken, "prices", "prices_unit_price_held_check"))

    with db.rehearsal(taken) as session:
        phases = FIELDS.phases(session)
    HOLDS = len(phases[0]) + 1  # noqa: N806  the first of the next phase is done: all of this one is
    steps.apply(taken, IMPORTER, FIELDS, progress)
    assert said[0] == "areas_name_held_check"
    assert said[1] in {"new rows", "proven"}


def test_a_row_that_came_in_between_is_listed_and_its_field_held_where_it_changes(taken: Engine) -> None:
    [price] = [held for held in fields.HELD if held.name == "prices_unit_price_held_check"]
    run(taken, "UPDATE prices SET unit_price = 200000 WHERE id = (SELECT id FROM prices ORDER BY id LIMIT 1)")
    with db.transaction(taken) as session:  # as if the row had come after the question and before the constraint
        fields.hold_every_row(session, "prices", [price])
    steps.apply(taken, IMPORTER, FIELDS)
    assert held_by(taken, "prices", price.name) == "changes"
    assert unclear(taken, FIELDS) == {f"prices.unit_price: {fields.PRICE.says}"}
    run(taken, "UPDATE prices SET valid_from = valid_from")


def test_a_later_dump_that_breaks_a_bound_comes_in_and_is_listed(taken: Engine, tmp_path: Path) -> None:
    steps.apply(taken, IMPORTER, FIELDS)
    assert held_by(taken, "customers", "customers_name_held_check") == "proven"
    folder = decay.write(3, tmp_path / "dump")
    path = folder / "customers_v2.json"
    name = "x" * 300
    changed = path.read_bytes().replace(b'"name": "', b'"name": "' + name.encode(), 1)
    if changed == path.read_bytes():
        changed = path.read_bytes().replace(b'"name":"', b'"name":"' + name.encode(), 1)
    assert name.encode() in changed
    path.write_bytes(changed)
    legacy.take_over(taken, IMPORTER, folder, link=None)
    assert ask(taken, "SELECT max(char_length(name)) > 300 AS came FROM customers") == [{"came": True}]
    assert held_by(taken, "customers", "customers_name_held_check") == "changes"
    assert f"customers.name: {fields.NAME.says}" in unclear(taken, FIELDS)


ANOTHER = "(SELECT id FROM customers c WHERE c.id <> t.customer_id ORDER BY id LIMIT 1)"
UNCHARGED = "t.id IN (SELECT d.id FROM deliveries d WHERE d.state = 'planned' ORDER BY d.id LIMIT 1)"


def test_a_wrong_customer_is_set_right_where_it_is_certain_and_listed_where_money_hangs_on_it(
    tied: Callable[[], Any],
) -> None:
    with tied() as engine:
        steps.revert(engine, IMPORTER, REFERENCES)
        whole = content.digests(engine)
        behind(engine, f"UPDATE deliveries t SET customer_id = {ANOTHER} WHERE {UNCHARGED}")
        wrong = content.digests(engine)
        planned = steps.plan(engine, IMPORTER, REFERENCES)
        assert planned.rows["deliveries"] == 1
        assert steps.apply(engine, IMPORTER, REFERENCES) == planned.rows
        assert content.unlike(whole, content.digests(engine)) == ["policies"]
        assert unclear(engine, REFERENCES) == set()
        assert steps.revert(engine, IMPORTER, REFERENCES).is_whole
        assert content.unlike(wrong, content.digests(engine)) == []
        behind(
            engine,
            "UPDATE charges t SET customer_id = " + ANOTHER + " WHERE id = (SELECT min(id::text)::uuid FROM charges)",
        )
        steps.apply(engine, IMPORTER, REFERENCES)
        assert unclear(engine, REFERENCES) == {"charges.customer_id is another than that of delivery_event_lines"}
        assert steps.verify(engine, REFERENCES) == []


def test_what_was_proven_and_is_changed_behind_it_is_found(tied: Callable[[], Any]) -> None:
    with tied() as engine:
        assert steps.verify(engine, REFERENCES) == []
        assert steps.verify(engine, FIELDS) == []
        behind(engine, f"UPDATE deliveries t SET customer_id = {ANOTHER} WHERE {UNCHARGED}")
        behind(
            engine,
            "UPDATE legacy_deliveries SET order_id = new_id() WHERE id = (SELECT min(id::text)::uuid FROM legacy_deliveries)",
        )
        for one in (*references_held.CARRIED, *references_held.POINTERS):
            run(engine, f"ALTER TABLE {one.table} DISABLE TRIGGER USER")
        found = {row["what"] for row in steps.verify(engine, REFERENCES)}
        assert "nothing holds the reference" in found
        for one in (*references_held.CARRIED, *references_held.POINTERS):
            run(engine, f"ALTER TABLE {one.table} ENABLE TRIGGER USER")
        found = {row["what"] for row in steps.verify(engine, REFERENCES)}
        assert {
            "deliveries.customer_id is another than that of orders",
            "legacy_deliveries.order_id names nothing that is there",
        } <= found
        run(engine, "ALTER TABLE prices DROP CONSTRAINT prices_unit_price_held_check")
        assert [row["id"] for row in steps.verify(engine, FIELDS)] == ["prices_unit_price_held_check"]


def test_a_reference_to_nothing_is_listed_and_new_ones_are_refused(taken: Engine) -> None:
    gone = (
        "UPDATE legacy_deliveries SET order_id = new_id() WHERE id = (SELECT {}(id::text)::uuid FROM legacy_deliveries)"
    )
    run(taken, gone.format("min"))
    steps.apply(taken, IMPORTER, REFERENCES)
    assert held_by(taken, "legacy_deliveries", "legacy_deliveries_order_id_held_fkey") == "new rows"
    assert unclear(taken, REFERENCES) == {"legacy_deliveries.order_id names nothing that is there"}
    assert refused(taken, gone.format("max")) == "legacy_deliveries_order_id_held_fkey"
    run(taken, "UPDATE legacy_deliveries SET order_id = NULL")
    steps.apply(taken, IMPORTER, REFERENCES)
    assert held_by(taken, "legacy_deliveries", "legacy_deliveries_order_id_held_fkey") == "proven"


def test_a_carried_customer_is_the_orders(tied: Callable[[], Any]) -> None:
    with tied() as engine:
        for one in references_held.CARRIED:
            some = f"(SELECT id FROM {one.table} ORDER BY id LIMIT 1)"
            if not ask(engine, f"SELECT {some} AS id")[0]["id"]:
                continue
            copy = (
                f"INSERT INTO {one.table} SELECT (jsonb_populate_record(t, jsonb_build_object("
                f"'id', new_id(), 'client_id', 'x', 'attempt', 99, 'revision', 99, 'customer_id', {ANOTHER}))).* "
                f"FROM {one.table} t WHERE id = {some}"
            )
            if one.table in {"order_lines", "delivery_lines", "charges"}:
                copy = copy.replace("jsonb_build_object(", "jsonb_build_object('subscription_id', NULL, ")
            assert refused(engine, copy) in {one.name, *UNIQUE}, one.name
            if one.table not in {"delivery_events", "delivery_event_lines", "charges"}:
                assert (
                    refused(engine, f"UPDATE {one.table} t SET customer_id = {ANOTHER} WHERE id = {some}") == one.later
                )


UNIQUE = {"charges_event_line_id_key", "delivery_lines_delivery_id_order_line_id_key"}


def test_while_somebody_holds_a_table_others_come_through_between_the_tries(taken: Engine) -> None:
    began = threading.Event()
    ended = threading.Event()
    world = clients.world(taken)

    def step() -> None:
        began.set()
        steps.apply(taken, IMPORTER, FIELDS)
        ended.set()

    with taken.connect() as long, long.begin():
        long.exec_driver_sql("UPDATE prices SET valid_from = valid_from")
        long.exec_driver_sql("UPDATE customers SET name = name WHERE id = (SELECT min(id::text)::uuid FROM customers)")
        runner = threading.Thread(target=step)
        runner.start()
        began.wait()
        for n in range(10):  # each of them takes the tables the step waits for, and is done while `long` is not
            clients.write(taken, "order", world["order"][n % len(world["order"])], f"meanwhile {n}")
            run(taken, "UPDATE customers SET name = name WHERE id = (SELECT max(id::text)::uuid FROM customers)")
        assert not ended.is_set()
    runner.join()
    assert ended.is_set()


@pytest.fixture(scope="module")
def dairy(server: Embedded) -> Iterator[House]:
    with house(server) as found:
        for step in (REFERENCES, FIELDS):
            steps.apply(found.engine, IMPORTER.at(NOW), step)
        yield found


def test_the_door_says_which_field_and_which_rule(dairy: House) -> None:
    made = dairy.ask("POST", "/api/products", {"name": "Curd", "unit_code": "L"}).json()
    path, body = f"/api/products/{made['id']}/prices", {"unit_price": "100000.01", "valid_from": "2026-01-15"}
    for value in (True, False):  # first the door says so, then the database alone
        assert dairy.ask("PUT", "/api/policies/check_fields", {"value": value}).status_code == 200
        answer = dairy.ask("POST", path, body)
        assert told(answer) == (422, "/unit_price")
        assert answer.json()["type"] == "urn:earlybird:invalid:ValueOutOfBounds"
        assert answer.json()["errors"][0]["detail"] == fields.PRICE.says
    run(dairy.engine, "ALTER TABLE prices DROP CONSTRAINT prices_unit_price_held_check")
    assert dairy.ask("POST", path, body).status_code == 201


def test_nothing_begins_with_a_customer_or_product_that_is_gone_once_references_are_held(taken: Engine) -> None:
    world = clients.world(taken)
    row = world["order"][0]
    standing = {"product_id": row["product"], "quantity": Decimal(1), "starts_on": date(2026, 2, 5)}

    def begin(n: int) -> list[str | None]:
        """Order, and take a standing order, for somebody who is stopped: the fields that are refused."""
        return [
            said(lambda: clients.write(taken, "order", row, f"gone {n}")),
            said(lambda: create(taken, row["id"], **standing)),
        ]

    run(taken, "UPDATE products SET archived_at = now() WHERE id = :id", id=row["product"])
    assert begin(1) == [None, None]
    steps.apply(taken, IMPORTER, REFERENCES)
    assert begin(2) == ["lines.0.product_id", "product_id"]
    run(taken, "UPDATE products SET archived_at = NULL WHERE id = :id", id=row["product"])
    run(taken, "UPDATE customers SET state = 'stopped', state_from = '2026-01-20' WHERE id = :id", id=row["id"])
    assert begin(3) == ["customer_id", "customer_id"]
    steps.revert(taken, IMPORTER, REFERENCES)
    assert begin(4) == [None, None]


def create(engine: Engine, customer_id: Any, **facts: Any) -> None:
    with db.transaction(engine) as session:
        subscriptions.create(session, clients.AT_THE_DOOR, customer_id, **facts)


def said(work: Callable[[], None]) -> str | None:
    """The field that is refused."""
    try:
        work()
    except Failure as failure:
        return failure.field
    return None


def test_sql_and_python_judge_alike(taken: Engine) -> None:
    words = [
        "",
        "x",
        "x" * 255,
        "x" * 256,
        "+919845012345",
        "9845012345",
        "+0123456",
        "a@b.in",
        "a b@c.in",
        "@",
        "560001",
        "M5V 2T6",
        "-1",
    ]
    numbers = ["0", "-0.001", "10000", "10000.001", "100000", "100000.0001", "90", "-90.000001", "180", "180.000001"]
    with db.rehearsal(taken) as session:
        for bound in (fields.NAME, fields.PART, fields.PHONE, fields.EMAIL, fields.POSTAL_CODE):
            for word in words:
                asked = f"SELECT {bound.sql.format('CAST(:word AS text)')}"
                assert db.value(session, asked, {"word": word}) is bound.fits(word), (bound.says, word)
        for bound in (fields.LATITUDE, fields.LONGITUDE, fields.PRICE, fields.QUANTITY):
            for number in numbers:
                asked = f"SELECT {bound.sql.format('CAST(:number AS numeric)')}"
                assert db.value(session, asked, {"number": number}) is bound.fits(Decimal(number)), (bound.says, number)
