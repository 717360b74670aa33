"""What rounds refuse above their stops."""

from earlybird.kernel.errors import Conflict, Invalid, NotFound


class NoSuchStandingRound(NotFound):
    """There is no such standing round."""


class NoSuchCustomer(NotFound):
    """There is no such customer."""


class AddressUnknown(Invalid):
    """The customer has no such address in use."""


class HasARound(Conflict):
    """That driver has a standing round on this shift already."""


class NotADriver(Invalid):
    """Nobody of that name drives for the site."""


class NotOnThatShift(Invalid):
    """That driver does not work on this shift."""


class SiteUnknown(Invalid):
    """There is no such site in use."""


class DayNotCut(Invalid):
    """Rounds are cut for yesterday, today and the next 31 days."""


class DoorTwice(Invalid):
    """Each door is named once."""


class DoorUnknown(Invalid):
    """That is no customer of the site, or no address of theirs in use."""


class WindowUnfit(Invalid):
    """A door opens before it closes; say both, or how long it takes there."""


class ChangedMeanwhile(Conflict):
    """The round changed while its order was looked for; try again."""


class NothingRemembered(Conflict):
    """Only the order of a round that a driver has day after day is remembered."""
