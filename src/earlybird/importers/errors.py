"""Failures of taking over other people's data."""

from earlybird.kernel.errors import Conflict, Invalid, NotFound, Unavailable


class DumpUnreadable(Invalid):
    """The dump cannot be read."""


class TableUnreadable(Invalid):
    """The file cannot be read as a table."""


class NoSuchKind(NotFound):
    """There is no table of that kind."""


class NoSuchMapping(NotFound):
    """There is no such mapping for this kind of table."""


class NoSuchBusiness(NotFound):
    """There is no such business; `earlybird init` opens one."""


class BusinessUnclear(Invalid):
    """There are several businesses; say which."""


class OtherCurrency(Conflict):
    """The table's amounts are in another currency than the business keeps."""


class NoRoom(Unavailable):
    """The database has no room left on its disk; what was read before stands, run it again with room."""
