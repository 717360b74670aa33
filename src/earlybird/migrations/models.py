"""Steps, their runs, and the residue: what each batch changed and how it was before."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Integer, Text, UniqueConstraint, Uuid
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from earlybird.infra.db import Instant, Key, Now, Table, one_of, ref
from earlybird.migrations.states import StepState, Wish


class Step(Table):
    """A reversible data step, by the number the legacy plan gave it."""

    __tablename__ = "steps"
    __table_args__ = (one_of("state", StepState), one_of("wish", Wish))

    id: Mapped[Key]
    number: Mapped[int] = mapped_column(Integer, unique=True)
    name: Mapped[str] = mapped_column(Text, unique=True)
    state: Mapped[str] = mapped_column(Text, server_default=StepState.pending)
    state_at: Mapped[Now]
    wish: Mapped[str | None]
    """What the runner is asked to do after its present batch: `pause` or `cancel`."""


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
    """One batch of one table: which rows were inserted, updated or deleted, how they were and how they were left.

    `ids` (or `keys`, where the key is no uuid), `before` and `after` are of one length and order. What was inserted
    has no `before`, what was deleted no `after`. While the batch is taken back `reverted_at` says since when.
    """

    __tablename__ = "step_residue"
    __table_args__ = (UniqueConstraint("step_id", "table_name", "batch", "verb"),)

    id: Mapped[Key]
    step_id: Mapped[UUID] = ref("steps.id", index=False)
    run_id: Mapped[UUID] = ref("step_runs.id")
    table_name: Mapped[str]
    batch: Mapped[int] = mapped_column(BigInteger)
    verb: Mapped[str]
    position: Mapped[int] = mapped_column(Integer, server_default="0")
    ids: Mapped[list[UUID] | None] = mapped_column(ARRAY(Uuid))
    keys: Mapped[list[Any] | None] = mapped_column(JSONB(none_as_null=True))
    before: Mapped[list[Any] | None] = mapped_column(JSONB)
    after: Mapped[list[Any] | None] = mapped_column(JSONB(none_as_null=True))
    made_at: Mapped[Now]
    reverted_at: Mapped[datetime | None]
