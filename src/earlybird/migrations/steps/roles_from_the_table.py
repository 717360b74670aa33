"""Only the right role may act: what roles may do is the table of grants, made what the rules of the house say.

A business taken over begins with what its old system let each role do. The cells before are kept: reverting brings
that version of the table back, whatever it was. An empty table is no version: nobody goes back to it.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from earlybird.identity import rules
from earlybird.identity.service import grants
from earlybird.infra.db import rows, run, value
from earlybird.kernel.ctx import Ctx
from earlybird.migrations import residue
from earlybird.migrations.protocol import Batch, Kind

NUMBER = 24
NAME = "roles_from_the_table"
TITLE = "Only the right role may act"
REASON = "In the old system whoever had signed in could read every customer's data, change prices and delete payments."
KIND = Kind.enforces
TOUCHES = ("grants",)
WARNING = "Reverting brings back what roles might do before: the version of the table that stood then."
OPENS_A_HOLE = "Roles may do what the old table of grants lets them, not what the rules of the house say."

WANTED = """
CREATE TEMP TABLE wanted_cell ON COMMIT DROP AS
SELECT * FROM unnest(CAST(:role AS text[]), CAST(:action AS text[]), CAST(:scope AS text[])) AS w (role, action, scope)
"""

OTHER_SCOPE = """(
SELECT g.role, g.action, jsonb_build_object('scope', g.scope) AS before
FROM grants g JOIN wanted_cell w USING (role, action) WHERE g.scope <> w.scope) g"""

MISSING = "(SELECT w.* FROM wanted_cell w LEFT JOIN grants g USING (role, action) WHERE g.role IS NULL) g"

BEYOND = """(
SELECT g.role, g.action, to_jsonb(g) AS before
FROM grants g LEFT JOIN wanted_cell w USING (role, action) WHERE w.role IS NULL) g"""

KEY = ("role", "action")


def phases(session: Session) -> list[list[None]]:
    """Return the one batch: the table changes at once."""
    del session
    return [[None]]


def apply(session: Session, ctx: Ctx, batch: Batch, chunk: None) -> None:
    """Make the table what the rules say, keeping the cells that change."""
    del chunk
    if value(session, "SELECT EXISTS (SELECT FROM grants)"):
        cells = rules.cells()
        run(session, WANTED, {name: [cell[name] for cell in cells] for name in ("role", "action", "scope")})
        residue.updated(session, batch, "grants", OTHER_SCOPE, KEY)
        residue.inserted(session, batch, "grants", MISSING, KEY)
        residue.deleted(session, batch, "grants", BEYOND, KEY)
    grants.seed(session, ctx)


def verify(session: Session) -> list[dict[str, Any]]:
    """List the cells that are not what the rules say."""
    said = {action: {str(role): str(scope) for role, scope in by_role.items()} for action, by_role in rules.GRANTS}
    stands: dict[str, dict[str, str]] = {}
    for cell in rows(session, "SELECT role, action, scope FROM grants"):
        stands.setdefault(cell["action"], {})[cell["role"]] = cell["scope"]
    wrong = []
    for action in sorted(said.keys() | stands.keys()):
        wanted, found = said.get(action, {}), stands.get(action, {})
        for role in sorted(wanted.keys() | found.keys()):
            if wanted.get(role) != found.get(role):
                what = f"may {found.get(role, 'not')} in the table, {wanted.get(role, 'not')} by the rules"
                wrong.append({"id": f"{role} {action}", "what": what})
    return wrong
