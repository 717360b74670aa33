"""What charges, taxes, rounding and series numbers are: decided from values alone.

The bulk statements of `service` say the same in SQL; property tests hold the two together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from earlybird.kernel.money import DIGITS, half_up, scale

FISCAL_START = {"IN": 4}
"""First month of the financial year that numbers run in, where it is not January."""


def minor_scale(column: str) -> str:
    """Return the SQL for the minor units of one major unit of the currency in `column`."""
    cases = " ".join(f"WHEN '{currency}' THEN {10**digits}" for currency, digits in DIGITS.items())
    return f"(CASE {column} {cases} ELSE 100 END)"


def charge_amount(unit_price: Decimal, before: Decimal, delta: Decimal, currency: str) -> int:
    """Return the signed charge, in minor units, of a line whose delivered quantity moves by `delta`.

    The difference of two rounded prices, so the charges of a line always sum to the rounded price of
    all that was delivered: 3 × 0.333 at 10.00 is 3.33 + 3.33 + 3.33 = 9.99.
    """
    units = unit_price * scale(currency)
    return half_up(units * (before + delta)) - half_up(units * before)


def taxes_of(amount: int, rates: Mapping[str, Decimal], *, included: bool) -> dict[str, int]:
    """Return the tax of each component of one line, half up, in minor units.

    With `included` the tax is inside `amount` (105.00 at 2.5 % + 2.5 % holds 2.50 + 2.50); otherwise
    beside it. Source: CGST Act s. 15 and rule 35 (value inclusive of tax).
    """
    whole = 1 + sum(rates.values(), Decimal(0)) if included else Decimal(1)
    return {component: half_up(amount * rate / whole) for component, rate in rates.items()}


def rounding(total: int, currency: str) -> int:
    """Return what must be added to `total` to reach whole major units, half away from zero (CGST Act s. 170)."""
    unit = scale(currency)
    return half_up(Decimal(total) / unit) * unit - total


def series(prefix: str, country: str, day: date) -> str:
    """Return the series that a document issued on `day` is numbered in: `INV/2026-27` in India, `INV/2026`."""
    start = FISCAL_START.get(country, 1)
    year = day.year if day.month >= start else day.year - 1
    return f"{prefix}/{year}" if start == 1 else f"{prefix}/{year}-{(year + 1) % 100:02d}"


def has_right_sign(kind: str, amount_minor: int) -> bool:
    """Return whether an amount goes the way of its kind: fees and recoveries ask, discounts and goodwill give back."""
    if kind in {"fee", "recovery"}:
        return amount_minor > 0
    if kind in {"discount", "goodwill"}:
        return amount_minor < 0
    return amount_minor != 0


def oldest_first(payments: Sequence[int], documents: Sequence[int]) -> list[tuple[int, int, int]]:
    """Return (payment, document, amount) shares: payments in their order settle documents in theirs."""
    shares = []
    rest = list(documents)
    at = 0
    for n, amount in enumerate(payments):
        left = amount
        while left and at < len(rest):
            taken = min(left, rest[at])
            if taken:
                shares.append((n, at, taken))
            rest[at] -= taken
            left -= taken
            if not rest[at]:
                at += 1
    return shares
