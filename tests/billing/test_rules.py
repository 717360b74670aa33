"""The rules of money hold for every price and quantity, in Python and in SQL alike."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from earlybird.billing import rules
from earlybird.kernel.money import Money

PRICES = st.decimals(0, 5000, places=4)
STEPS = st.lists(st.decimals(0, 20, places=3), min_size=1, max_size=8)


@given(PRICES, STEPS, st.sampled_from(["INR", "JPY", "KWD"]))
def test_charges_sum_to_the_price_of_what_was_delivered(price: Decimal, stands: list[Decimal], currency: str) -> None:
    before, total = Decimal(0), 0
    for stand in stands:
        total += rules.charge_amount(price, before, stand - before, currency)
        before = stand
    assert total == Money.of(price, before, currency).minor


@given(st.integers(-(10**9), 10**9), st.lists(st.decimals(0, Decimal("0.3"), places=4), min_size=1, max_size=3))
def test_taxes_leave_a_net_that_adds_up(amount: int, rates: list[Decimal]) -> None:
    named = {str(n): rate for n, rate in enumerate(rates)}
    inside = rules.taxes_of(amount, named, included=True)
    net = amount - sum(inside.values())
    for name, rate in named.items():
        assert abs(inside[name] - net * rate) <= len(rates) * Decimal("0.65") + Decimal("0.5")
    assert rules.taxes_of(-amount, named, included=True) == {name: -tax for name, tax in inside.items()}


def test_taxes_of_worked_numbers() -> None:
    gst = {"CGST": Decimal("0.025"), "SGST": Decimal("0.025")}
    assert rules.taxes_of(10500, gst, included=True) == {"CGST": 250, "SGST": 250}
    assert rules.taxes_of(10000, gst, included=False) == {"CGST": 250, "SGST": 250}
    assert rules.taxes_of(1020, {"GST": Decimal("0.025")}, included=False) == {"GST": 26}


@pytest.mark.parametrize(("total", "added"), [(1049, -49), (1050, 50), (-1050, -50), (1000, 0), (-1049, 49)])
def test_rounding_goes_to_whole_rupees(total: int, added: int) -> None:
    assert rules.rounding(total, "INR") == added
    assert rules.rounding(total, "JPY") == 0


@pytest.mark.parametrize(
    ("country", "day", "expected"),
    [
        ("IN", date(2026, 3, 31), "INV/2025-26"),
        ("IN", date(2026, 4, 1), "INV/2026-27"),
        ("IN", date(2099, 4, 1), "INV/2099-00"),
        ("CA", date(2026, 1, 1), "INV/2026"),
    ],
)
def test_series_follow_the_financial_year(country: str, day: date, expected: str) -> None:
    assert rules.series("INV", country, day) == expected


@given(st.lists(st.integers(1, 500), max_size=6), st.lists(st.integers(1, 500), max_size=6))
def test_the_oldest_is_settled_first(payments: list[int], documents: list[int]) -> None:
    shares = rules.oldest_first(payments, documents)
    assert sum(amount for _, _, amount in shares) == min(sum(payments), sum(documents))
    settled = [sum(a for _, d, a in shares if d == n) for n in range(len(documents))]
    unsettled = [n for n, amount in enumerate(documents) if settled[n] < amount]
    assert all(settled[n] == 0 for n in unsettled[1:])
    assert all(sum(a for p, _, a in shares if p == n) <= amount for n, amount in enumerate(payments))


def test_sql_rounds_as_the_rule_does(session: Session) -> None:
    from sqlalchemy import text

    cases = [(amount, Decimal(rate)) for amount in range(-60, 61) for rate in ("0.025", "0.06", "0.09", "0.14")]
    found = session.execute(
        text(
            "SELECT round(a * r / (1 + 2 * r))::bigint FROM unnest(CAST(:a AS bigint[]), CAST(:r AS numeric[])) "
            "WITH ORDINALITY AS t (a, r, n) ORDER BY n"
        ),
        {"a": [a for a, _ in cases], "r": [r for _, r in cases]},
    ).scalars()
    expected = [rules.taxes_of(a, {"x": r, "y": r}, included=True)["x"] for a, r in cases]
    assert list(found) == expected
