"""Up to when each job has been looked after, and how each run went."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, Integer, SmallInteger, Text
from sqlalchemy.orm import Mapped, mapped_column

from earlybird.infra.db import Instant, Key, Table, one_of
from earlybird.jobs.states import Outcome


class JobClock(Table):
    """Up to when every due instant of a job has been run, or given up.

    The row of nobody's job (`installation`) says since when there is anything to expect.
    """

    __tablename__ = "job_clocks"

    job: Mapped[str] = mapped_column(Text, primary_key=True)
    covered_until_at: Mapped[Instant]


class JobRun(Table):
    """One due instant of one job: when it was run, how often it was tried and what came of it, once."""

    __tablename__ = "job_runs"
    __table_args__ = (
        Index("job_runs_job_due_at_key", "job", "due_at", unique=True),
        Index(None, "started_at"),
        one_of("outcome", Outcome),
    )

    id: Mapped[Key]
    job: Mapped[str]
    due_at: Mapped[Instant]
    started_at: Mapped[Instant]
    finished_at: Mapped[datetime | None]
    outcome: Mapped[str] = mapped_column(Text, server_default=Outcome.running)
    tries: Mapped[int] = mapped_column(SmallInteger, server_default="1")
    row_count: Mapped[int | None] = mapped_column(Integer)
    error: Mapped[str | None]
