"""Why a confirmation, a change of what is planned or a plan is refused; each names the field it speaks of."""

from __future__ import annotations

from earlybird.kernel.errors import Conflict, Forbidden, Invalid, NotFound


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


class NoSuchRound(NotFound):
    """There is no such round."""


class RoundIsOver(Conflict):
    """The round is back, or was cancelled; reopen it first."""


class NotOfThisDay(Invalid):
    """That is no other round of the same site, day and shift."""


class NotOnThatShift(Invalid):
    """That driver does not work on this shift."""


class NothingToPart(Invalid):
    """Name some of the stops that are still to be made, and leave some behind."""


class StopNotInRound(Invalid):
    """That stop does not stand in this round."""


class StopIsLocked(Conflict):
    """A locked stop stays where it stands; let it loose first."""


class OrderOfOthers(Invalid):
    """The new order names every stop of the round once, and no other."""


class SubstituteIsDriver(Invalid):
    """The driver of a round is no substitute for themselves."""


class LinkClosed(NotFound):
    """This link opens nothing, or not with that PIN; ask whoever sent it for another."""


class LinkOver(LinkClosed):
    """This link opens nothing, or not with that PIN; ask whoever sent it for another."""

    kind = "nobody"


class LinkMayNot(Forbidden):
    """The link was not made for that."""


class NoSuchLink(NotFound):
    """There is no such link."""


class ScopeNotNamed(Invalid):
    """A link opens one round or one order; name one of the two."""


class RoundUnknown(Invalid):
    """There is no such round, or it is cancelled."""


class LinkDaysUnfit(Invalid):
    """A link's days are in order, at most 31, not past, and those of a round hold its day."""


class LinkEndUnfit(Invalid):
    """A link ends after now, and at most 31 days from now."""


class LinkActionsUnfit(Invalid):
    """A link may see, and perhaps confirm and ask."""


class PinUnfit(Invalid):
    """A PIN has 4 to 8 digits."""


class NotRenewable(Conflict):
    """There is no later day of that assignment yet; the link of an order is made anew."""


class NoSuchPhoto(NotFound):
    """The delivery has no such picture."""


class TooManyPhotos(Conflict):
    """A delivery has at most 20 pictures."""


class PhotoOfAnother(Invalid):
    """That confirmation belongs to another delivery."""


class PlaceByHalf(Invalid):
    """A place has lat and lon."""
