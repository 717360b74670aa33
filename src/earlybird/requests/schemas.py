"""The shapes of requests at the door."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from earlybird.infra.shapes import Day, Note, Portion, Quantity, Strict, Word
from earlybird.requests.states import Kind, Late, RequestState
from earlybird.territory.states import Shift

ID = "019bc1f4-5e00-7a61-8c3e-2f6b1d0a4e77"
AT = "2026-01-15T12:00:00Z"
ON = "2026-01-20"

ClientId = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[!-~]+$")]


class RequestIn(Strict):
    """What is asked for, on which day, for whom."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"client_id": "gopal-17", "kind": "pause", "customer_id": ID, "service_on": ON, "ends_on": "2026-01-25"}
            ]
        }
    )

    client_id: ClientId = Field(
        description="Your own name for it: asked again under it, it is the same request.", examples=["gopal-17"]
    )
    kind: Kind = Field(examples=["pause"])
    service_on: Day = Field(description="The day, or the first of them; a `stop`: the first day without.")
    customer_id: UUID | None = Field(None, description="For whom; or name a delivery of theirs.", examples=[ID])
    delivery_id: UUID | None = Field(None, description="The stop at which it was asked for.", examples=[ID])
    subscription_id: UUID | None = Field(
        None, description="The standing order; of a pause or stop without one, all of them.", examples=[ID]
    )
    ends_on: Day | None = Field(None, description="Of a pause: its last day; until resumed where not given.")
    product_id: UUID | None = Field(None, description="Of an extra product: which.", examples=[ID])
    quantity: Portion | None = Field(None, description="Of an extra product, or instead of the usual (0 is none).")
    shift: Shift | None = Field(None, description="Of an extra product, or instead of the usual.")
    driver_id: UUID | None = Field(None, description="Who is to drive instead of the usual.", examples=[ID])
    note: Note | None = Field(None, examples=["Away until Sunday."])


class Approve(Strict):
    """Yes; after the cut-off, what that means."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "They called at eight."}]})

    reason: Word | None = Field(None, description="Needed after the cut-off.", examples=["They called at eight."])
    late: Late | None = Field(
        None, description="After the cut-off: on that very day, or from the next day that is still open."
    )


class Reject(Strict):
    """No, and why."""

    reason: Word = Field(examples=["Not sold in that area."])


class RequestOut(BaseModel):
    """A request, whether it came in time, and what became of it."""

    id: UUID = Field(examples=[ID])
    client_id: str = Field(examples=["gopal-17"])
    kind: Kind
    state: RequestState
    state_at: datetime = Field(examples=[AT])
    site_id: UUID = Field(examples=[ID])
    customer_id: UUID = Field(examples=[ID])
    customer_name: str = Field(description="Shortened for who holds a link.", examples=["Meena"])
    delivery_id: UUID | None
    subscription_id: UUID | None
    service_on: date = Field(examples=[ON])
    ends_on: date | None = Field(examples=["2026-01-25"])
    product_id: UUID | None
    product_name: str | None = Field(examples=["Curd"])
    unit_code: str | None = Field(examples=["L"])
    quantity: Quantity | None
    shift: Shift | None
    driver_id: UUID | None
    driver_name: str | None = Field(examples=["Prakash"])
    note: str | None = Field(examples=["Away until Sunday."])
    asked_by: str = Field(examples=["Gopal"])
    asked_by_kind: str = Field(description="A user, a link or a key.", examples=["link"])
    via: str = Field(examples=["link"])
    made_at: datetime = Field(examples=[AT])
    cutoff_at: datetime | None = Field(description="The last moment for that day, as it was when it was asked.")
    is_in_time: bool = Field(description="Whether it was asked before that moment.")
    decided_at: datetime | None
    decided_by: str | None = Field(examples=["Asha"])
    reason: str | None
    effective_on: date | None = Field(description="Of an approved one: the first day it holds.", examples=[ON])
    is_after_cutoff: bool = Field(description="Whether it was approved for a day whose cut-off had passed.")
    order_id: UUID | None = Field(description="The order an extra product became.")


class RequestEvent(BaseModel):
    """Something that happened to a request."""

    at: datetime = Field(examples=[AT])
    action: str = Field(examples=["request.ask"])
    actor_name: str = Field(examples=["Gopal"])
    reason: str | None


class RequestDetail(RequestOut):
    """A request with everything that happened to it, in order."""

    events: list[RequestEvent]
