"""What values alone decide about a file: its name, how long a link is good, when and where it was taken."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from earlybird.files.states import Variant

LINK_LIFE = timedelta(minutes=10)
"""How long a link to a picture is good, at least."""

LINK_STEP = timedelta(minutes=5)
"""Links end at whole steps, so that the same list asked for twice is the same."""

GRACE = timedelta(days=1)
"""How long a kept file may wait for its row: then whoever brought it is long gone."""

FIRST_YEAR, LAST_YEAR = 2000, 2199
STAMP = re.compile(r"(\d{4}):(\d\d):(\d\d) (\d\d):(\d\d):(\d\d)")


def name(digest: str, mark: str) -> str:
    """Return where a file is kept: its SHA-256 in hex, spread over folders, and a mark that makes the name unique."""
    return f"{digest[:2]}/{digest[2:4]}/{digest}-{mark}"


def link_ends(now: datetime) -> int:
    """Return when a link made now ends, in seconds of Unix time."""
    step = int(LINK_STEP.total_seconds())
    return -(-int((now + LINK_LIFE).timestamp()) // step) * step


def ends_at(ends: int) -> datetime:
    """Return the end of a link as an instant."""
    return datetime.fromtimestamp(ends, UTC)


def link_text(file_id: UUID, variant: Variant, ends: int) -> str:
    """Return what a link's signature speaks of: the file, its size, the end."""
    return f"{file_id} {variant} {ends}"


def taken(exif: Mapping[str, Any], said: datetime | None, zone: str) -> tuple[datetime | None, str | None]:
    """Return when a picture was taken (UTC) and by whose clock: camera, gps or device; None where nobody says.

    The camera's time with its offset counts first, then the satellites', then the camera's in the zone of the site,
    then what the device says beside the picture (EXIF 2.31, tags 0x9003, 0x9011, 0x001d, 0x0007).
    """
    by_camera = _stamp(exif.get("taken"))
    offset = _offset(exif.get("offset"))
    if by_camera and offset is not None:
        return by_camera - offset, "camera"
    by_gps = _stamp(f"{exif.get('gps_day')} {exif.get('gps_time')}")
    if by_gps:
        return by_gps, "gps"
    if by_camera:
        return by_camera.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC), "camera"
    return said, "device" if said else None


def place(exif: Mapping[str, Any], said: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return where a picture was taken, and who says so: camera or device."""
    if "latitude" in exif and "longitude" in exif:
        return {"lat": exif["latitude"], "lon": exif["longitude"], "by": "camera"}
    return {**said, "by": "device"} if said else None


def _stamp(text: Any) -> datetime | None:
    match = STAMP.fullmatch(text) if isinstance(text, str) else None
    if match is None or not FIRST_YEAR <= int(match[1]) <= LAST_YEAR:
        return None
    try:
        return datetime(*(int(part) for part in match.groups()), tzinfo=UTC)  # type: ignore[arg-type, misc]
    except ValueError:
        return None


def _offset(text: Any) -> timedelta | None:
    match = re.fullmatch(r"([+-])(\d\d):(\d\d)", text, re.ASCII) if isinstance(text, str) else None
    if match is None or int(match[2]) > 14 or int(match[3]) > 59:  # noqa: PLR2004  # hours and minutes
        return None
    found = timedelta(hours=int(match[2]), minutes=int(match[3]))
    return -found if match[1] == "-" else found
