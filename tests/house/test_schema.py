"""The schema is what the models say, goes up and down, and holds its guards."""

from __future__ import annotations

import psycopg
import pytest
from alembic import command
from sqlalchemy import Engine, text
from sqlalchemy.exc import DatabaseError

from earlybird import schema, wiring
from earlybird.infra.db import Table

assert wiring.TABLES


def test_up_down_up_and_nothing_left_to_migrate(fresh: Engine) -> None:
    command.downgrade(schema.config(fresh), "base")
    assert schema.current(fresh) is None
    schema.upgrade(fresh)
    assert schema.current(fresh) == schema.head()
    command.check(schema.config(fresh))


def test_no_float_column_and_every_instant_is_aware() -> None:
    for table in Table.metadata.tables.values():
        for column in table.columns:
            kind = str(column.type)
            assert "FLOAT" not in kind.upper(), f"{table.name}.{column.name} is a float"
            if column.name.endswith("_at"):
                assert getattr(column.type, "timezone", False), f"{table.name}.{column.name} is not an instant"


@pytest.mark.parametrize(
    "table",
    ["audit_entries", "journals", "postings", "payment_allocations", "delivery_events", "delivery_event_lines",
     "charges", "invoice_lines", "delivery_photos"],
)  # fmt: skip
@pytest.mark.parametrize("verb", ["UPDATE {} SET id = id", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_facts_and_money_are_only_added(fresh: Engine, table: str, verb: str) -> None:
    with fresh.connect() as connection, pytest.raises(DatabaseError, match="append-only"):
        connection.execute(text(verb.format(table)))


def test_new_id_is_uuid7_on_every_server(fresh_url: str) -> None:
    with psycopg.connect(fresh_url.replace("+psycopg", "")) as connection:
        made = [connection.execute("SELECT new_id()").fetchone()[0] for _ in range(50)]  # type: ignore[index]
    assert {key.version for key in made} == {7}
    assert len(set(made)) == 50
