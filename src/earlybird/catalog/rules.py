"""Which price is in force: the customer's own, else the agreed one, else the list's; of each the latest begun."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Dated:
    """A unit price (major units) from a day on."""

    id: UUID
    valid_from: date
    unit_price: Decimal
    currency: str


def latest(prices: Sequence[Dated], day: date) -> Dated | None:
    """Return the price that began last, not after the day."""
    return max((price for price in prices if price.valid_from <= day), key=lambda price: price.valid_from, default=None)


def in_force(
    own: Sequence[Dated], agreed: Decimal | None, listed: Sequence[Dated], day: date, *, currency: str
) -> tuple[UUID | None, Decimal | None, str]:
    """Return id, unit price and currency of the price of a day; the twin of `queries.price_in_force`.

    An agreed price has no id and is in the business's `currency`; no price at all is None.
    """
    mine = latest(own, day)
    if mine is None and agreed is not None:
        return None, agreed, currency
    found = mine or latest(listed, day)
    return (found.id, found.unit_price, found.currency) if found else (None, None, currency)
