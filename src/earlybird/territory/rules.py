"""The policies there are, and what ids of a business look like."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from earlybird.territory.errors import BadTaxId, PolicyValueUnfit

GSTIN = re.compile(r"[0-9]{2}[A-Z]{5}[0-9]{4}[A-Z][1-9A-Z]Z[0-9A-Z]")
"""Rule 10 of the CGST Rules 2017: state code, PAN, number of the registration, Z, check character."""


@dataclass(frozen=True, slots=True)
class Known:
    """A policy: what it rules, what holds where nobody set it, and for a number its bounds."""

    about: str
    default: bool | int
    bounds: tuple[int, int] | None = None


POLICIES: Mapping[str, Known] = {
    "check_quantities": Known("A line may not be confirmed with more than was ordered.", default=True),
    "check_dates": Known("A delivery is confirmed within the days around its service date.", default=True),
    "confirm_window_days": Known("How many days before and after the service date that is.", 1, (0, 30)),
    "check_references": Known("Nothing begins with a customer or product that is gone.", default=True),
    "check_fields": Known("Prices, quantities and postal codes lie within their bounds.", default=True),
    "units_per_crate": Known("How many packets a crate holds, as load sheets count crates.", 20, (1, 1000)),
    "charge_one_time_orders": Known("Delivered one-time orders are charged.", default=True),
    "auto_bill": Known("The bills of a month are issued by themselves on the night of the 2nd.", default=False),
    "tell_customers": Known("Customers are told of orders, deliveries, pauses, bills and payments.", default=True),
    "tell_after_minutes": Known("How long a delivery's outcome must stand before the customer is told.", 10, (0, 1440)),
    "quiet_from_hour": Known("From which hour of the site's day customers are not written to.", 20, (0, 24)),
    "quiet_until_hour": Known("From which hour they are again; the same hour means no quiet hours.", 9, (0, 24)),
    "remind_after_days": Known("How many days after the due date an open bill is reminded of.", 3, (0, 365)),
    "remind_every_days": Known("How many days lie between two reminders.", 7, (1, 365)),
    "remind_times": Known("How often one bill is reminded of at most; 0 for never.", 3, (0, 20)),
}
"""Every policy that some code obeys."""


def policy_value(name: str, value: bool | int) -> bool | int:  # noqa: FBT001  # the value of a switch
    """Return the value where the policy takes it: a switch true or false, a number one within its bounds."""
    known = POLICIES[name]
    is_switch = isinstance(value, bool)
    if known.bounds is None and is_switch:
        return value
    if known.bounds is not None and not is_switch and known.bounds[0] <= value <= known.bounds[1]:
        return value
    kind = "true or false" if known.bounds is None else f"a whole number from {known.bounds[0]} to {known.bounds[1]}"
    raise PolicyValueUnfit(field="value", takes=kind)


def degrees(given: float) -> Decimal:
    """Return degrees as they are kept: six decimals, some ten centimetres."""
    return Decimal(repr(given)).quantize(Decimal("0.000001"))


def check_tax_ids(tax_ids: Mapping[str, str]) -> None:
    """Refuse a GSTIN that cannot be one; other tax ids are taken as they are."""
    gstin = tax_ids.get("GSTIN")
    if gstin is not None and not GSTIN.fullmatch(gstin):
        raise BadTaxId(field="tax_ids.GSTIN", value=gstin)
