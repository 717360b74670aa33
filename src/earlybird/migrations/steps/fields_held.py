"""Fields hold what they should: what is new or changed lies within its bounds; old rows that do not are listed.

A field that no row breaks is held by a constraint, first for new rows, then proven for all. Where rows break the bound
they stand as they are and are listed, and a trigger holds what is new or changed: such a row can still be moved,
charged and corrected. The policy row `check_fields` is switched on: doors say which field and which rule first.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from earlybird.infra import fields
from earlybird.infra.db import rows, run
from earlybird.infra.fields import HELD, Held
from earlybird.kernel.ctx import Ctx
from earlybird.migrations import holding, residue
from earlybird.migrations.protocol import Batch, Kind

NUMBER = 33
NAME = "fields_held"
TITLE = "Fields hold what they should"
REASON = "A price of a million or a telephone number of four digits is found when the bill is out or nobody answers."
TOUCHES = ("policies",)
WARNING = "Reverting takes whatever the columns can hold: no bound on names, phones, prices, quantities and places."
KIND = Kind.enforces
SWITCHES = {fields.POLICY: False}
TABLES = tuple(table for table, _ in itertools.groupby(HELD, key=lambda held: held.table))
LOCKS = dict.fromkeys(TABLES, "AccessExclusiveLock")

SWITCH, HOLD, PROVE = "switch", "hold", "prove"


def phases(session: Session) -> list[list[tuple[str, str]]]:
    """Switch the policy and hold new rows, table by table; then prove the old ones."""
    del session
    return [
        [(SWITCH, "policies"), *((HOLD, table) for table in TABLES)],
        [(PROVE, table) for table in TABLES],
    ]


def apply(session: Session, ctx: Ctx, batch: Batch, chunk: tuple[str, str]) -> None:
    """Do one of the three; what is held already as well as it can be stays."""
    kind, table = chunk
    if kind == SWITCH:
        residue.policy(session, ctx, batch, fields.POLICY, value=True)
        return
    own = [held for held in HELD if held.table == table]
    if kind == HOLD:
        _hold(session, table, own)
    else:
        _prove(session, own)


def _hold(session: Session, table: str, own: Sequence[Held]) -> None:
    constraints, triggers = holding.constraints(session, table), holding.triggers(session, table)
    asked = [held for held in own if held.name not in constraints]
    if not asked:
        return
    broken = _broken(session, table, asked)
    holding.settle(session)
    whole = [held for held in asked if held.name not in broken]
    if whole:
        fields.hold_every_row(session, table, whole)
    for held in asked:
        if held.name in broken and held.name not in triggers:
            fields.hold_changes(session, held)


def _broken(session: Session, table: str, asked: Sequence[Held]) -> set[str]:
    """Return the names of those bounds that any row breaks, in one pass over the table."""
    parts = ", ".join(f"coalesce(bool_or(NOT ({held.fits()})), false) AS {held.name}" for held in asked)
    return {name for name, is_broken in rows(session, f"SELECT {parts} FROM {table}")[0].items() if is_broken}


def _prove(session: Session, own: Sequence[Held]) -> None:
    """Prove the constraints for old rows; where one came in between that breaks it, only changes are held."""
    proven = holding.constraints(session, own[0].table)
    holding.settle(session)
    for held in own:
        if proven.get(held.name) is False:
            try:
                with session.begin_nested():
                    run(session, f"ALTER TABLE {held.table} VALIDATE CONSTRAINT {held.name}")
            except IntegrityError:
                fields.hold_changes(session, held)


def verify(session: Session) -> list[dict[str, Any]]:
    """List fields that nothing holds, and constraints that are not proven: a proven one the database answers for."""
    wrong = []
    for held in HELD:
        proven = holding.constraints(session, held.table).get(held.name)
        if proven is None and held.name not in holding.triggers(session, held.table):
            wrong.append({"id": held.name, "what": "nothing holds the field"})
        elif proven is False:
            wrong.append({"id": held.name, "what": "the constraint is not proven for the rows of before"})
    return wrong


def unclear(session: Session) -> list[dict[str, Any]]:
    """List the rows that break a bound: they stand until somebody corrects them."""
    each = (
        f"(SELECT t.id, '{held.table}.{held.column}: {held.bound.says}' AS what FROM {held.table} t "
        f"WHERE NOT ({held.fits('t.')}) ORDER BY t.id LIMIT 1000)"
        for held in HELD
    )
    return [row | {"candidates": []} for row in rows(session, " UNION ALL ".join(each))]


def tear_down(connection: Connection) -> dict[str, int]:
    """Hold nothing any more."""
    for held in HELD:
        holding.let_go(connection, held.table, held.name)
    return {}
