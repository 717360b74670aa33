"""The shapes of shared links: how they are made, what is known of them, and what they show."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from earlybird.deliveries.states import DeliveryState, LinkAction, LinkState
from earlybird.infra.shapes import WHOLE, Day, Moment, Quantity, Strict, Word
from earlybird.territory.states import Shift

ID = "01976f3e-5b1c-7c4e-9d2a-0f4f6c1d2e3a"
ON = "2026-01-16"
AT = "2026-01-16T18:30:00Z"

Pin = Annotated[str, StringConstraints(pattern=r"^[0-9]{4,8}$")]
Token = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9_-]+$")]
Actions = Annotated[
    list[LinkAction],
    Field(
        min_length=1, max_length=3, description="`see` always; `confirm` and `ask` where it may.", examples=[["see"]]
    ),
]


class LinkIn(Strict):
    """What a helper without a login is to see, for how long."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"round_id": ID}]})

    round_id: UUID | None = Field(None, description="A round; or else an order.", examples=[ID])
    order_id: UUID | None = Field(None, description="An order; or else a round.", examples=[None])
    name: Word | None = Field(None, description="Whose it is; the round's name where not given.", examples=["Gopal"])
    first_on: Day | None = Field(None, description="The first day of stops it shows; the service date.")
    last_on: Day | None = Field(None, description="The last day of stops it shows; the service date.")
    actions: Actions = Field(default_factory=lambda: list(LinkAction))
    expires_at: Moment | None = Field(None, description="When it ends; else with its last day, where the site is.")
    pin: Pin | None = Field(None, description="4 to 8 digits a new device must know.", examples=["4711"])
    max_uses: Annotated[int, Field(strict=True, ge=1, le=1000), WHOLE] | None = Field(
        None, description="On how many devices it opens; any number where not given.", examples=[2]
    )
    shows_phones: bool = Field(default=False, description="Whether phone numbers are shown in full.")


class RevokeLink(Strict):
    """Why a link is to open nothing any more."""

    reason: Word = Field(examples=["Sent to the wrong group."])


class LinkOut(BaseModel):
    """A shared link; never its token or PIN."""

    id: UUID = Field(examples=[ID])
    first_id: UUID = Field(description="The first link of its assignment, itself where it was not renewed.")
    name: str = Field(examples=["Gopal"])
    site_id: UUID = Field(examples=[ID])
    round_id: UUID | None = Field(examples=[ID])
    order_id: UUID | None = Field(examples=[None])
    first_on: date = Field(examples=[ON])
    last_on: date = Field(examples=[ON])
    actions: list[LinkAction]
    shows_phones: bool
    has_pin: bool
    wrong_pin_count: int = Field(examples=[0])
    max_uses: int | None = Field(examples=[2])
    use_count: int = Field(description="How many devices opened it.", examples=[1])
    expires_at: datetime = Field(examples=[AT])
    revoked_at: datetime | None
    revoked_reason: str | None
    made_at: datetime
    made_by: str = Field(examples=["Asha"])
    state: LinkState = Field(description="`used_up`: open on as many devices as it may; those still see it.")


class LinkUseOut(BaseModel):
    """A device that opened a link."""

    id: UUID = Field(examples=[ID])
    opened_at: datetime
    last_opened_at: datetime
    open_count: int = Field(examples=[3])
    address: str | None = Field(examples=["203.0.113.7"])
    device: str | None = Field(examples=["Mozilla/5.0 (Linux; Android 13)"])


class LinkDetail(LinkOut):
    """A shared link and the devices that opened it."""

    uses: list[LinkUseOut]


class MadeLink(BaseModel):
    """A new link: its address is shown in this answer and never again."""

    id: UUID = Field(examples=[ID])
    url: str = Field(examples=["https://milk.example.com/l/…"])
    token: str
    expires_at: datetime = Field(examples=[AT])


class OpenLink(Strict):
    """A link's token, and its PIN where it has one."""

    token: Token = Field(examples=["pK3xk0J6m0W3zv4kqJq0nq5Xo2Zr7yC1b8dQe9fGhIj"])
    pin: Annotated[str, StringConstraints(max_length=20, pattern=r"^[0-9]*$")] | None = Field(None, examples=["4711"])
    device_key: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{22,64}$")] | None = Field(
        None,
        description="Random text, 128 bits or more, by which the device is known again: opened twice with it, that is "
        "one use, and the second time needs no PIN. Made for you where you send none.",
        examples=["b3Blbi1zZXNhbWUtb3Blbi1zZXNhbWU"],
    )


class OpenedLink(BaseModel):
    """An opened link."""

    access_token: str = Field(description="Good as a Bearer token for what the link opens.")
    token_type: str = Field("bearer", examples=["bearer"])
    access_ends_at: datetime = Field(description="When to open it again.", examples=[AT])
    device_key: str = Field(description="Keep it on the device.")


class LinkLine(BaseModel):
    """What is to be handed over."""

    order_line_id: UUID = Field(examples=[ID])
    product_name: str = Field(examples=["Toned Milk"])
    unit: str = Field(examples=["L"])
    ordered_quantity: Quantity
    delivered_quantity: Quantity


class LinkStop(BaseModel):
    """A stop as a helper sees it: the name shortened, the phone masked unless the link shows it."""

    delivery_id: UUID = Field(examples=[ID])
    order_id: UUID = Field(examples=[ID])
    order_code: str | None = Field(examples=["EB-7Q4K2M9P"])
    position: int | None = Field(description="Where it stands in the round.", examples=[7])
    planned_on: date = Field(examples=[ON])
    shift: Shift | None
    attempt: int = Field(examples=[1])
    state: DeliveryState
    name: str = Field(examples=["Asha R."])
    phone: str | None = Field(examples=["•••••••••••10"])
    address: dict[str, Any] | None = Field(examples=[{"line1": "12 Temple Road", "city": "Bengaluru"}])
    instructions: str | None = Field(examples=["Second gate, ring twice."])
    note: str | None
    lines: list[LinkLine]


class LinkRound(BaseModel):
    """What a link opens."""

    name: str = Field(examples=["Gopal"])
    site_name: str = Field(examples=["Depot"])
    zone: str = Field(examples=["Asia/Kolkata"])
    round_name: str | None = Field(examples=["North"])
    shift: Shift | None
    first_on: date = Field(examples=[ON])
    last_on: date = Field(examples=[ON])
    actions: list[LinkAction]
    expires_at: datetime = Field(examples=[AT])
    stops: list[LinkStop]
