"""Kinds of measure and scopes of price."""

from enum import StrEnum


class Measure(StrEnum):
    """What a unit measures."""

    volume = "volume"
    mass = "mass"
    number = "number"


class PriceScope(StrEnum):
    """Whom a price row is for. A price agreed for one standing order stands on its version."""

    list = "list"
    customer = "customer"


class TaxComponent(StrEnum):
    """The taxes a rate may be of."""

    cgst = "CGST"
    sgst = "SGST"
    igst = "IGST"
    gst = "GST"
    hst = "HST"
    pst = "PST"
