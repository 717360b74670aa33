"""What a step changed, batch by batch: enough to take it back to the byte, and to put it there again.

A step says what it is about to change (`updated`, `deleted`, or `watch` around code that does not tell), or what it
makes (`inserted`), once per table and batch; how the rows look afterwards is kept at the end of the batch (`seal`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from psycopg.types.json import Jsonb
from sqlalchemy.orm import Session

from earlybird.infra.db import rows, run
from earlybird.kernel.ctx import Ctx
from earlybird.migrations.protocol import Batch as Batch  # noqa: PLC0414  steps name it from here
from earlybird.migrations.protocol import Step
from earlybird.territory import service as territory

Key = str | Sequence[str]
"""The column that names a row in `changed` (its uuid), or the columns of a key of several."""

KEEP = """
INSERT INTO step_residue (step_id, run_id, table_name, batch, position, verb, ids, keys, before)
SELECT :step_id, :run_id, :table_name, :number, :position, :verb, {ids}, {keys}, {before}
FROM {changed} HAVING count(*) > 0
"""

OURS = """
written_by({t}.xmin, pg_current_xact_id()) >= CAST(CAST(pg_current_xact_id() AS text) AS bigint)
AND pg_xact_status(CAST(CAST(written_by({t}.xmin, pg_current_xact_id()) AS text) AS xid8)) = 'in progress'
"""
"""Whether this transaction wrote the row, itself or under a savepoint: nobody else's unfinished row can be seen."""


def inserted(
    session: Session,
    batch: Batch,
    table_name: str,
    changed: str,
    key: Key = "id",
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Keep which rows the batch inserts; `changed` is a table (or sub-select with an alias) that holds their keys."""
    _keep(session, batch, table_name, "insert", changed, key, "NULL", facts)


def updated(
    session: Session,
    batch: Batch,
    table_name: str,
    changed: str,
    key: Key = "id",
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Keep rows before they are updated; `changed` has the key and a jsonb column `before` of the columns to change."""
    _keep(session, batch, table_name, "update", changed, key, _images(key), facts)


def deleted(
    session: Session,
    batch: Batch,
    table_name: str,
    changed: str,
    key: Key = "id",
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Keep whole rows before they are deleted; `changed` has the key and a jsonb column `before` of the whole row."""
    _keep(session, batch, table_name, "delete", changed, key, _images(key), facts)


def _images(key: Key) -> str:
    return f"to_jsonb(array_agg(before ORDER BY {key if isinstance(key, str) else ', '.join(key)}))"


def columns(session: Session, batch: Batch, table_name: str, names: Sequence[str], changed: str) -> None:
    """Keep these columns of the rows whose `id` is in `changed`, before they are updated."""
    image = ", ".join(f"'{name}', t.{name}" for name in names)
    chosen = f"(SELECT t.id, jsonb_build_object({image}) AS before FROM {table_name} t WHERE t.id IN ({changed})) c"
    updated(session, batch, table_name, chosen)


def _keep(
    session: Session,
    batch: Batch,
    table_name: str,
    verb: str,
    changed: str,
    key: Key,
    before: str,
    facts: Mapping[str, Any] | None,
) -> None:
    if isinstance(key, str):
        ids, keys = f"array_agg({key} ORDER BY {key})", "NULL"
    else:
        pairs = ", ".join(f"'{name}', {name}" for name in key)
        ids, keys = "NULL", f"jsonb_agg(jsonb_build_object({pairs}) ORDER BY {', '.join(key)})"
    run(
        session,
        KEEP.format(ids=ids, keys=keys, before=before, changed=changed),
        {
            **(facts or {}),
            "step_id": batch.step_id,
            "run_id": batch.run_id,
            "table_name": table_name,
            "number": batch.number,
            "position": next(batch.order),
            "verb": verb,
        },
    )


def states(session: Session, batch: Batch, table_name: str, ids: Sequence[Any]) -> None:
    """Keep the states of these rows before they are moved."""
    updated(
        session,
        batch,
        table_name,
        f"(SELECT id, jsonb_build_object('state', state, 'state_at', state_at) AS before FROM {table_name} "
        "WHERE id = ANY(:kept_ids)) t",
        facts={"kept_ids": list(ids)},
    )


def policy(session: Session, ctx: Ctx, batch: Batch, name: str, *, value: Any) -> None:
    """Switch a rule of the house, unless it stands so already, and keep how it stood."""
    stands = rows(session, "SELECT value FROM policies WHERE name = :name FOR UPDATE", {"name": name})
    if stands and stands[0]["value"] == value:
        return
    named = {"name": name}
    if stands:
        chosen = (
            "(SELECT name, jsonb_build_object('value', value, 'set_at', set_at, 'set_by', set_by) AS before "
            "FROM policies WHERE name = :name) p"
        )
        updated(session, batch, "policies", chosen, ("name",), named)
    else:
        inserted(session, batch, "policies", "(SELECT CAST(:name AS text) AS name) p", ("name",), named)
    territory.set_policy(session, ctx, name, value=value)


@contextmanager
def watch(
    session: Session,
    batch: Batch,
    *,
    inserts: Mapping[str, str],
    updates: Mapping[str, str] | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Iterator[None]:
    """Keep what the block writes, for code that does not tell: rows added to `inserts`, any change of `updates`.

    Each table is named with the condition that holds for all rows `t` the block may write: those of `inserts` are
    read once afterwards, those of `updates` are copied before.
    """
    updates = updates or {}
    for table, where in updates.items():
        run(session, f"CREATE TEMP TABLE was_{table} ON COMMIT DROP AS SELECT * FROM {table} t WHERE {where}", facts)
    yield
    for table, where in inserts.items():
        key = primary_key(session, table)
        chosen = f"(SELECT * FROM {table} t WHERE ({where}) AND {OURS.format(t='t')}) t"
        inserted(session, batch, table, chosen, _plain(key), facts)
    for table, where in updates.items():
        key = primary_key(session, table)
        same = " AND ".join(f"w.{name} = t.{name}" for name in key)
        named = ", ".join(f"t.{name}" for name in key)
        ours = f"FROM {table} t LEFT JOIN was_{table} w ON {same} WHERE ({where}) AND {OURS.format(t='t')}"
        inserted(session, batch, table, f"(SELECT {named} {ours} AND w.{key[0]} IS NULL) t", _plain(key), facts)
        image = (
            "(SELECT jsonb_object_agg(b.key, b.value) FROM jsonb_each(to_jsonb(w)) b "
            "WHERE b.value IS DISTINCT FROM to_jsonb(t) -> b.key)"
        )
        changed = f"SELECT {named}, {image} AS before {ours} AND w.{key[0]} IS NOT NULL"
        chosen = f"(SELECT * FROM ({changed}) c WHERE before IS NOT NULL) t"
        updated(session, batch, table, chosen, _plain(key), facts)


def _plain(key: Sequence[str]) -> Key:
    return "id" if list(key) == ["id"] else tuple(key)


PRIMARY_KEY = """
SELECT a.attname FROM pg_index i
CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k(number, place)
JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
WHERE i.indrelid = CAST(:table AS regclass) AND i.indisprimary ORDER BY k.place
"""


PRIMARY_KEYS: dict[str, list[str]] = {}


def primary_key(session: Session, table: str) -> list[str]:
    """Return the columns of a table's primary key; asked once in a process, as no table changes it."""
    if table not in PRIMARY_KEYS:
        PRIMARY_KEYS[table] = [row["attname"] for row in rows(session, PRIMARY_KEY, {"table": table})]
    return PRIMARY_KEYS[table]


def entries(key: Sequence[str], chosen: str = "= :residue_id") -> str:
    """Return what unfolds one residue row (:residue_id) to a table of key columns, before, after and `place`.

    Where `chosen` names several rows they come as one table, and `place` is the place in each.
    """
    if list(key) == ["id"]:
        named = "coalesce(e.id, CAST(e.key ->> 'id' AS uuid)) AS id"
    else:
        named = ", ".join(f"(jsonb_populate_record(NULL::{{table}}, e.key)).{name}" for name in key)
    return (
        f"SELECT {named}, nullif(e.before, 'null') AS before, nullif(e.after, 'null') AS after, e.place "
        "FROM step_residue r CROSS JOIN LATERAL ROWS FROM (unnest(r.ids), jsonb_array_elements(r.keys), "
        "jsonb_array_elements(r.before), jsonb_array_elements(r.after)) WITH ORDINALITY "
        "AS e(id, key, before, after, place) "
        f"WHERE r.id {chosen}"
    )


def seal(session: Session, batch: Batch) -> None:
    """Keep how the rows of the batch look now: whole where inserted, else the columns that were to change."""
    kept = rows(
        session,
        "SELECT id, table_name, verb FROM step_residue WHERE step_id = :step_id AND batch = :number "
        "AND verb <> 'delete' AND after IS NULL",
        {"step_id": batch.step_id, "number": batch.number},
    )
    for row in kept:
        table = row["table_name"]
        key = primary_key(session, table)
        same = " AND ".join(f"t.{name} = e.{name}" for name in key)
        image, live = "t", ""
        if row["verb"] == "update":
            image = "(SELECT jsonb_object_agg(b.key, l.live -> b.key) FROM jsonb_each(e.before) b)"
            live = "CROSS JOIN LATERAL (SELECT to_jsonb(t) AS live OFFSET 0) l"
        image = f"array_agg(CASE WHEN t.{key[0]} IS NOT NULL THEN {image} END ORDER BY e.place)"
        run(
            session,
            f"UPDATE step_residue SET after = (SELECT to_jsonb({image}) FROM "
            f"({entries(key).format(table=table)}) e LEFT JOIN {table} t ON {same} {live}) WHERE id = :residue_id",
            {"residue_id": row["id"]},
        )


# Sums, so that it is the same however the rows are cut to batches.
SHAPE = """
SELECT r.table_name, r.verb, count(*) AS rows,
       sum(CASE WHEN r.verb <> 'insert' THEN hashtextextended(concat(e.id, e.before), 0)
                WHEN e.key IS NOT NULL THEN jsonb_hash_extended(e.key, 0) END) AS digest
FROM step_residue r
CROSS JOIN LATERAL ROWS FROM (unnest(r.ids), jsonb_array_elements(r.keys), jsonb_array_elements(r.before))
    AS e (id, key, before)
WHERE r.step_id = :step_id AND r.batch = :number GROUP BY r.table_name, r.verb
"""

Shape = dict[tuple[str, str], tuple[int, int]]
"""Table and verb → how many rows, and the sum of their digests."""


def shape(session: Session, batch: Batch) -> Shape:
    """Say what the batch changes without what differs each time: keys and before-images, counts of what is made."""
    found = rows(session, SHAPE, {"step_id": batch.step_id, "number": batch.number})
    return {(row["table_name"], row["verb"]): (row["rows"], int(row["digest"] or 0)) for row in found}


def counted(step: Step, shape: Shape) -> dict[str, int]:
    """Return how many rows per table that is; work lists, whose rows come and go by themselves, are not told."""
    found: dict[str, int] = {}
    for (table, _), (count, _) in sorted(shape.items()):
        if table not in step.passing:
            found[table] = found.get(table, 0) + count
    return found


def added(one: Shape, other: Shape) -> Shape:
    """Return what two batches change together."""
    return {
        key: (one.get(key, (0, 0))[0] + other.get(key, (0, 0))[0], one.get(key, (0, 0))[1] + other.get(key, (0, 0))[1])
        for key in one.keys() | other.keys()
    }


def digests(session: Session, step_id: Any, run_id: Any | None = None) -> dict[str, dict[str, str | None]]:
    """Return, per table, a digest of all before- and of all after-images that a step, or one run of it, kept."""
    found = rows(
        session,
        """
        SELECT table_name, encode(sha256(string_agg(sha256(convert_to(before::text, 'UTF8')), ''::bytea
                                                    ORDER BY batch, position)), 'hex') AS before,
               encode(sha256(string_agg(sha256(convert_to(after::text, 'UTF8')), ''::bytea
                                        ORDER BY batch, position)), 'hex') AS after
        FROM step_residue WHERE step_id = :step_id AND (CAST(:run_id AS uuid) IS NULL OR run_id = :run_id)
        GROUP BY table_name ORDER BY table_name
        """,
        {"step_id": step_id, "run_id": run_id},
    )
    return {row["table_name"]: {"before": row["before"], "after": row["after"]} for row in found}


def as_json(facts: Any) -> Jsonb:
    """Return facts as a parameter for a jsonb column."""
    return Jsonb(facts)
