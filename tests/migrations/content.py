"""A database as a digest per table, ids and instants included."""

from __future__ import annotations

from sqlalchemy import Engine

from conftest import NOW
from earlybird.infra import db
from earlybird.kernel.ctx import Actor, Ctx

IMPORTER = Ctx(actor=Actor(kind="system", name="import", role="admin"), now=NOW, via="import")

APART = {"audit_entries", "unsealed_entries", "steps", "step_runs", "step_residue", "findings"}
"""What a step tells of itself."""


WORK_LISTS = {"uncharged_lines", "unbilled_charges", "message_facts", "invoice_series"}
"""What jobs and triggers fill and empty."""


def digests(engine: Engine) -> dict[str, str]:
    """Per table, a digest of all its rows."""
    with db.rehearsal(engine) as session:
        tables = [
            row["relname"]
            for row in db.rows(
                session,
                "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1",
            )
            if row["relname"] not in APART
        ]
        each = (
            f"SELECT '{table}' AS name, md5(string_agg(md5(t::text), '' ORDER BY md5(t::text))) AS digest FROM {table} t"
            for table in tables
        )
        return {row["name"]: str(row["digest"]) for row in db.rows(session, " UNION ALL ".join(each))}


def unlike(one: dict[str, str], other: dict[str, str]) -> list[str]:
    """The tables that differ."""
    return [table for table in one if one[table] != other[table]]
