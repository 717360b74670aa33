"""What territory refuses."""

from earlybird.kernel.errors import Conflict, Invalid, NotFound


class ZoneUnknown(Invalid):
    """A zone is a name of the IANA time zone database, as Asia/Kolkata."""


class CodeUnknown(Invalid):
    """A currency has three capital letters (ISO 4217), a country two (ISO 3166)."""


class BusinessUnknown(Invalid):
    """There is not exactly one business; say which, by the id of one that exists."""


class SiteUnknown(Invalid):
    """There is no such site, or it is archived."""


class NoSuchBusiness(NotFound):
    """There is no such business."""


class NoSuchSite(NotFound):
    """There is no such site."""


class NoSuchArea(NotFound):
    """There is no such area."""


class NoSuchClosure(NotFound):
    """The site is not closed on that day."""


class NoSuchPolicy(NotFound):
    """There is no such policy; the list of policies names them all."""


class NoSuchAssignment(NotFound):
    """There is no such entry of who serves that area."""


class NameTaken(Conflict):
    """That name is taken already, perhaps by something archived."""


class StillServed(Conflict):
    """Customers are still served from there; move them first."""


class BadTaxId(Invalid):
    """A GSTIN has 15 characters: state, PAN, entity, Z and a check character, as 29ABCDE1234F1Z5."""


class CutoffTooLate(Invalid):
    """The cut-off lies before the shift begins."""


class DayIsPast(Conflict):
    """That day has passed; what happened on it stays as it was."""


class NotADriver(Invalid):
    """That is nobody who works as a driver."""


class NoSuchDriver(NotFound):
    """There is nobody of that id who works as a driver."""


class NotOnThatShift(Invalid):
    """That driver does not work on this shift."""


class HalfAPlace(Invalid):
    """A place has a latitude and a longitude, or neither."""


class PolicyValueUnfit(Invalid):
    """That policy takes another kind of value."""
