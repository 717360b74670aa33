"""A database as what it says: every table's rows with references resolved, without ids and instants of their making."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from typing import Any

from sqlalchemy import Engine

from earlybird.infra import db

TECHNICAL = {
    "alembic_version", "audit_entries", "unsealed_entries", "findings", "import_runs", "jobs", "outbox", "step_residue", "step_runs",
}  # fmt: skip
"""How a state was come by; a state come by otherwise is the same state."""

BY_CHANCE = {
    "id",
    "code",
    "number",
    "position",
    "next_number",
    "run_id",
    "changed_run_id",
    "former",
    "set_by",
    "transaction_no",
}
"""Columns that follow from ids, which are new in every database, or tell how the state was come by."""

UUID_TEXT = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")


def state(engine: Engine) -> dict[str, Counter[str]]:
    """Per table, how often each row is there; equal for equal states, whatever their ids."""
    names: dict[str, str] = {}
    found = {}
    with db.rehearsal(engine) as session:
        for row in db.rows(session, "SELECT id, collection, ident FROM legacy_documents"):
            names[str(row["id"])] = f"{row['collection']}/{row['ident']}"
        tables = [table for table in db.Table.metadata.sorted_tables if table.name not in TECHNICAL]
        for row in db.rows(session, "SELECT customer_id, party FROM legacy_parties"):
            names.setdefault(str(row["customer_id"]), row["party"])
        for table in tables:
            kept = [
                column.name
                for column in table.columns
                if column.name not in BY_CHANCE and "now()" not in str(getattr(column.server_default, "arg", ""))
            ]
            counted: Counter[str] = Counter()
            key = ", id" if "id" in table.columns else ""
            columns = ", ".join(f'"{name}"' for name in kept)
            for row in db.rows(session, f"SELECT {columns}{key} FROM {table.name}"):
                own = row.pop("id", None)
                text = json.dumps(row, default=_plain, sort_keys=True)
                text = UUID_TEXT.sub(lambda found: names.get(found[0], "?"), text)
                counted[text] += 1
                if own is not None:
                    names.setdefault(
                        str(own), f"{table.name}/{hashlib.blake2b(text.encode(), digest_size=8).hexdigest()}"
                    )
            found[table.name] = counted
    return found


def _plain(value: Any) -> str:
    return value.hex() if isinstance(value, bytes | memoryview) else str(value)


def unlike(one: dict[str, Counter[str]], other: dict[str, Counter[str]]) -> dict[str, Any]:
    """The first rows per table that only one of two states has; empty for the same state."""
    return {
        name: ([*(one[name] - other[name])][:3], [*(other[name] - one[name])][:3])
        for name in one
        if one[name] != other[name]
    }
