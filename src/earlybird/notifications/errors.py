"""What can be wrong with a message."""

from earlybird.kernel.errors import Conflict, Invalid, NotFound


class FactMissing(Invalid):
    """A message of this kind needs a fact that was not given."""


class NoSuchMessage(NotFound):
    """There is no such message."""


class NeverAgain(Conflict):
    """What a message about a login said is not kept: it is never sent again, a new one has to be asked for."""


class StillWaits(Conflict):
    """The message waits to be sent already."""


class NoWay(Conflict):
    """The customer has no address that any of the gateways reaches."""


class AlwaysTold(Invalid):
    """Nobody can opt out of this kind of message; the others can be listed."""
