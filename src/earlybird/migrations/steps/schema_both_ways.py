"""Every schema version goes up and down, one after the other, and the database stands on the last.

It is how the program is built: verified, never reverted; `earlybird migrate down` takes a version back.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from earlybird.infra.db import Table, rows
from earlybird.kernel.ctx import Ctx
from earlybird.migrations import building
from earlybird.migrations.protocol import Batch, Kind

NUMBER = 34
NAME = "schema_both_ways"
TITLE = "Every schema version goes both ways"
REASON = "Old migrations shared numbers and the runner knew only some: nobody could say where a database stood."
KIND = Kind.structural
TOUCHES = ()
WARNING = "Nothing can be reverted: it is how the program is built."

TABLES = """
SELECT c.relname AS name FROM pg_class c
WHERE c.relkind = 'r' AND c.relnamespace = CAST(current_schema() AS regnamespace)
  AND c.relname <> 'alembic_version' AND NOT starts_with(c.relname, 'procrastinate')
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
"""


def phases(session: Session) -> list[list[None]]:
    """Return nothing to do."""
    del session
    return []


def apply(session: Session, ctx: Ctx, batch: Batch, chunk: None) -> dict[str, int]:
    """Do nothing: there is no chunk to do."""
    del session, ctx, batch, chunk
    return {}


def verify(session: Session) -> list[dict[str, Any]]:
    """List versions that lead nowhere, fork or go one way, and where the database stands beside them."""
    versions = {version.name: version for version in building.versions()}
    wrong = [(name, "it does nothing on the way up") for name, one in versions.items() if not one.goes_up]
    wrong += [(name, "it does nothing on the way down") for name, one in versions.items() if not one.goes_down]
    wrong += [
        (name, f"it follows {before}, which is no version")
        for name, one in versions.items()
        for before in one.follows
        if before not in versions
    ]
    firsts = sorted(name for name, one in versions.items() if not one.follows)
    wrong += [(name, "no version is before it, nor before another") for name in firsts[1:]]
    followed = [before for one in versions.values() for before in one.follows]
    wrong += [(name, "two versions follow it") for name in sorted(versions) if followed.count(name) > 1]
    heads = sorted(set(versions) - set(followed))
    stands = [row["version_num"] for row in rows(session, "SELECT version_num FROM alembic_version")]
    if stands != heads:
        wrong.append((", ".join(stands) or "empty", f"the database does not stand on the last: {', '.join(heads)}"))
    there, said = {row["name"] for row in rows(session, TABLES)}, set(Table.metadata.tables)
    wrong += [(name, "the table is not there") for name in sorted(said - there)]
    wrong += [(name, "no version made this table") for name in sorted(there - said)]
    return [{"id": name, "what": what} for name, what in wrong]
