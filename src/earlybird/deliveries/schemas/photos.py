"""What is said beside a picture, and what is shown of those of a delivery."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, Field, model_validator

from earlybird.deliveries.errors import PlaceByHalf
from earlybird.files.states import FileKind
from earlybird.infra.shapes import Moment, Strict, Word


class Said(Strict):
    """What the device says beside a picture."""

    file_id: UUID | None = Field(None, description="The picture's id, made by the device: sent again, it is kept once.")
    client_id: Word | None = Field(None, description="The confirmation it belongs to, by its own client_id.")
    taken_at: Moment | None = Field(
        None, description="When it was taken, by the device; the camera's word counts more."
    )
    lat: float | None = Field(None, ge=-90, le=90, allow_inf_nan=False, description="Where the device was: degrees.")
    lon: float | None = Field(None, ge=-180, le=180, allow_inf_nan=False)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.lat is None) != (self.lon is None):
            raise ValueError(str(PlaceByHalf()))
        return self

    @property
    def place(self) -> dict[str, float] | None:
        """Where the device was."""
        return None if self.lat is None or self.lon is None else {"lat": self.lat, "lon": self.lon}


class PhotoOut(BaseModel):
    """A picture of a delivery, with addresses that are good for some minutes."""

    id: UUID
    kind: FileKind
    url: Annotated[
        str, Field(examples=["/files/0190a6d2-7c2b-7c55-9d3e-3f1f5f9d2a10?variant=whole&expires=1&signature=x"])
    ]
    thumbnail_url: str
    urls_end_at: datetime
    media_type: Annotated[str, Field(examples=["image/jpeg"])]
    width: int
    height: int
    byte_count: int
    digest: Annotated[str, Field(description="SHA-256 of the file as it came, which is not kept.")]
    served_digest: Annotated[str, Field(description="SHA-256 of the picture as it is kept and shown.")]
    taken_at: datetime | None
    taken_by: Annotated[str | None, Field(description="Whose clock: camera, gps or device.", examples=["camera"])]
    place: Annotated[
        dict[str, Any] | None, Field(description="lat and lon in degrees, by camera or device. For staff.")
    ]
    device: Annotated[str | None, Field(description="For staff.")]
    address: Annotated[str | None, Field(description="For staff.")]
    uploaded_at: datetime
    uploaded_by: Annotated[str, Field(examples=["Prakash"])]
    via: str
    client_ids: Annotated[list[str], Field(description="The confirmations it belongs to.")]


class Photos(BaseModel):
    """The pictures of a delivery, oldest first, and those that a confirmation names and nobody has sent yet."""

    photos: list[PhotoOut]
    missing: list[str]


class Withdraw(Strict):
    """Why a picture is to be shown no more."""

    reason: Annotated[Word, Field(examples=["A passer-by is on it."])]
