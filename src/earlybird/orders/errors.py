"""What is refused about an order."""

from earlybird.kernel.errors import Conflict, Invalid, NotFound


class NoSuchOrder(NotFound):
    """There is no such order."""


class NoSuchProduct(NotFound):
    """There is no such product."""


class NothingOrdered(Invalid):
    """An order has at least one line, each with a quantity above zero."""


class NoPriceInForce(Invalid):
    """The product has no price on that date and none was given."""


class BeforeTakeOver(Conflict):
    """The day lies before the day the business was taken over; the old system delivered it."""
