"""Why something may not be asked for, or not be approved."""

from earlybird.kernel.errors import Conflict, Forbidden, Invalid, NotFound


class NoSuchRequest(NotFound):
    """There is no such request."""


class NoSuchCustomer(NotFound):
    """There is no such customer."""


class CustomerNotNamed(Invalid):
    """Say for whom: by customer_id, or by a delivery of theirs."""


class FactMissing(Invalid):
    """An extra product needs which, how much and the shift; another quantity, shift or driver the standing order."""


class FactNotOfKind(Invalid):
    """That is no part of what is asked for."""


class DayNotOpen(Invalid):
    """Ask for today or a day within a year, the last not before the first."""


class NotTheirOrder(Invalid):
    """The customer has no such standing order."""


class NotYoursToAsk(Forbidden):
    """That is not yours to ask for."""


class ClientIdTaken(Conflict):
    """You have asked for something else under that client_id."""


class TooManyWaiting(Conflict):
    """A hundred of your requests are waiting; somebody has to decide them first."""


class TooLateToApprove(Conflict):
    """The cut-off of that day has passed: say with a reason whether it holds that day or from the next open day."""


class ReasonNeeded(Invalid):
    """What is approved after the cut-off has a reason."""


class DayIsOver(Conflict):
    """That day is over; it can only hold from the next open day."""


class NothingLeft(Conflict):
    """Nothing is left of the days that were asked for."""


class NothingToChange(Conflict):
    """The customer has no standing order that runs then."""
