"""The work list as it is answered. Amounts are whole minor units."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from earlybird.infra.shapes import Minor, Word
from earlybird.worklist.states import Choice, Kind


class ItemOut(BaseModel):
    """Something that waits for a person, or that one decided."""

    id: UUID = Field(description="The id of the row it is about.")
    kind: Kind
    title: str = Field(examples=["delivery_status, told 2025-12-03: delivered"])
    why: str = Field(description="Why it waits; of one that was decided, the reason given.", examples=["ambiguous"])
    of_day: date | None = Field(description="The day it is about.", examples=["2025-12-03"])
    customer_id: UUID | None
    money_minor: Minor | None = Field(description="What hangs on it, where that is known.")
    currency: str | None = Field(examples=["INR"])


class CandidateOut(BaseModel):
    """An order or a customer that it may belong to."""

    id: UUID = Field(description="What a link names as `target_id`.")
    facts: dict[str, Any] = Field(description="What is known of it, to lay beside the others.")


class ChoiceOut(BaseModel):
    """What somebody decided."""

    id: UUID
    choice: Choice
    target_id: UUID | None
    reason: str = Field(examples=["her brother's number"])
    made_at: datetime
    made_by: str = Field(examples=["Asha"])
    undone_at: datetime | None
    undone_by: str | None
    undone_reason: str | None


class EvidenceOut(ItemOut):
    """An item with the evidence."""

    is_decided: bool
    row: dict[str, Any] = Field(description="The row it is about, as it stands.")
    candidates: list[CandidateOut] = Field(description="What it may belong to.")
    choices: list[ChoiceOut] = Field(description="What was decided about it, the last decision first.")


class CountsOut(BaseModel):
    """How many items of each kind wait."""

    waiting: dict[Kind, int] = Field(examples=[{"delivery": 32, "login": 10, "amount": 4}])


class ResolveIn(BaseModel):
    """A decision."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"choice": "keep", "reason": "nobody remembers"}]}
    )

    choice: Choice = Field(
        description="link (with target_id), reject, keep; of an amount approve, reject, keep.", examples=["keep"]
    )
    target_id: UUID | None = Field(default=None, description="The order or customer that a link names.")
    reason: Word = Field(description="Why, in a sentence.", examples=["nobody remembers"])


class UndoIn(BaseModel):
    """Why a decision is taken back."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "it was the neighbour"}]})

    reason: Word = Field(description="Why, in a sentence.", examples=["it was the neighbour"])
