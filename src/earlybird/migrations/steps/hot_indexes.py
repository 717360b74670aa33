"""Look-ups stay flat: the indexes that hot queries lack are built beside live work, and dropped beside it.

Each is built by CREATE INDEX CONCURRENTLY: nobody waits for it, but it waits for every transaction that is older.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from earlybird.infra.db import rows, run, value
from earlybird.kernel.ctx import Ctx
from earlybird.migrations.errors import OlderTransaction
from earlybird.migrations.protocol import Batch, Kind


@dataclass(frozen=True, slots=True)
class Hot:
    """One index: what it is of, and the question it is for."""

    table: str
    label: str
    columns: str
    question: str
    """What the hot query asks of the table, its values literal; the whole query stands in docs/queries.md."""
    where: str | None = None

    @property
    def name(self) -> str:
        """The index's name; its ending says that a step builds it."""
        return f"{self.table}_{self.label}_hot_idx"

    @property
    def of(self) -> str:
        """What stands after the table's name in its definition."""
        return f"({self.columns})" + (f" WHERE {self.where}" if self.where else "")


INDEXES = (
    Hot(
        "memberships",
        "role",
        "role, user_id",
        "SELECT user_id FROM memberships WHERE role = 'driver'",
        where="role <> 'customer'::text",
    ),
    Hot(
        "messages",
        "unsent",
        "id",
        "SELECT id FROM messages WHERE state IN ('queued', 'failed') AND id < 'ffffffff-ffff-7fff-bfff-ffffffffffff' "
        "ORDER BY id DESC LIMIT 51",
        where="state = ANY (ARRAY['queued'::text, 'failed'::text])",
    ),
    Hot(
        "orders",
        "site_day",
        "site_id, service_on",
        "SELECT id FROM orders WHERE site_id = '00000000-0000-0000-0000-000000000000' AND service_on = '2026-01-16'",
    ),
)
"""None holds a column that confirming changes, so that a confirmation writes no index entry more."""

BY_NAME = {index.name: index for index in INDEXES}

NUMBER = 30
NAME = "hot_indexes"
TITLE = "Look-ups stay flat"
REASON = "A question that reads a whole table is asked a thousand times a day, and costs more with every row."
TOUCHES = tuple(sorted({index.table for index in INDEXES}))
WARNING = "Reverting makes the lists that use these indexes slower as tables grow; no row changes."
KIND = Kind.builds
LOCKS = dict.fromkeys(TOUCHES, "ShareUpdateExclusiveLock")

PATIENCE = 120.0
"""Seconds an index waits for older transactions, at each of its three turns; nobody waits for it meanwhile."""

TOO_LONG = {"55P03", "57014"}
"""Lock not available, statement cancelled."""

STANDING = """
SELECT c.relname AS name, pg_get_indexdef(c.oid, 0, true) AS definition, i.indisvalid AND i.indisready AS is_whole
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE c.relname = ANY(CAST(:names AS text[])) AND c.relnamespace = current_schema()::regnamespace
"""

BEING_BUILT = "SELECT count(*) FROM pg_stat_progress_create_index WHERE index_relid = to_regclass(:name)"

OLDEST = """
SELECT pid, coalesce(nullif(application_name, ''), backend_type) AS program, xact_start AS since FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start < clock_timestamp() - interval '1 second'
  AND backend_type = 'client backend' AND application_name <> 'earlybird steps'
ORDER BY xact_start LIMIT 10
"""


def definition(index: Hot) -> str:
    """Return how the catalogue tells an index that is as it ought to be."""
    return f"CREATE INDEX {index.name} ON {index.table} USING btree {index.of}"


def phases(session: Session) -> list[list[str]]:
    """Return one batch an index that does not stand whole."""
    whole = {row["name"] for row in _standing(session) if _is_right(row)}
    return [[index.name for index in INDEXES if index.name not in whole]]


def _standing(session: Session) -> list[dict[str, Any]]:
    return rows(session, STANDING, {"names": list(BY_NAME)})


def _is_right(row: dict[str, Any]) -> bool:
    return bool(row["is_whole"] and row["definition"] == definition(BY_NAME[row["name"]]))


def apply(session: Session, ctx: Ctx, batch: Batch, chunk: str) -> None:
    """Plan one index: build it on a copy of its table; note the time, the size, and whom it would wait for."""
    del ctx
    index = BY_NAME[chunk]
    run(session, f"CREATE TEMP TABLE scratch ON COMMIT DROP AS SELECT * FROM {index.table}")
    began = time.perf_counter()
    run(session, f"CREATE INDEX scratch_idx ON scratch {index.of}")
    took = time.perf_counter() - began
    size = value(session, "SELECT pg_relation_size('pg_temp.scratch_idx')")
    older = rows(session, OLDEST)
    batch.notes.append(
        {
            "index": index.name,
            "bytes": size,
            "seconds": round(took, 3),
            "waits_for": [{name: str(said) for name, said in row.items()} for row in older],
        }
    )
    batch.built[index.table] += 1


def build(connection: Connection, chunk: str) -> dict[str, int]:
    """Build one index beside live work; what an interrupted run left of it is dropped first."""
    index = BY_NAME[chunk]
    with _Patiently(connection):
        _let_finish(connection, index)
        found = connection.execute(text(STANDING), {"names": [index.name]}).mappings().first()
        if found and _is_right(dict(found)):
            return {index.table: 0}
        if found:
            connection.execute(text(f"DROP INDEX CONCURRENTLY IF EXISTS {index.name}"))
        connection.execute(text(f"CREATE INDEX CONCURRENTLY {index.name} ON {index.table} {index.of}"))
    return {index.table: 1}


def _let_finish(connection: Connection, index: Hot) -> None:
    """Wait for a server process that goes on building for a runner that was killed."""
    until = time.monotonic() + PATIENCE
    while connection.execute(text(BEING_BUILT), {"name": index.name}).scalar() and time.monotonic() < until:
        time.sleep(0.1)


def tear_down(connection: Connection) -> dict[str, int]:
    """Drop the indexes beside live work."""
    gone = Counter[str]()
    with _Patiently(connection):
        for index in INDEXES:
            if connection.execute(text("SELECT to_regclass(:name)"), {"name": index.name}).scalar():
                _let_finish(connection, index)
                connection.execute(text(f"DROP INDEX CONCURRENTLY IF EXISTS {index.name}"))
                gone[index.table] += 1
    return dict(gone)


class _Patiently:
    """Bounds how long the connection waits for older transactions, and says whose they are when it waited in vain."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def __enter__(self) -> None:
        for name, said in (("lock_timeout", f"{int(PATIENCE * 1000)}ms"), ("application_name", "earlybird steps")):
            self.connection.execute(text("SELECT set_config(:name, :said, false)"), {"name": name, "said": said})

    def __exit__(self, _: object, failure: BaseException | None, __: object) -> None:
        if not self.connection.closed and not self.connection.invalidated:
            self.connection.execute(text("RESET lock_timeout"))
            self.connection.execute(text("RESET application_name"))
        if isinstance(failure, OperationalError) and getattr(failure.orig, "sqlstate", None) in TOO_LONG:
            oldest = self.connection.execute(text(OLDEST)).mappings().first()
            raise OlderTransaction(step=NAME, **{name: str(said) for name, said in (oldest or {}).items()}) from failure


def built(session: Session) -> dict[str, int]:
    """Count the indexes that stand, per table."""
    return dict(Counter(BY_NAME[row["name"]].table for row in _standing(session)))


def verify(session: Session) -> list[dict[str, Any]]:
    """List the indexes that are missing, unlike their definition or not whole, and those the planner passes over."""
    found = {row["name"]: row for row in _standing(session)}
    wrong = []
    for index in INDEXES:
        row = found.get(index.name)
        if row is None:
            wrong.append({"id": index.name, "what": "the index is missing"})
        elif not row["is_whole"]:
            wrong.append({"id": index.name, "what": "the index is not whole: its building was interrupted"})
        elif not _is_right(row):
            wrong.append({"id": index.name, "what": f"the index is another one: {row['definition']}"})
        elif not _serves(session, index):
            wrong.append({"id": index.name, "what": "the planner does not use an index for what this one is for"})
    return wrong


def _serves(session: Session, index: Hot) -> bool:
    """Ask the planner; it need not be this index, but one that leads to the rows."""
    run(session, "SET LOCAL enable_seqscan = off")  # a small table is rightly read whole
    plan = value(session, f"EXPLAIN (FORMAT JSON) {index.question}")[0]["Plan"]
    run(session, "SET LOCAL enable_seqscan = DEFAULT")
    return _is_led(plan)


def _is_led(plan: dict[str, Any]) -> bool:
    return "Index Cond" in plan or any(map(_is_led, plan.get("Plans", ())))
