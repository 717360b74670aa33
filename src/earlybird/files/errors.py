"""Why a file is not taken, and the one answer to whoever may not see it."""

from __future__ import annotations

from earlybird.kernel.errors import Conflict, NotFound, Unavailable


class FileIdTaken(Conflict):
    """That file_id stands for another file already."""


class NoSuchFile(NotFound):
    """There is no such picture, or the link to it is no longer good."""


class FileDamaged(Unavailable):
    """The picture is not what was kept; it is logged."""


class AlreadyArchived(Conflict):
    """That picture was withdrawn before."""
