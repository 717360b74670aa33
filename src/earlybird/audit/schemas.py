"""The shapes of the trail on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class AuditOut(BaseModel):
    """One change: who, as what, what, to what, before and after, when, through which entrance, from where."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    at: datetime
    actor_kind: str = Field(examples=["user"])
    actor_id: UUID | None
    actor_name: str = Field(description="Empty where personal details were erased.")
    role: str = Field(examples=["admin"])
    via: str = Field(examples=["api"])
    address: str | None
    device: str | None
    trace_id: str
    action: str = Field(examples=["orders.place"])
    entity: str = Field(examples=["order"])
    entity_id: UUID | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    reason: str | None
    row_count: int = Field(description="How many rows a bulk change touched.")
    digest: str | None = Field(description="The SHA-256 of their sorted ids.")
    seal_no: int | None = Field(description="The seal that holds it; null until the next minute.")
    position: int | None = Field(description="Its place in the sealed trail.")
    is_erased: bool


class SealOut(BaseModel):
    """A link of the chain, as its checkpoint says it: enough to check the signature."""

    model_config = ConfigDict(from_attributes=True)

    seal: int
    digest: str = Field(description="SHA-256, in hex.")
    rows: int = Field(description="How many entries all seals hold so far.")
    at: str = Field(examples=["2026-01-15T12:00:00.000000Z"])
    key: str = Field(description="The name of the public key: the first 16 digits of its SHA-256.")
    signature: str = Field(description="Ed25519, in hex.")
