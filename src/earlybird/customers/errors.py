"""What is refused about a customer."""

from earlybird.kernel.errors import Conflict, Forbidden, Invalid, NotFound


class NoSuchCustomer(NotFound):
    """There is no such customer."""


class NoSuchAddress(NotFound):
    """There is no such address."""


class NoSuchMerge(NotFound):
    """There is no such merge, or it was taken back."""


class SiteUnknown(Invalid):
    """A customer is served by one depot: name the one, where there are several."""


class AreaUnknown(Invalid):
    """The area is one of the depot that serves the customer."""


class DriverUnknown(Invalid):
    """The driver is somebody who drives for the business."""


class MarketerUnknown(Invalid):
    """The marketer is somebody of the marketing staff."""


class PayerUnknown(Invalid):
    """The bill goes to another customer of the same business, who pays for themselves."""


class LanguageUnknown(Invalid):
    """A language is a tag such as en, te or zh-Hant (BCP 47)."""


class DateNeeded(Invalid):
    """A pause or a stop says from which day on nothing is delivered, today or later."""


class NotYours(Forbidden):
    """Those facts are changed by the office; name, phone, e-mail, language and instructions are yours."""


class LastAddress(Conflict):
    """A customer keeps one address as the usual one; make another the usual one first."""


class AddressInUse(Conflict):
    """A standing order goes to that address; send it elsewhere first."""


class Archived(Conflict):
    """That customer was merged into another or archived, and is no longer changed."""


class SameCustomer(Conflict):
    """A customer cannot be merged with themselves."""


class NotOneBusiness(Conflict):
    """Only customers of the same business and depot can be one."""


class PricesDiffer(Conflict):
    """They pay different prices of their own for what is ordered; agree on one first."""


class CannotUndo(Conflict):
    """What the merge carried over was changed since; it cannot be taken back exactly."""
