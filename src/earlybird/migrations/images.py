"""Take back a batch by its residue, put it there again, and compare what stands with what was written.

Nothing here knows a step's business: keys, foreign keys and columns are read from the catalogue. What docs/algorithms/
reversing-data.md says is done here, in whole sets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.infra.db import rows, run, value
from earlybird.migrations.protocol import Step
from earlybird.migrations.residue import entries, primary_key

FOREIGN_KEYS = """
SELECT DISTINCT c.conrelid::regclass::text AS child, a.attname AS child_column, c.confrelid::regclass::text AS parent,
       b.attname AS parent_column
FROM pg_constraint c
JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
JOIN pg_attribute b ON b.attrelid = c.confrelid AND b.attnum = c.confkey[1]
WHERE c.contype = 'f' AND cardinality(c.conkey) = 1 AND c.confrelid = ANY(CAST(CAST(:tables AS text[]) AS regclass[]))
ORDER BY 1, 2, 3, 4
"""

KEPT = """
SELECT array_agg(id) AS ids, table_name, verb, after IS NULL AS is_old FROM step_residue
WHERE step_id = :step_id AND batch = ANY(:batches) AND (reverted_at IS NULL) = :stands
  AND (CAST(:only AS text[]) IS NULL OR (verb = 'update' AND table_name = ANY(:only)))
  AND NOT (verb = 'update' AND table_name = ANY(:but))
GROUP BY table_name, verb, after IS NULL ORDER BY min(position), min(made_at), min(id::text)
"""

# Tables of which several of these batches wrote the same row, and how.
SHARED = """
SELECT table_name, bool_or('delete' = ANY(verbs)) AS is_deleted FROM (
    SELECT r.table_name, array_agg(r.verb) AS verbs
    FROM step_residue r
    CROSS JOIN LATERAL ROWS FROM (unnest(r.ids), jsonb_array_elements(r.keys)) AS k (id, key)
    WHERE r.step_id = :step_id AND r.batch = ANY(:batches) AND r.reverted_at IS NULL
    GROUP BY r.table_name, k.id, k.key HAVING count(*) > 1
) x GROUP BY table_name
"""


@dataclass(slots=True)
class Kept:
    """The residue of one table and verb, of a batch or of several, unfolded to a temporary table of its entries."""

    ids: list[UUID]
    table: str
    verb: str
    is_old: bool
    key: list[str]
    entries: str

    def same(self, one: str, other: str) -> str:
        """Return the condition that two aliases name the same row."""
        return " AND ".join(f"{one}.{name} = {other}.{name}" for name in self.key)


def unfold(
    session: Session,
    step_id: UUID,
    batches: Sequence[int],
    *,
    stands: bool,
    only: Sequence[str] | None = None,
    but: Sequence[str] = (),
) -> list[Kept]:
    """Unfold the residue of batches that stand (or were taken back), in the order it was kept.

    Of updates those of the tables `only`, or of all `but` some.
    """
    found = []
    facts = {"step_id": step_id, "batches": list(batches), "stands": stands, "only": only, "but": list(but)}
    for place, row in enumerate(rows(session, KEPT, facts)):
        key = primary_key(session, row["table_name"])
        kept = Kept(row["ids"], row["table_name"], row["verb"], row["is_old"], key, f"entry_{place}")
        run(
            session,
            f"CREATE TEMP TABLE {kept.entries} ON COMMIT DROP AS SELECT *, false AS held "
            f"FROM ({entries(key, '= ANY(:residue_ids)').format(table=kept.table)}) e",
            {"residue_ids": kept.ids},
        )
        run(session, f"CREATE INDEX ON {kept.entries} ({', '.join(key)})")
        run(session, f"ANALYZE {kept.entries} ({', '.join(key)})")
        found.append(kept)
    return found


def fold_away(session: Session, kept: Sequence[Kept]) -> None:
    """Drop the temporary tables, so that the same transaction may unfold another batch."""
    for one in kept:
        run(session, f"DROP TABLE {one.entries}")


def parents_first(session: Session, tables: Sequence[str]) -> list[str]:
    """Return the tables so that none comes before one it points at."""
    above: dict[str, set[str]] = {table: set() for table in tables}
    for row in rows(session, FOREIGN_KEYS, {"tables": list(above)}):
        if row["child"] in above and row["child"] != row["parent"]:
            above[row["child"]].add(row["parent"])
    ordered: list[str] = []
    while above:
        free = sorted(table for table, needs in above.items() if not needs - set(ordered)) or sorted(above)
        ordered += free
        above = {table: needs for table, needs in above.items() if table not in free}
    return ordered


def together(session: Session, step_id: UUID, batches: Sequence[int]) -> list[str] | None:
    """Return the tables of whose rows several of these batches wrote the same; None where each must go alone.

    Batches may be taken back as one where none misses its after-images, and what they wrote in common was only
    updated, after it was made at the most.
    """
    if len(batches) == 1:
        return []
    facts = {"step_id": step_id, "batches": list(batches)}
    if value(
        session,
        "SELECT EXISTS (SELECT FROM step_residue WHERE step_id = :step_id AND batch = ANY(:batches) "
        "AND reverted_at IS NULL AND verb <> 'delete' AND after IS NULL)",
        facts,
    ):
        return None
    found = rows(session, SHARED, facts)
    return None if any(row["is_deleted"] for row in found) else [row["table_name"] for row in found]


def take_back(
    session: Session, step: Step, step_id: UUID, batches: Sequence[int], *, is_alone: bool = False
) -> dict[str, dict[str, int]]:
    """Put the rows of batches back; return per table how many were `back`, `held`, `changed` since and `gone`.

    What was inserted goes, unless somebody changed it since or something since hangs on it: then it and all that
    the batches tied to it stay. What was updated goes back column by column, where it still is what the step wrote;
    where several batches wrote a row, one after the other, the last first. Where the step `is_alone`, references are
    asked about in whole sets.
    """
    told: dict[str, dict[str, int]] = {}
    shared = together(session, step_id, batches)
    if shared is None:
        for batch in sorted(batches, reverse=True):
            for table, counts in take_back(session, step, step_id, [batch], is_alone=is_alone).items():
                _note(told, table, **counts)
        return told
    _put_shared(session, step_id, batches, shared, told)
    kept = unfold(session, step_id, batches, stands=True, but=shared)
    made = [one for one in kept if one.verb == "insert"]
    _lock(session, made)
    _hold(session, made)
    order = parents_first(session, sorted({one.table for one in made}))
    for one in sorted(made, key=lambda one: -order.index(one.table)):
        _remove(session, step, one, told, is_alone=is_alone)
    for one in reversed(kept):
        if one.verb == "update":
            _put_columns(session, one, told, source="before", expected="after")
        elif one.verb == "delete":
            _note(told, one.table, back=_insert(session, one, "before"))
    run(
        session,
        "UPDATE step_residue SET reverted_at = clock_timestamp() WHERE step_id = :step_id AND batch = ANY(:batches) "
        "AND reverted_at IS NULL",
        {"step_id": step_id, "batches": list(batches)},
    )
    fold_away(session, kept)
    return told


def _put_shared(
    session: Session, step_id: UUID, batches: Sequence[int], shared: Sequence[str], told: dict[str, dict[str, int]]
) -> None:
    """Put the columns of rows that several batches wrote back, batch by batch, the last first."""
    for batch in sorted(batches, reverse=True) if shared else ():
        kept = unfold(session, step_id, [batch], stands=True, only=shared)
        for one in kept:
            _put_columns(session, one, told, source="before", expected="after")
        fold_away(session, kept)


def _lock(session: Session, made: Sequence[Kept]) -> None:
    """Lock what was inserted, and look at it where no image of it was kept."""
    for one in made:
        run(session, f"SELECT FROM {one.table} t JOIN {one.entries} e ON {one.same('t', 'e')} FOR UPDATE OF t")
        if one.is_old:
            run(
                session,
                f"UPDATE {one.entries} e SET after = to_jsonb(t) FROM {one.table} t WHERE {one.same('t', 'e')}",
            )
            _keep_images(session, one)


def _note(told: dict[str, dict[str, int]], table: str, **counts: int) -> None:
    own = told.setdefault(table, {"back": 0, "held": 0, "changed": 0, "gone": 0})
    for name, count in counts.items():
        own[name] += count


def _keep_images(session: Session, one: Kept) -> None:
    run(
        session,
        f"UPDATE step_residue SET after = (SELECT to_jsonb(array_agg(after ORDER BY place)) FROM {one.entries}) "
        "WHERE id = ANY(:ids)",
        {"ids": one.ids},
    )


def _hold(session: Session, made: Sequence[Kept]) -> None:
    """Mark what must stay: rows changed since, rows that others point at, and all that the batch ties to those."""
    for one in made:
        run(
            session,
            f"UPDATE {one.entries} e SET held = true FROM {one.table} t "
            f"WHERE {one.same('t', 'e')} AND to_jsonb(t) <> e.after AND EXISTS (SELECT FROM jsonb_each(e.after) a "
            "WHERE to_jsonb(t) -> a.key IS DISTINCT FROM a.value)",
        )
    by_table = {one.table: one for one in made}
    ties = rows(session, FOREIGN_KEYS, {"tables": list(by_table)})
    for tie in ties:
        parent, child = by_table[tie["parent"]], by_table.get(tie["child"])
        if [tie["parent_column"]] != parent.key:
            continue
        own = "" if child is None else f"AND NOT EXISTS (SELECT FROM {child.entries} x WHERE {child.same('x', 'c')})"
        run(
            session,
            f"UPDATE {parent.entries} e SET held = true WHERE NOT held AND EXISTS (SELECT FROM {tie['child']} c "
            f"WHERE c.{tie['child_column']} = e.{tie['parent_column']} {own})",
        )
    within = [tie for tie in ties if tie["child"] in by_table]
    while sum(_spread(session, by_table[tie["child"]], by_table[tie["parent"]], tie) for tie in within):
        pass


def _spread(session: Session, child: Kept, parent: Kept, tie: Mapping[str, str]) -> int:
    """Let what is held hold what it points at, and what points at it; return how many more are held."""
    met = (
        f"{parent.entries} p WHERE p.{tie['parent_column']} = "
        f"((jsonb_populate_record(NULL::{child.table}, c.after)).{tie['child_column']})"
    )
    down = run(
        session,
        f"UPDATE {child.entries} c SET held = true WHERE NOT c.held AND EXISTS (SELECT FROM {met} AND p.held)",
    )
    up = run(
        session,
        f"UPDATE {parent.entries} p SET held = true WHERE NOT p.held AND p.{tie['parent_column']} IN ("
        f"SELECT (jsonb_populate_record(NULL::{child.table}, c.after)).{tie['child_column']} "
        f"FROM {child.entries} c WHERE c.held)",
    )
    return down + up


# Whether all that PostgreSQL would do about deleted rows is to ask who points at their key; append-only tables let a
# step take back.
ONLY_ASKED = """
SELECT has_parameter_privilege('session_replication_role', 'SET')
   AND NOT EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = CAST(:table AS regclass) AND NOT g.tgisinternal
                   AND g.tgenabled <> 'D' AND g.tgtype & 8 = 8 AND g.tgname NOT LIKE '%\\_append\\_only')
   AND NOT EXISTS (SELECT FROM pg_constraint c JOIN pg_attribute b
                   ON b.attrelid = c.confrelid AND b.attnum = c.confkey[1]
                   WHERE c.contype = 'f' AND c.confrelid = CAST(:table AS regclass)
                     AND NOT (cardinality(c.conkey) = 1 AND b.attname = :key AND c.confdeltype IN ('a', 'r')))
"""


def _is_free(session: Session, one: Kept) -> bool:
    """Tell whether nothing points at any row that is to go: they are locked, so nothing can from now on."""
    if len(one.key) != 1 or not value(session, ONLY_ASKED, {"table": one.table, "key": one.key[0]}):
        return False
    return not any(
        value(
            session,
            f"SELECT EXISTS (SELECT FROM {one.entries} e JOIN {tie['child']} c ON c.{tie['child_column']} = "
            f"e.{one.key[0]} WHERE NOT e.held)",
        )
        for tie in rows(session, FOREIGN_KEYS, {"tables": [one.table]})
    )


def _delete(session: Session, one: Kept, *, is_alone: bool) -> int:
    """Delete what is not held; return how many rows.

    PostgreSQL asks for every deleted row, and every foreign key, whether something points at it. Where the step is
    alone this is asked once, in a whole set; where something does, PostgreSQL is left to refuse.
    """
    gone = f"DELETE FROM {one.table} t USING {one.entries} e WHERE {one.same('t', 'e')} AND NOT e.held"
    if not (is_alone and _is_free(session, one)):
        return run(session, gone)
    run(session, "SET LOCAL session_replication_role = replica")
    back = run(session, gone)
    run(session, "SET LOCAL session_replication_role = origin")
    return back


def _remove(session: Session, step: Step, one: Kept, told: dict[str, dict[str, int]], *, is_alone: bool) -> None:
    followers = [(table, column) for table, (column, named) in step.follows.items() if named == one.table]
    for table, column in followers:
        run(
            session,
            f"DELETE FROM {table} f USING {one.entries} e WHERE f.{column} = e.{one.key[0]} AND NOT e.held",
        )
    held = int(
        value(
            session,
            f"SELECT count(*) FROM {one.entries} e JOIN {one.table} t ON {one.same('t', 'e')} WHERE e.held",
        )
    )
    back = _delete(session, one, is_alone=is_alone)
    wanted = int(value(session, f"SELECT count(*) FROM {one.entries} WHERE after IS NOT NULL"))
    _note(told, one.table, back=back, held=held, gone=wanted - back - held)
    columns = step.loosens.get(one.table, ())
    if columns and held:
        loose = ", ".join(f"{name} = CASE WHEN {_as_written(name)} THEN NULL ELSE t.{name} END" for name in columns)
        run(
            session,
            f"UPDATE {one.table} t SET {loose} FROM {one.entries} e WHERE {one.same('t', 'e')} AND e.held",
        )


def _as_written(column: str) -> str:
    return f"to_jsonb(t) -> '{column}' = e.after -> '{column}'"


COLUMNS = """
SELECT attname FROM pg_attribute WHERE attrelid = CAST(:table AS regclass) AND attnum > 0 AND NOT attisdropped
AND attgenerated = '' ORDER BY attnum
"""


def _insert(session: Session, one: Kept, image: str) -> int:
    """Insert the rows of these images that are not there; return how many."""
    names = [row["attname"] for row in rows(session, COLUMNS, {"table": one.table})]
    some = value(session, f"SELECT {image} FROM {one.entries} WHERE {image} IS NOT NULL LIMIT 1")
    kept = [name for name in names if name in (some or {})]
    if not kept:
        return 0
    into, chosen = ", ".join(f'"{name}"' for name in kept), ", ".join(f'x."{name}"' for name in kept)
    return run(
        session,
        f"INSERT INTO {one.table} ({into}) SELECT {chosen} FROM {one.entries} e "
        f"CROSS JOIN LATERAL jsonb_populate_record(NULL::{one.table}, e.{image}) x "
        f"WHERE e.{image} IS NOT NULL ON CONFLICT ({', '.join(one.key)}) DO NOTHING",
    )


def _put_columns(
    session: Session, one: Kept, told: dict[str, dict[str, int]] | None, *, source: str, expected: str
) -> int:
    """Write the `source` image where the row still holds the `expected` one, column by column; return rows written."""
    names = [
        row["key"]
        for row in rows(session, f"SELECT DISTINCT b.key FROM {one.entries} e, jsonb_each(e.before) b ORDER BY 1")
    ]
    if not names:
        return 0
    here = """coalesce(to_jsonb(t."{0}"), 'null')"""
    old_ok = f"e.{expected} IS NULL OR " if one.is_old else ""
    fits = "(e.{source} ? '{0}' AND ({old_ok}{here} = e.{expected} -> '{0}') AND {here} <> e.{source} -> '{0}')"
    named = [
        (name, fits.format(name, source=source, expected=expected, here=here.format(name), old_ok=old_ok))
        for name in names
    ]
    put = ", ".join(f'"{name}" = CASE WHEN {fit} THEN x."{name}" ELSE t."{name}" END'
                    for name, fit in named)  # fmt: skip
    written = run(
        session,
        f"UPDATE {one.table} t SET {put} FROM {one.entries} e "
        f"CROSS JOIN LATERAL jsonb_populate_record(NULL::{one.table}, e.{source}) x "
        f"WHERE {one.same('t', 'e')} AND ({' OR '.join(fit for _, fit in named)})",
    )
    if told is not None:
        changed = value(
            session,
            f"SELECT count(*) FROM {one.entries} e JOIN {one.table} t ON {one.same('t', 'e')} "
            "CROSS JOIN LATERAL (SELECT to_jsonb(t) AS live OFFSET 0) l WHERE e.after IS NOT NULL "
            "AND EXISTS (SELECT FROM jsonb_each(e.after) a WHERE l.live -> a.key <> a.value "
            f"AND l.live -> a.key <> e.{source} -> a.key)",
        )
        _note(told, one.table, back=written, changed=int(changed))
    return written


def put_again(session: Session, step: Step, step_id: UUID, batch: int) -> dict[str, int]:
    """Put what was taken back there again, ids included; return rows per table.

    Raises the database's IntegrityError where something else took a row's place meanwhile.
    """
    kept = unfold(session, step_id, [batch], stands=False)
    made: dict[str, int] = {}
    order = parents_first(session, sorted({one.table for one in kept}))
    for one in kept:
        if one.verb == "delete":
            gone = run(session, f"DELETE FROM {one.table} t USING {one.entries} e WHERE {one.same('t', 'e')}")
            made[one.table] = made.get(one.table, 0) + gone
    for one in sorted((one for one in kept if one.verb == "insert"), key=lambda one: order.index(one.table)):
        written = _insert(session, one, "after") + _tighten(session, step, one)
        made[one.table] = made.get(one.table, 0) + written
    for one in kept:
        if one.verb == "update":
            put = _put_columns(session, one, None, source="after", expected="before")
            made[one.table] = made.get(one.table, 0) + put
    run(
        session,
        "UPDATE step_residue SET reverted_at = NULL WHERE id = ANY(:ids)",
        {"ids": [key for one in kept for key in one.ids]},
    )
    fold_away(session, kept)
    return {table: count for table, count in made.items() if table not in step.passing}


def _tighten(session: Session, step: Step, one: Kept) -> int:
    columns = step.loosens.get(one.table, ())
    if not columns:
        return 0
    put = ", ".join(f"{name} = coalesce(t.{name}, x.{name})" for name in columns)
    lost = " OR ".join(f"(t.{name} IS NULL AND x.{name} IS NOT NULL)" for name in columns)
    return run(
        session,
        f"UPDATE {one.table} t SET {put} FROM {one.entries} e "
        f"CROSS JOIN LATERAL jsonb_populate_record(NULL::{one.table}, e.after) x "
        f"WHERE {one.same('t', 'e')} AND ({lost})",
    )


STANDING = """
SELECT r.id, r.table_name, r.verb, written_by(r.xmin, pg_snapshot_xmax(pg_current_snapshot())) AS since
FROM step_residue r
WHERE r.step_id = :step_id AND r.reverted_at IS NULL AND r.verb <> 'delete' AND r.after IS NOT NULL
  AND NOT r.table_name = ANY(:passing)
ORDER BY r.batch, r.position
"""

# A difference is explained by a later batch of any step that wrote what stands, by an audit entry about the row and
# the column, or by an audit entry of the transaction that wrote the row last.
UNEXPLAINED = """
WITH audited AS MATERIALIZED (
    SELECT a.entity_id, a.after, written_by(a.xmin, pg_snapshot_xmax(pg_current_snapshot())) AS writer
    FROM audit_entries a
    WHERE EXISTS (SELECT FROM unlike d WHERE d.own_id = a.entity_id)
       OR written_by(a.xmin, pg_snapshot_xmax(pg_current_snapshot())) IN (SELECT writer FROM unlike)
)
SELECT d.id, d.what, d.table_name, d.column_name, d.wrote, d.stands
FROM unlike d
WHERE NOT EXISTS (SELECT FROM audited a WHERE a.entity_id = d.own_id AND a.writer > d.since
                  AND (a.after IS NULL OR a.after ? d.column_name))
  AND NOT EXISTS (SELECT FROM audited a WHERE a.writer = d.writer AND a.writer > d.since
                  AND (d.own_id IS NULL OR a.entity_id IS DISTINCT FROM d.own_id))
ORDER BY d.table_name, d.id, d.column_name LIMIT :most
"""

MOST = 1_000


def unlike(session: Session, step: Step, step_id: UUID) -> list[dict[str, Any]]:
    """List the fields that no longer hold what the step wrote, though nothing on record changed them since."""
    run(
        session,
        "CREATE TEMP TABLE unlike (id text, own_id uuid, what text, table_name text, column_name text, wrote jsonb, "
        "stands jsonb, writer bigint, since bigint) ON COMMIT DROP",
    )
    for row in rows(session, STANDING, {"step_id": step_id, "passing": list(step.passing)}):
        table, key = row["table_name"], primary_key(session, row["table_name"])
        same = " AND ".join(f"t.{name} = e.{name}" for name in key)
        named = "concat_ws('/', " + ", ".join(f"e.{name}" for name in key) + ")"
        own = "e.id" if key == ["id"] else "NULL::uuid"
        run(
            session,
            f"INSERT INTO unlike SELECT {named}, {own}, CASE WHEN t.{key[0]} IS NULL THEN 'the row is gone' "
            "ELSE 'the field does not hold what the step wrote' END, CAST(:table AS text), coalesce(a.key, ''), "
            "a.value, l.live -> a.key, written_by(t.xmin, pg_snapshot_xmax(pg_current_snapshot())), "
            "CAST(:since AS bigint) "
            f"FROM ({entries(key).format(table=table)}) e LEFT JOIN {table} t ON {same} "
            "CROSS JOIN LATERAL (SELECT to_jsonb(t) AS live OFFSET 0) l "
            "LEFT JOIN LATERAL (SELECT b.key, b.value FROM jsonb_each(e.after) b WHERE l.live <> e.after "
            "AND l.live -> b.key IS DISTINCT FROM b.value) a ON true "
            f"WHERE e.after IS NOT NULL AND (t.{key[0]} IS NULL OR a.key IS NOT NULL)",
            {"residue_id": row["id"], "table": table, "since": row["since"]},
        )
    if not value(session, "SELECT EXISTS (SELECT FROM unlike)"):
        run(session, "DROP TABLE unlike")
        return []
    _explain_by_steps(session)
    found = rows(session, UNEXPLAINED, {"most": MOST})
    run(session, "DROP TABLE unlike")
    return found


def _explain_by_steps(session: Session) -> None:
    """Forget differences that another batch, of whatever step, wrote and kept."""
    others = rows(
        session,
        "SELECT id, table_name FROM step_residue WHERE verb = 'update' AND after IS NOT NULL "
        "AND reverted_at IS NULL AND table_name IN (SELECT table_name FROM unlike)",
    )
    for row in others:
        key = primary_key(session, row["table_name"])
        named = "concat_ws('/', " + ", ".join(f"e.{name}" for name in key) + ")"
        run(
            session,
            f"DELETE FROM unlike d USING ({entries(key).format(table=row['table_name'])}) e "
            f"WHERE d.table_name = :table AND d.id = {named} AND e.after -> d.column_name = d.stands",
            {"residue_id": row["id"], "table": row["table_name"]},
        )
