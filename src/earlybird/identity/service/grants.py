"""The grants table in the database: what `rules.GRANTS` says."""

from __future__ import annotations

from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.identity import rules
from earlybird.infra.db import run
from earlybird.kernel.ctx import Ctx


def seed(session: Session, ctx: Ctx) -> int:
    """Make the grants table what `rules.GRANTS` says; return how many cells changed."""
    cells = rules.cells()
    given = {name: [cell[name] for cell in cells] for name in ("role", "action", "scope")}
    wanted = (
        "SELECT * FROM unnest(CAST(:role AS text[]), CAST(:action AS text[]), CAST(:scope AS text[])) "
        "AS w (role, action, scope)"
    )
    changed = run(
        session,
        f"INSERT INTO grants (role, action, scope) {wanted} ON CONFLICT (role, action) DO UPDATE "
        "SET scope = excluded.scope WHERE grants.scope <> excluded.scope",
        given,
    )
    changed += run(
        session,
        f"DELETE FROM grants g WHERE NOT EXISTS (SELECT FROM ({wanted}) x "
        "WHERE x.role = g.role AND x.action = g.action)",
        given,
    )
    if changed:
        audit.record(session, ctx, "identity.seed_grants", "grants", row_count=changed)
    return changed
