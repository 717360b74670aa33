"""Every question about steps and their runs."""

from __future__ import annotations

import itertools
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.infra.db import rows
from earlybird.migrations.protocol import SERIES


def unfinished_apply(session: Session, step_id: UUID) -> dict[str, Any] | None:
    """Return the apply of this step that was begun last and not ended, with the state it `was` in before."""
    found = rows(
        session,
        "SELECT id, coalesce(result ->> 'was', 'pending') AS was FROM step_runs WHERE step_id = :id "
        "AND verb = 'apply' AND finished_at IS NULL ORDER BY started_at DESC, id DESC LIMIT 1",
        {"id": step_id},
    )
    return found[0] if found else None


def batches(session: Session, step_id: UUID, *, stands: bool, run_id: UUID | None = None) -> list[list[int]]:
    """Return the numbers of the batches that stand (or are taken back), ascending; of one run where it is named.

    Neighbours of one series come together: they touch different rows, so they may be done at once.
    """
    found = rows(
        session,
        "SELECT batch, min(position) / :series AS series FROM step_residue WHERE step_id = :id "
        "AND (reverted_at IS NULL) = :stands AND (CAST(:run_id AS uuid) IS NULL OR run_id = :run_id) "
        "GROUP BY batch ORDER BY batch",
        {"id": step_id, "stands": stands, "run_id": run_id, "series": SERIES},
    )
    return [[row["batch"] for row in group] for _, group in itertools.groupby(found, lambda row: row["series"])]


def last(session: Session, step_id: UUID) -> tuple[int, int]:
    """Return the highest batch and the highest series a step has used, 0 where none."""
    found = rows(
        session,
        "SELECT coalesce(greatest(max(batch), 0), 0) AS batch, coalesce(max(position), 0) / :series AS series "
        "FROM step_residue WHERE step_id = :id",
        {"id": step_id, "series": SERIES},
    )
    return found[0]["batch"], found[0]["series"]


def states(session: Session) -> dict[int, dict[str, Any]]:
    """Return how each step stands, by number, with the rows of its last ended run."""
    found = rows(
        session,
        "SELECT s.number, s.state, s.state_at, s.wish, r.row_counts FROM steps s LEFT JOIN LATERAL ("
        "SELECT row_counts FROM step_runs r WHERE r.step_id = s.id AND r.finished_at IS NOT NULL "
        "ORDER BY r.started_at DESC, r.id DESC LIMIT 1) r ON true",
    )
    return {row["number"]: row for row in found}


def history(session: Session, number: int | None, limit: int) -> list[dict[str, Any]]:
    """Return the last runs, the newest first."""
    return rows(
        session,
        "SELECT r.id, s.number, s.name, r.verb, r.actor_name, r.started_at, r.finished_at, r.row_counts, r.result "
        "FROM step_runs r JOIN steps s ON s.id = r.step_id "
        "WHERE CAST(:number AS integer) IS NULL OR s.number = :number "
        "ORDER BY r.started_at DESC, r.id DESC LIMIT :limit",
        {"number": number, "limit": limit},
    )


def kept(session: Session, number: int) -> list[dict[str, Any]]:
    """Return, per table and kind of change, how many rows the step keeps residue of, and how many are taken back."""
    return rows(
        session,
        "SELECT table_name, verb, sum(coalesce(cardinality(ids), jsonb_array_length(keys)))::bigint AS rows, "
        "count(DISTINCT batch) AS batches, count(*) FILTER (WHERE reverted_at IS NOT NULL) > 0 AS is_taken_back "
        "FROM step_residue r JOIN steps s ON s.id = r.step_id WHERE s.number = :number GROUP BY 1, 2 ORDER BY 1, 2",
        {"number": number},
    )
