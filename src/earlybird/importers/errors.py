"""Failures of taking over other people's data."""

from earlybird.kernel.errors import Invalid, Unavailable


class DumpUnreadable(Invalid):
    """The dump cannot be read."""


class NoRoom(Unavailable):
    """The database has no room left on its disk; what was read before stands, run it again with room."""
