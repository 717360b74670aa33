"""The grants table in the database: what each role may do; it is read anew at every request."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.identity import rules
from earlybird.infra.db import rows, run, value
from earlybird.kernel.ctx import Ctx

WANTED = """
SELECT * FROM unnest(CAST(:role AS text[]), CAST(:action AS text[]), CAST(:scope AS text[])) AS w (role, action, scope)
"""

DIFFERENT = f"""
SELECT role, action, g.scope AS before, w.scope AS after
FROM grants g FULL JOIN ({WANTED}) w USING (role, action) WHERE g.scope IS DISTINCT FROM w.scope ORDER BY 2, 1
"""


def fill(session: Session, ctx: Ctx, cells: Sequence[dict[str, str]] | None = None) -> int:
    """Fill a table in which nothing stands yet, with what `rules.GRANTS` says or with these cells; return how many.

    Where something stands it stays: `earlybird steps apply roles_from_the_table` makes it what the rules say.
    """
    if value(session, "SELECT EXISTS (SELECT FROM grants)"):
        return 0
    return _settle(session, ctx, rules.cells() if cells is None else cells)


def seed(session: Session, ctx: Ctx) -> int:
    """Make the grants table what `rules.GRANTS` says; return how many cells changed."""
    return _settle(session, ctx, rules.cells())


def _settle(session: Session, ctx: Ctx, cells: Sequence[dict[str, str]]) -> int:
    """Make the table these cells; the entry tells each cell that changed, before and after."""
    given = {name: [cell[name] for cell in cells] for name in ("role", "action", "scope")}
    found = rows(session, DIFFERENT, given)
    if not found:
        return 0
    run(
        session,
        f"INSERT INTO grants (role, action, scope) {WANTED} ON CONFLICT (role, action) DO UPDATE "
        "SET scope = excluded.scope WHERE grants.scope <> excluded.scope",
        given,
    )
    run(
        session,
        f"DELETE FROM grants g WHERE NOT EXISTS (SELECT FROM ({WANTED}) x "
        "WHERE x.role = g.role AND x.action = g.action)",
        given,
    )
    audit.record(
        session,
        ctx,
        "identity.seed_grants",
        "grants",
        before={f"{cell['role']} {cell['action']}": cell["before"] for cell in found if cell["before"]},
        after={f"{cell['role']} {cell['action']}": cell["after"] for cell in found if cell["after"]},
        row_count=len(found),
    )
    return len(found)
