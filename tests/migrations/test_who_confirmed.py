"""Who confirmed, when, how, from where: told by the old rows, filled in where the import had nothing, and taken back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from psycopg.types.json import Jsonb
from sqlalchemy import Engine

from earlybird.importers.earlybird.facts import read
from earlybird.infra import db
from earlybird.migrations import service as steps
from earlybird.migrations.steps import who_confirmed
from migrations.content import IMPORTER, digests, unlike

WHO = steps.find("25")
FIELDS = "actor_id, actor_name, device_at, address, device, told"


def test_an_old_row_tells_when_and_from_where() -> None:
    body = {"confirmed_by_user_id": "usr_1", "confirmed_by_name": "Unknown", "confirmation_method": "shared_link",
            "confirmed_at": "2026-01-10T06:30:00", "ip_address": " 49.37.1.2 ", "device_info": "Nokia G21"}  # fmt: skip
    facts, problems = read("delivery_statuses", body)
    assert (facts["by"], facts["by_name"], facts["method"]) == ("usr_1", "Unknown", "shared_link")
    assert (facts["confirmed_at"], facts["address"], facts["device"]) == (
        "2026-01-10T01:00:00+00:00", "49.37.1.2", "Nokia G21",
    )  # fmt: skip
    spoilt, more = read("delivery_statuses", body | {"confirmed_at": "soon", "ip_address": 7.5, "device_info": {}})
    assert {"confirmed_at", "device"} & spoilt.keys() == set()
    assert more == problems


def events(engine: Engine, ids: Sequence[Any]) -> list[dict[str, Any]]:
    with db.rehearsal(engine) as session:
        found = db.rows(session, f"SELECT id, {FIELDS}, delivery_id FROM delivery_events WHERE id = ANY(:ids)", {"ids": list(ids)})  # fmt: skip
    by_id = {row["id"]: row for row in found}
    return [by_id[key] for key in ids]


@pytest.fixture
def told(taken: Engine) -> tuple[Engine, list[Any], dict[str, Any]]:
    """Five confirmations whose old rows tell: all; a name alone; a stranger; two people of one key; nothing."""
    for number in ("19", "20"):
        steps.apply(taken, IMPORTER, steps.find(number))
    with db.transaction(taken) as session:
        chosen = db.rows(session, "SELECT id, legacy_delivery_id FROM delivery_events "
                                  "WHERE legacy_delivery_id IS NOT NULL ORDER BY client_id LIMIT 5")  # fmt: skip
        people = db.rows(session, "SELECT u.id, u.name, d.key FROM users u JOIN legacy_documents d ON d.id = u.id "
                                  "WHERE d.collection = 'users' AND d.verdict = 'imported' ORDER BY d.key")  # fmt: skip
        single = [one for one in people if [other["key"] for other in people].count(one["key"]) == 1]
        boy, first, second = single[0], single[1], single[2]
        db.run(session, "UPDATE legacy_documents SET oid = :oid WHERE id = :id", {"oid": first["key"], "id": second["id"]})  # fmt: skip
        says: list[dict[str, Any]] = [
            {"by": boy["key"], "by_name": "Unknown", "method": "delivery_boy", "confirmed_at": "2026-01-02T03:04:05+00:00",
             "address": "49.37.1.2", "device": "Nokia G21"},
            {"by_name": "Gopal"},
            {"by": "gone-9", "method": "shared_link"},
            {"by": first["key"]},
            {},
        ]  # fmt: skip
        for row, said in zip(chosen, says, strict=True):
            db.run(
                session,
                "UPDATE legacy_documents SET facts = facts - ARRAY['by', 'by_name', 'method', 'confirmed_at', 'address', "
                "'device'] || CAST(:said AS jsonb) WHERE id = :id",
                {"said": Jsonb(said), "id": row["legacy_delivery_id"]},
            )
    return taken, [row["id"] for row in chosen], boy


def test_it_fills_in_what_is_told_lists_what_is_not_clear_and_takes_back_exactly_that(
    told: tuple[Engine, list[Any], dict[str, Any]],
) -> None:
    engine, ids, boy = told
    bare, before = digests(engine), events(engine, ids)
    planned = steps.plan(engine, IMPORTER, WHO)
    assert {row["id"]: row["what"].partition(", ")[2] for row in planned.unclear if row["id"] in ids} == {
        ids[2]: "who is nobody we know",
        ids[3]: "who is more than one person",
    }
    assert steps.apply(engine, IMPORTER, WHO) == planned.rows
    assert planned.rows["delivery_events"] >= 4
    whole, name, stranger, two, nothing = events(engine, ids)
    assert (whole["actor_id"], whole["actor_name"]) == (boy["id"], boy["name"])
    assert whole["device_at"] == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert (whole["address"], whole["device"]) == ("49.37.1.2", "Nokia G21")
    assert whole["told"] == {"method": "delivery_boy", "confirmed_by": boy["key"]}
    assert name == before[1] | {"actor_name": "Gopal"}
    assert stranger == before[2] | {"told": {"method": "shared_link", "confirmed_by": "gone-9"}}
    assert two["actor_id"] == before[3]["actor_id"]
    assert two["actor_name"] == before[3]["actor_name"]
    assert nothing == before[4]
    assert steps.verify(engine, WHO) == []
    assert steps.apply(engine, IMPORTER, WHO) == {}
    filled = digests(engine)
    assert steps.revert(engine, IMPORTER, WHO).is_whole
    assert unlike(bare, digests(engine)) == []
    steps.apply(engine, IMPORTER, WHO)
    assert unlike(filled, digests(engine)) == []


def test_each_attribute_that_does_not_say_what_the_row_says_is_found(
    told: tuple[Engine, list[Any], dict[str, Any]],
) -> None:
    engine, ids, _ = told
    steps.apply(engine, IMPORTER, WHO)
    with db.rehearsal(engine) as session:
        db.run(session, "SET LOCAL session_replication_role = replica")
        for change in ("actor_id = new_id()", "actor_name = 'legacy'", "device_at = now()", "address = NULL",
                       "device = 'x'", "told = NULL"):  # fmt: skip
            with db.tried(session):
                db.run(session, f"UPDATE delivery_events SET {change} WHERE id = :id", {"id": ids[0]})
                assert [row["id"] for row in who_confirmed.verify(session)] == [ids[0]], change
