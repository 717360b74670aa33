"""What the doors of deliveries and plans are asked."""

from __future__ import annotations

import json
from datetime import date
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from earlybird.deliveries.schemas.told import MOST_PHOTOS, CashTaken, ConfirmedLine, Containers, Place, Prose, Text
from earlybird.deliveries.states import Reason
from earlybird.infra.shapes import WHOLE, Moment, Quantity, Word
from earlybird.territory.states import Shift

MOST = 500
"""How many confirmations one request may bring."""

EXAMPLE = {
    "client_id": "9f1c-17",
    "kind": "confirm",
    "order_code": "EB-7Q4K2M9P",
    "outcome": "delivered",
    "device_at": "2026-02-16T06:30:00+05:30",
}


class DoorLine(ConfirmedLine):
    """A line, named in one way, and how much of it: delivered, or for a return what came back."""

    quantity: Quantity


class _Told(BaseModel):
    model_config = ConfigDict(extra="forbid")

    client_id: Annotated[
        Text,
        Field(description="The device makes it up; what comes again under it counts once.", examples=["9f1c-17"]),
    ]
    order_id: Annotated[
        UUID | None,
        Field(description="The order, where the device knows it: one that is not the delivery's is refused."),
    ] = None
    outcome: Annotated[
        Literal["delivered", "not_delivered"] | None,
        Field(description="All of every line, or none of any; otherwise give the lines.", examples=["delivered"]),
    ] = None
    lines: Annotated[
        list[DoorLine] | None,
        Field(
            min_length=1,
            max_length=1000,
            description="Each line in one way, and how much of it is at the door; the others are not told.",
        ),
    ] = None
    device_at: Annotated[
        Moment, Field(description="The device's time, with its offset.", examples=["2026-02-16T06:30:00+05:30"])
    ]
    device_seq: Annotated[int, Field(strict=True, ge=0, le=2_147_483_647), WHOLE] | None = None
    device_id: Annotated[
        Text | None,
        Field(description="The device's own name; its `device_seq` numbers are counted under it, gaps are found."),
    ] = None
    place: Place | None = None
    empties: Annotated[list[Containers] | None, Field(max_length=100, description="Empties taken back.")] = None
    given: Annotated[list[Containers] | None, Field(max_length=100, description="Bottles and crates left.")] = None
    cash: Annotated[CashTaken | None, Field(description="Cash taken; it is in the driver's bag until settled.")] = None
    note: Annotated[Prose | None, Field(examples=["The watchman took it."])] = None
    photos: Annotated[
        list[Text] | None,
        Field(max_length=MOST_PHOTOS, description="Ids or SHA-256 digests of photos, also of those still to come."),
    ] = None


class Confirm(_Told):
    """What happened at the door. Who tells it, how and from where is known from the request."""

    kind: Annotated[
        Literal["confirm", "return"], Field(description="`return`: the lines that came back, each above zero.")
    ] = "confirm"
    reason: Annotated[
        Prose | None,
        Field(
            description=f"Why: {', '.join(Reason)}; other words are kept as they are and count as `other`.",
            examples=["customer_absent"],
        ),
    ] = None


class Correct(_Told):
    """What was really delivered; staff's word counts more than any other. Cash or containers alone may be corrected."""

    reason: Annotated[Word, Field(examples=["The customer's photo shows one packet."])]


Told = Annotated[
    dict[str, Any],
    WithJsonSchema(
        {
            "type": "object",
            "description": "As the body of a single confirmation, and the order by `order_id` or "
            "`order_code`, perhaps `delivery_id` or `attempt`. Only an admin may say `actor`, "
            "`authority`, `via` and `device`.",
            "examples": [EXAMPLE],
        }
    ),
]
"""A confirmation as it came, so that each is judged and, where it is refused, kept alone."""


def as_texts(confirmations: list[dict[str, Any]]) -> list[bytes]:
    """Return each confirmation as text again; what is no Unicode shows as such."""
    return [json.dumps(item, ensure_ascii=False).encode("utf-8", "surrogatepass") for item in confirmations]


class Batch(BaseModel):
    """A synced round: each confirmation is judged alone and stands or falls alone."""

    model_config = ConfigDict(extra="forbid")

    confirmations: Annotated[list[Told], Field(min_length=1, max_length=MOST)]


class NextAttempt(BaseModel):
    """When an order that was not delivered is tried again, and by whom."""

    model_config = ConfigDict(extra="forbid")

    planned_on: Annotated[date, Field(examples=["2026-02-17"])]
    shift: Annotated[Shift | None, Field(description="Left out, the shift of the attempt before.")] = None
    driver_id: Annotated[UUID | None, Field(description="Left out, nobody drives yet.")] = None


class PlanIn(BaseModel):
    """Which day of which site is planned."""

    model_config = ConfigDict(extra="forbid")

    site_id: Annotated[UUID, Field(examples=["01976f3e-5b1c-7c4e-9d2a-0f4f6c1d2e3a"])]
    service_on: Annotated[date, Field(examples=["2026-02-17"])]
