"""The schema is what the models say, goes up and down, and holds its guards."""

from __future__ import annotations

import psycopg
import pytest
from alembic import command
from sqlalchemy import Engine, text
from sqlalchemy.exc import DatabaseError

from earlybird import schema, wiring
from earlybird.deploy import linting
from earlybird.infra import db
from earlybird.infra.db import Table
from make.month import month

assert wiring.TABLES


def test_up_down_up_and_nothing_left_to_migrate(fresh: Engine) -> None:
    command.downgrade(schema.config(fresh), "base")
    assert schema.current(fresh) is None
    schema.upgrade(fresh)
    assert schema.current(fresh) == schema.head()
    command.check(schema.config(fresh))


def contents(engine: Engine) -> dict[str, object]:
    with engine.connect() as connection:
        tables = connection.execute(
            text("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'")
        ).scalars()
        return {
            table: connection.execute(
                text(f'SELECT md5(string_agg(r, chr(10) ORDER BY r)) FROM (SELECT t::text AS r FROM "{table}" t) x')
            ).scalar()
            for table in tables.all()
        }


def test_going_down_a_version_and_up_again_keeps_every_row_of_the_older_tables(fresh: Engine) -> None:
    before_last = schema.versions()[-2]
    with db.transaction(fresh) as session:
        month(session, customers=3)
    before = contents(fresh)
    schema.downgrade(fresh, before_last)
    kept = contents(fresh)
    assert kept.keys() < before.keys()
    with pytest.raises(schema.SchemaTooOld, match="earlybird migrate up"):
        schema.check(fresh)
    with pytest.raises(schema.SchemaTooOld):
        schema.prepare(fresh, is_production=True)
    schema.prepare(fresh, is_production=False)
    after = contents(fresh)
    count = {"charges", "delivery_events", "invoices", "postings", "payments", "customers", "subscriptions"}
    assert {table: after[table] for table in count} == {table: before[table] for table in count}
    assert after.keys() == before.keys()


def test_tables_of_a_version_nobody_here_knows_are_left_alone(fresh: Engine) -> None:
    assert schema.head() in schema.RUNS_ON <= set(schema.versions())
    with fresh.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for is_production in (False, True):
        with pytest.raises(schema.SchemaUnknown, match="newer program"):
            schema.prepare(fresh, is_production=is_production)
    with fresh.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :head"), {"head": schema.head()})


@pytest.mark.parametrize("version", schema.versions())
def test_squawk_has_nothing_against_a_version_that_is_not_accepted_for_a_reason(version: str) -> None:
    before = schema.between(None, version)[:-1]
    printed = schema.sql(before[-1] if before else None, version, server_major=18)
    assert "lock_timeout" in printed
    assert f"'{version}'" in printed
    assert linting.ask(version, printed) == []
    assert len(linting.ask("new", "CREATE INDEX a ON users (id); ALTER TABLE users ALTER id TYPE text;") or []) > 2


def test_what_is_printed_is_what_is_run(fresh_url: str, fresh: Engine) -> None:
    """The statements of `migrate plan --sql`, through psql's eyes, make the tables that Alembic makes."""
    command.downgrade(schema.config(fresh), "base")
    with psycopg.connect(fresh_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("DROP TABLE alembic_version")
        for number, version in enumerate(schema.versions()):
            before = schema.versions()[number - 1] if number else None
            connection.execute(schema.sql(before, version, server_major=db.server_major(fresh)).encode())
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
