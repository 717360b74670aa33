"""What is refused about a standing order."""

from earlybird.kernel.errors import Conflict, Forbidden, Invalid, NotFound


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


class NotSold(Invalid):
    """There is no such product at the business that serves the customer, or it is not sold any more."""


class CustomerStopped(Conflict):
    """The customer is stopped by the day it would begin; start them again first."""


class NotTheirAddress(Invalid):
    """That is no address of the customer."""


class NothingWanted(Invalid):
    """A standing order wants more than nothing; pause it or stop it instead."""


class NothingSaid(Invalid):
    """Say how much, in which shift or by whom; nothing of it leaves the date as it is."""


class NotRunning(Conflict):
    """The standing order does not run on that day: it is not active, has not begun or has stopped by then."""


class NoSuchOverride(NotFound):
    """Nothing was said about that date."""


class DriverNotYours(Forbidden):
    """Who drives is for the business to say."""


class SpanTooLong(Invalid):
    """A calendar shows at most 92 days, the last not before the first."""
