"""The shapes of messages and of how a customer wants to be told."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field

from earlybird.infra.shapes import Note, Strict
from earlybird.notifications.states import Channel, MessageKind, MessageState

Kinds = Annotated[list[MessageKind], Field(max_length=len(MessageKind), examples=[["delivered"]])]


class MessageOut(BaseModel):
    """A message without its words; what it tells a customer is in the facts."""

    id: UUID
    kind: MessageKind
    channel: Channel
    address: str = Field(examples=["+919000000001"])
    language: str = Field(examples=["te"])
    user_id: UUID | None
    customer_id: UUID | None
    subject: str
    state: MessageState
    state_at: AwareDatetime
    queued_at: AwareDatetime
    expires_at: AwareDatetime | None = Field(description="After this it is not sent any more.")
    next_try_at: AwareDatetime = Field(description="When it is tried, or was to be tried; the end of quiet hours.")
    tries: int
    last_error: str | None
    subject_id: UUID | None = Field(description="The order, delivery, pause, bill or payment it is about.")
    facts: dict[str, str] | None = Field(description="What it says; null for codes and links, which are not kept.")


class ResendIn(Strict):
    """Why a message is sent again."""

    reason: Note | None = Field(None, examples=["the phone was off"])


class PreferencesOut(BaseModel):
    """How a customer wants to be told."""

    channel: Channel | None = Field(description="The preferred channel; null for whichever reaches them.")
    is_silent: bool = Field(description="Do not disturb: bills alone are told.")
    is_at_once: bool = Field(description="Whether quiet hours do not hold for them.")
    opted_out: list[MessageKind] = Field(description="What they are not told of.")


class PreferencesIn(Strict):
    """How a customer wants to be told from now on. Bills, and what concerns the login, are always told."""

    channel: Channel | None = None
    is_silent: bool = False
    is_at_once: bool = False
    opted_out: Kinds = Field(default_factory=list)
