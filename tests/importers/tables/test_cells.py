"""What a cell says, and which cells are refused."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earlybird.importers.tables import cells
from earlybird.importers.tables.guard import guarded, unguarded
from earlybird.importers.tables.home import Home
from earlybird.importers.tables.reading import Formula
from earlybird.importers.tables.reading.workbook import _ESCAPE, escaped

HOME = Home(uuid.UUID(int=1), uuid.UUID(int=2), "Dairy", "IN", "Asia/Kolkata", "INR", date(2026, 1, 15), None)
CANADA = Home(uuid.UUID(int=1), uuid.UUID(int=2), "Shop", "CA", "America/Toronto", "CAD", date(2026, 1, 15), None)


@pytest.mark.parametrize(
    ("read", "cell", "said"),
    [
        (cells.amount, "1,250.00", Decimal("1250.00")),
        (cells.amount, "₹1,25,000.50", Decimal("125000.50")),
        (cells.amount, "Rs. 1250/-", Decimal("1250.00")),
        (cells.amount, "-₹20", Decimal("-20.00")),
        (cells.amount, 0.1 + 0.2, Decimal("0.30")),
        (cells.amount, 1250, Decimal("1250.00")),
        (cells.price, 60.0, Decimal("60.0000")),
        (cells.price, "0.125", Decimal("0.1250")),
        (cells.quantity, "0.5", Decimal("0.500")),
        (cells.phone, 9876543210.0, "+919876543210"),
        (cells.phone, "98765 43210", "+919876543210"),
        (cells.phone, "+1 416 555 0100", "+14165550100"),
        (cells.day, "2026-01-05", date(2026, 1, 5)),
        (cells.day, 46027, date(2026, 1, 5)),
        (cells.day, 46027.0, date(2026, 1, 5)),
        (cells.day, "46027", date(2026, 1, 5)),
        (cells.day, datetime(2026, 1, 5, 8), date(2026, 1, 5)),
        (cells.day, "2026-01-05 00:00:00", date(2026, 1, 5)),
        (cells.day, "05/01/2026", date(2026, 1, 5)),
        (cells.instant, "2026-01-05 08:26:00", datetime(2026, 1, 5, 2, 56, tzinfo=UTC)),
        (cells.text, 560001.0, "560001"),
        (cells.weekdays, "Mon, wed;4", [0, 2, 4]),
        (cells.email, " Asha@Example.COM ", "asha@example.com"),
    ],
)
def test_a_cell_says(read: cells.Read, cell: Any, said: Any) -> None:
    assert read(cell, HOME) == said


@pytest.mark.parametrize(
    ("read", "cell"),
    [
        (cells.amount, "1.250,00"),
        (cells.amount, "12,50"),
        (cells.amount, "$5"),
        (cells.amount, "12.345"),
        (cells.amount, 12.345),
        (cells.amount, "NaN"),
        (cells.amount, "1e400"),
        (cells.amount, True),
        (cells.amount, "=1+1"),
        (cells.price, "-1"),
        (cells.quantity, "half"),
        (cells.phone, "12345"),
        (cells.phone, "no phone"),
        (cells.day, "2026-02-30"),
        (cells.day, "soon"),
        (cells.day, "0026-01-05"),
        (cells.text, "a\0b"),
        (cells.text, Formula("=A1")),
        (cells.text, "x" * 10_001),
        (cells.email, "nobody"),
        (cells.weekdays, "someday"),
        (cells.whole(1, 9), "1.5"),
    ],
)
def test_a_cell_is_refused_with_its_rule(read: cells.Read, cell: Any) -> None:
    with pytest.raises(cells.Unfit, match=r"\w{3}"):
        read(cell, HOME)


def test_a_day_that_may_be_two_is_not_guessed() -> None:
    with pytest.raises(cells.Unfit):
        cells.day("05/01/2026", CANADA)
    assert cells.day("05/05/2026", CANADA) == date(2026, 5, 5)


@given(st.text())
def test_the_guard_is_taken_off_as_it_was_put_on(text: str) -> None:
    assert unguarded(guarded(text)) == text


@given(st.text("'=+-@\t\r\nab"))
def test_no_guarded_cell_opens_a_formula(text: str) -> None:
    assert not guarded(text).startswith(("=", "+", "-", "@", "\t", "\r"))
    assert unguarded(guarded(text)) == text


@given(st.text(st.sampled_from("_x0041F\r\x01ab")))
def test_a_workbook_holds_every_text(text: str) -> None:
    assert _ESCAPE.sub(lambda found: chr(int(found[1], 16)), escaped(text)) == text
