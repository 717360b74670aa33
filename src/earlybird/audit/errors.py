"""Failures of the audit storey."""

from earlybird.kernel.errors import Conflict, NotFound


class ChangedMeanwhile(Conflict):
    """Somebody else changed this a moment ago."""


class NoSuchFinding(NotFound):
    """There is no open finding of that name about that."""


class NothingToErase(NotFound):
    """No sealed entry speaks of that, or all of them are erased already; what was written just now is sealed first."""
