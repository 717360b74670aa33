"""What kinds of files there are and in which sizes they are shown."""

from __future__ import annotations

from enum import StrEnum


class FileKind(StrEnum):
    """What a file shows."""

    photo = "photo"
    signature = "signature"


class Variant(StrEnum):
    """The picture itself, or a small one."""

    whole = "whole"
    thumbnail = "thumbnail"
