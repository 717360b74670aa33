"""Why a confirmation, a change of what is planned or a plan is refused; each names the field it speaks of."""

from __future__ import annotations

from earlybird.kernel.errors import Conflict, Invalid, NotFound


class OrderNotNamed(Invalid):
    """Name the order, by order_id or by order_code, not both."""


class NoSuchDelivery(NotFound):
    """There is no such delivery."""


class OrderMissing(Invalid):
    """Name the order: every delivery is of one."""


class OrderUnknown(Invalid):
    """No order goes by that name."""


class OrderAmbiguous(Invalid):
    """More than one order goes by that code; name it by its id."""


class OrderCancelled(Conflict):
    """The order is cancelled."""


class DeliveryUnknown(Invalid):
    """The order has no such delivery."""


class DeliveryCancelled(Conflict):
    """The delivery is cancelled."""


class NothingToDeliver(Invalid):
    """The delivery has no lines."""


class ContentNotNamed(Invalid):
    """Say what was delivered: either an outcome or the lines."""


class ReturnNeedsLines(Invalid):
    """A return names the lines that came back, each with more than zero, and neither outcome, containers nor cash."""


class CashCurrency(Invalid):
    """Cash is taken in the currency the customer is billed in."""


class LineNotNamed(Invalid):
    """Name a line in one way: order_line_id, product_id or line."""


class LineUnknown(Invalid):
    """The order has no such line."""


class LineAmbiguous(Invalid):
    """The product stands on more than one line; name the line."""


class LineCancelled(Conflict):
    """That line is cancelled."""


class LineNamedTwice(Invalid):
    """One confirmation names a line once."""


class MoreThanOrdered(Invalid):
    """The quantity is more than was ordered."""


class InTheFuture(Invalid):
    """The device's time lies in the future."""


class OutsideWindow(Invalid):
    """Too far from the planned day; only a correction by staff, with its reason, may tell it."""


class ClientIdTaken(Conflict):
    """That client_id has already told something else."""


class DatabaseRefused(Invalid):
    """The database refused it."""


class NoNextAttempt(Conflict):
    """Only an order that was not delivered can be tried again."""


class TellerNamed(Invalid):
    """Who tells it, how and from which device is known from the request; the body may not say it."""


class CorrectionByStaff(Invalid):
    """A correction is told by staff."""


class SomebodyWent(Conflict):
    """Somebody went out with that order, or something was told about it; put it right at the delivery."""


class NotADriver(Invalid):
    """Nobody of that name drives for the site."""


class DayNotPlannable(Invalid):
    """A next attempt is planned for today or one of the next 31 days."""


class SiteUnknown(Invalid):
    """There is no such site in use."""


class PlanTooFar(Invalid):
    """A day is planned within a year of today."""
