"""What is refused about a standing order."""

from earlybird.kernel.errors import Conflict, Invalid, NotFound


class NoSuchSubscription(NotFound):
    """There is no such standing order."""


class NoSuchCustomer(NotFound):
    """There is no such customer."""


class NoSuchPause(NotFound):
    """There is no such pause, or it was cancelled."""


class CutoffPassed(Conflict):
    """The cut-off for that day has passed."""


class NotAStandingOrder(Invalid):
    """A weekly order needs its weekdays (0 = Monday), every n-th day its n, a one-time order its last day."""


class DatesReversed(Invalid):
    """The last day lies before the first."""
