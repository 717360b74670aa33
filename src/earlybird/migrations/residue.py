"""What a step changed, batch by batch: enough to take it back to the byte."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.infra.db import run


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch of one run of a step; its number is unique within the step."""

    step_id: UUID
    run_id: UUID
    number: int


KEEP = """
INSERT INTO step_residue (step_id, run_id, table_name, batch, verb, ids, before)
SELECT :step_id, :run_id, :table_name, :number, :verb, array_agg({key} ORDER BY {key}), {before}
FROM {changed} HAVING count(*) > 0
"""


def inserted(session: Session, batch: Batch, table_name: str, changed: str, key: str = "id") -> int:
    """Keep the ids of rows the batch inserted; `changed` is a table (or sub-select) that holds them."""
    return _keep(session, batch, table_name, "insert", changed, key, "NULL")


def updated(session: Session, batch: Batch, table_name: str, changed: str, key: str = "id") -> int:
    """Keep ids and before-images; `changed` has the key and a jsonb column `before`, in the same order."""
    return _keep(session, batch, table_name, "update", changed, key, f"jsonb_agg(before ORDER BY {key})")


def _keep(session: Session, batch: Batch, table_name: str, verb: str, changed: str, key: str, before: str) -> int:
    return run(
        session,
        KEEP.format(key=key, before=before, changed=changed),
        {
            "step_id": batch.step_id,
            "run_id": batch.run_id,
            "table_name": table_name,
            "number": batch.number,
            "verb": verb,
        },
    )


def states(session: Session, batch: Batch, table_name: str, ids: list[UUID]) -> int:
    """Keep the states of these rows before they are moved."""
    return run(
        session,
        f"""
        INSERT INTO step_residue (step_id, run_id, table_name, batch, verb, ids, before)
        SELECT :step_id, :run_id, :table_name, :number, 'update', array_agg(id ORDER BY id),
               jsonb_agg(jsonb_build_object('state', state, 'state_at', state_at) ORDER BY id)
        FROM {table_name} WHERE id = ANY(:ids) HAVING count(*) > 0
        """,
        {
            "step_id": batch.step_id,
            "run_id": batch.run_id,
            "table_name": table_name,
            "number": batch.number,
            "ids": ids,
        },
    )
