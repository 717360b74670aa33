"""Failures of the audit storey."""

from earlybird.kernel.errors import Conflict


class ChangedMeanwhile(Conflict):
    """Somebody else changed this a moment ago."""
