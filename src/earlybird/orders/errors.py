"""What is refused about an order."""

from earlybird.kernel.errors import Conflict, Forbidden, Invalid, NotFound


class NoSuchOrder(NotFound):
    """There is no such order."""


class NoSuchProduct(Invalid):
    """There is no such product in the customer's business."""


class NotSoldAnyMore(Invalid):
    """The product is archived: it is not sold any more."""


class NoSuchAddress(Invalid):
    """The customer has no such address, or it is archived."""


class CustomerNotNamed(Invalid):
    """Say whose order it is."""


class CustomerGone(Conflict):
    """The customer is stopped or archived on that day; nothing is ordered for them."""


class NothingOrdered(Invalid):
    """An order has at least one line, each with a quantity above zero."""


class ProductTwice(Invalid):
    """A product stands on one line of an order; add the quantities up."""


class NoPriceInForce(Invalid):
    """The product has no price on that date and none was given."""


class ForeignCurrency(Invalid):
    """The product's price is in another currency than the business's books."""


class PriceNotYours(Forbidden):
    """A customer buys at the price in force; only staff may set another."""


class DayNotNamed(Invalid):
    """An order names the day it is for; only a business customer's may leave it open, and then the shift too."""


class ShiftNotRun(Invalid):
    """An order for a day names a shift that the customer's site runs."""


class TooFarAhead(Invalid):
    """An order is taken for at most a year ahead."""


class SiteClosed(Conflict):
    """The site does not deliver on that day."""


class MadeByStandingOrder(Conflict):
    """That order comes from standing orders; change those, or set another quantity for the date."""


class OrderNotOpen(Conflict):
    """Only an order that is placed or planned can be changed."""


class BeforeTakeOver(Conflict):
    """The day lies before the day the business was taken over; the old system delivered it."""
