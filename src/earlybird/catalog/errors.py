"""What is refused about products, prices and taxes."""

from earlybird.kernel.errors import Conflict, Invalid, NotFound


class NoSuchProduct(NotFound):
    """There is no such product."""


class NoSuchPrice(NotFound):
    """There is no such price of that product."""


class NoSuchTaxClass(NotFound):
    """There is no such tax class."""


class WhichBusiness(Invalid):
    """There is not exactly one business; say which, by the id of one that exists."""


class UnitUnknown(Invalid):
    """There is no such unit; the list of units says which there are."""


class UnitTaken(Conflict):
    """There is such a unit already, and what is measured in it must not change."""


class TaxClassUnknown(Invalid):
    """There is no such tax class in the business of that product."""


class TaxClassTaken(Conflict):
    """The business has a tax class of that name already."""


class PriceCustomerUnknown(Invalid):
    """There is no such customer in the business of that product."""


class PriceHasBegun(Conflict):
    """A price that is in force already, or was, stays as it is: set a new one from today or a later day on."""


class RateHasBegun(Conflict):
    """A tax rate that is in force already, or was, stays as it is: set a new one from today or a later day on."""
