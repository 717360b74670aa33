"""docs/queries.md lists the hot queries; each is led to its rows by an index, however much there is."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

import earlybird
from conftest import SOAK, admin
from earlybird.infra import db
from earlybird.infra.embedded import Embedded
from earlybird.migrations.steps import hot_indexes
from make import crowd, hot, plans
from make.scratch import TEMPLATE

STOPS = 100_000 if SOAK else 5_000
BIG = STOPS // 4
"""A table with so many rows may not be read whole."""

SOURCE = Path(earlybird.__file__).parent
LISTED = re.compile(r"^\| ([^|]+) \| `([^`]+)` \| ([^|]*) \| ([^|]*) \|", re.MULTILINE)


def listed() -> dict[str, tuple[str, str, str]]:
    """Name → where it stands, what it is for, which indexes, as docs/queries.md says."""
    page = (Path(__file__).parents[2] / "docs" / "queries.md").read_text(encoding="utf-8")
    return {name.strip(): (where, what.strip(), indexes) for name, where, what, indexes in LISTED.findall(page)}


@pytest.fixture(scope="module")
def big(server: Embedded) -> Iterator[tuple[Engine, crowd.Crowd]]:
    """A business with many stops, and what is asked about."""
    name = "q_" + uuid.uuid4().hex[:12]
    admin(server, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY file_copy")
    engine = db.connect(server.url(name))
    about = crowd.crowd(engine, STOPS)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for index in hot_indexes.INDEXES:
            hot_indexes.build(connection, index.name)
    yield engine, about
    engine.dispose()
    admin(server, f"DROP DATABASE {name} WITH (FORCE)")


def test_the_page_lists_the_hot_queries_where_they_stand() -> None:
    found = listed()
    assert {name: where for name, (where, _, _) in found.items()} == {query.name: query.where for query in hot.HOT}
    for name, (where, what, _) in found.items():
        path, _, function = where.partition(":")
        assert re.search(rf"^(def|class) {function}\b", (SOURCE / path).read_text(encoding="utf-8"), re.MULTILINE), name
        assert what, name


def test_no_hot_query_reads_a_big_table_whole(big: tuple[Engine, crowd.Crowd]) -> None:
    engine, about = big
    with db.rehearsal(engine) as session:
        counted = "SELECT relname FROM pg_class WHERE relkind = 'r' AND reltuples >= :big"
        tables = {row["relname"] for row in db.rows(session, counted, {"big": BIG})}
        some = "SELECT relname FROM pg_class JOIN pg_index ON indexrelid = oid WHERE indpred IS NOT NULL"
        partial = {row["relname"] for row in db.rows(session, some)}
    assert {"orders", "order_lines", "deliveries", "delivery_events", "charges", "audit_entries", "messages"} <= tables
    whole, used = {}, {}
    for query in hot.HOT:
        with db.rehearsal(engine) as session:
            found = plans.explained(session, lambda query=query, session=session: query.ask(session, about))
        used[query.name] = found.indexes()
        if query.grows is None:
            whole[query.name] = found.whole_reads(tables, partial)
    assert {name: reads for name, reads in whole.items() if reads} == {}
    assert {index.name for index in hot_indexes.INDEXES} <= set().union(*used.values())
    if SOAK:
        wanted = {name: set(re.findall(r"`(\w+)`", indexes)) for name, (_, _, indexes) in listed().items()}
        assert {name: found - used[name] for name, found in wanted.items() if found - used[name]} == {}


def test_a_query_that_reads_a_table_whole_is_found(big: tuple[Engine, crowd.Crowd]) -> None:
    engine, _ = big
    for sql, is_whole in (
        ("SELECT count(*) FROM orders WHERE note = 'x'", True),
        ("SELECT id FROM orders ORDER BY id", True),
        ("SELECT id FROM orders ORDER BY id DESC LIMIT 5", False),
        ("SELECT id FROM messages WHERE state IN ('queued', 'failed') ORDER BY id", False),
    ):
        with db.rehearsal(engine) as session:
            found = plans.explained(session, lambda sql=sql, session=session: db.rows(session, sql))
        assert bool(found.whole_reads({"orders", "messages"}, {"messages_unsent_hot_idx"})) is is_whole, sql
