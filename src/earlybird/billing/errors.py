"""Failures on the money side."""

from earlybird.kernel.errors import Conflict, Invalid, NotFound


class NoSuchBusiness(NotFound):
    """There is no business of that name."""


class WhichBusiness(Invalid):
    """There are several businesses: say which one."""


class MonthBeforeCutover(Conflict):
    """That month was billed by the old system: bills begin with the month of the change."""


class MonthNotBegun(Invalid):
    """That month has not begun."""


class NoSuchDriver(NotFound):
    """There is no such driver."""


class NotDriversBusiness(Invalid):
    """Name the business by its id: the driver holds cash of several, or of none by that id."""


class NotItsCurrency(Invalid):
    """Cash is counted in the currency of the business."""


class NoSuchDocument(NotFound):
    """There is no such bill."""


class NotIssued(Conflict):
    """Only an issued invoice can be credited in full, and only once."""


class NoSuchCharge(NotFound):
    """There is no such charge."""


class ChargeOnDocument(Conflict):
    """That charge is on a document: give it back with an adjustment or a credit note."""


class ChargeWaived(Conflict):
    """That charge was waived before."""


class NoSuchAdjustment(NotFound):
    """There is no such adjustment."""


class NoSuchCustomer(NotFound):
    """There is no such customer."""


class NoSuchLine(NotFound):
    """There is no such line."""


class NoSuchPayment(NotFound):
    """There is no such payment."""


class PaymentRefused(Invalid):
    """That payment breaks a rule."""


class PaymentDiffers(Conflict):
    """Another payment came under this client_id."""


class WrongSign(Invalid):
    """Fees and recoveries ask, so they are more than zero; discounts and goodwill give back, so they are less."""


class WrongCurrency(Invalid):
    """The customer is billed in another currency."""


class DaysReversed(Invalid):
    """The first day comes after the last."""


class ReasonMissing(Invalid):
    """A reason must be given."""


class AmountMissing(Invalid):
    """An amount must not be zero."""


class UnreadableFile(Invalid):
    """The file cannot be read as payments."""


class AmountBilled(Conflict):
    """The amount stands on a document; credit that instead."""
