"""The shape of a job at the door."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, BaseModel, Field

from earlybird.jobs.states import Outcome, Standing


class JobOut(BaseModel):
    """A job on a schedule: what was expected of it, and what it did."""

    name: str = Field(examples=["deliveries.plan"])
    cron: str = Field(description="When it is due, in UTC; six fields end with seconds.", examples=["*/5 * * * *"])
    catch_up: Literal["latest", "each"] = Field(
        description="What makes up for missed runs: one run for all, or one for each."
    )
    state: Standing
    covered_until_at: AwareDatetime = Field(description="Up to when every due instant has been run, or given up.")
    missed_since_at: AwareDatetime | None = Field(description="The first due instant that passed unused; null if none.")
    lag_seconds: int = Field(description="How long ago that was; 0 where nothing was missed.", examples=[0])
    next_due_at: AwareDatetime
    last_due_at: AwareDatetime | None = Field(description="What its last run was for; null if it never ran.")
    last_started_at: AwareDatetime | None
    last_finished_at: AwareDatetime | None
    last_outcome: Outcome | None
    tries: int | None = Field(description="How often that run was tried.", examples=[1])
    row_count: int | None = Field(description="How much it did, as the job counts.", examples=[12])
    error: str | None
