"""Money: whole minor units of one currency, and the only two places where anything is rounded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Self

from earlybird.kernel.errors import Invalid

DIGITS = {"JPY": 0, "KWD": 3, "BHD": 3}
"""Minor digits by ISO 4217; two where not listed."""


class CurrencyMismatch(Invalid):
    """Amounts of different currencies do not add up."""


def scale(currency: str) -> int:
    """Return how many minor units make one major unit: 100 paise to a rupee."""
    return int(10 ** DIGITS.get(currency, 2))


def half_up(value: Decimal) -> int:
    """Round to the nearest whole number, halves away from zero."""
    return int(value.quantize(Decimal(1), rounding=ROUND_HALF_UP))


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """An amount in whole minor units (paise, cents) of one currency."""

    minor: int
    currency: str

    def _same(self, other: Money) -> None:
        if self.currency != other.currency:
            raise CurrencyMismatch(left=self.currency, right=other.currency)

    def __add__(self, other: Money) -> Money:
        """Add; the currencies must agree."""
        self._same(other)
        return Money(self.minor + other.minor, self.currency)

    def __sub__(self, other: Money) -> Money:
        """Subtract; the currencies must agree."""
        self._same(other)
        return Money(self.minor - other.minor, self.currency)

    def __neg__(self) -> Money:
        """Turn a charge into a credit."""
        return Money(-self.minor, self.currency)

    @classmethod
    def of(cls, price: Decimal, quantity: Decimal, currency: str) -> Self:
        """Return price (major units) × quantity, rounded once, half up: the amount of a line."""
        return cls(half_up(price * quantity * scale(currency)), currency)

    def times(self, factor: Decimal) -> Money:
        """Multiply, rounded half up: the amount of a tax."""
        return Money(half_up(self.minor * factor), self.currency)

    def split(self, weights: Sequence[Decimal]) -> list[Money]:
        """Share out without loss by largest remainder; the parts always sum to the whole."""
        total = sum(weights, Decimal(0))
        if total <= 0 or any(w < 0 for w in weights):
            raise Invalid("Weights must be zero or more and not all zero.", field="weights")
        exact = [Decimal(abs(self.minor)) * w / total for w in weights]
        parts = [int(e) for e in exact]
        rest = abs(self.minor) - sum(parts)
        by_remainder = sorted(range(len(parts)), key=lambda i: (parts[i] - exact[i], i))
        for i in by_remainder[:rest]:
            parts[i] += 1
        sign = -1 if self.minor < 0 else 1
        return [Money(sign * p, self.currency) for p in parts]

    def __str__(self) -> str:
        """Return the amount in major units with its currency, as `1234.50 INR`."""
        unit = scale(self.currency)
        if unit == 1:
            return f"{self.minor} {self.currency}"
        sign = "-" if self.minor < 0 else ""
        whole, part = divmod(abs(self.minor), unit)
        return f"{sign}{whole}.{part:0{len(str(unit)) - 1}d} {self.currency}"
