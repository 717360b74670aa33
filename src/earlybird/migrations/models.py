"""Steps, their runs, and the residue: what each batch changed and how it was before."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Integer, Text, UniqueConstraint, Uuid
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from earlybird.infra.db import Instant, Key, Now, Table, one_of, ref
from earlybird.migrations.states import StepState


class Step(Table):
    """A reversible data step, by the number the legacy plan gave it."""

    __tablename__ = "steps"
    __table_args__ = (one_of("state", StepState),)

    id: Mapped[Key]
    number: Mapped[int] = mapped_column(Integer, unique=True)
    name: Mapped[str] = mapped_column(Text, unique=True)
    state: Mapped[str] = mapped_column(Text, server_default=StepState.pending)
    state_at: Mapped[Now]


class StepRun(Table):
    """One plan, apply, verify or revert of a step."""

    __tablename__ = "step_runs"

    id: Mapped[Key]
    step_id: Mapped[UUID] = ref("steps.id")
    verb: Mapped[str]
    actor_name: Mapped[str]
    started_at: Mapped[Instant]
    finished_at: Mapped[datetime | None]
    row_counts: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    result: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")


class StepResidue(Table):
    """One batch of one table: the ids inserted, or the ids updated with their before-images."""

    __tablename__ = "step_residue"
    __table_args__ = (UniqueConstraint("step_id", "table_name", "batch", "verb"),)

    id: Mapped[Key]
    step_id: Mapped[UUID] = ref("steps.id", index=False)
    run_id: Mapped[UUID] = ref("step_runs.id")
    table_name: Mapped[str]
    batch: Mapped[int] = mapped_column(BigInteger)
    verb: Mapped[str]
    ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    before: Mapped[list[Any] | None] = mapped_column(JSONB)
    made_at: Mapped[Now]
