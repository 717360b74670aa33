"""A bill is shown as it stands, in text and PDF, and looking at it changes nothing."""

from __future__ import annotations

import io
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pypdf
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

import make
from earlybird.billing import documents, queries
from earlybird.billing.documents import content as words
from earlybird.billing.errors import NoSuchDocument
from earlybird.billing.service import charges, invoices, payments
from earlybird.kernel.clock import Month
from earlybird.kernel.ctx import Ctx
from make.delivered import delivered


@pytest.fixture
def bill(session: Session, ctx: Ctx) -> UUID:
    """January's bill of 616.00 with 120.00 carried, of which 100.00 was paid since."""
    firm = make.business(session, legal_name="Sunrise Dairy Private Limited", tax_ids={"GSTIN": "29ABCDE1234F1Z5"},
                         rounds_to_major=True)  # fmt: skip
    customer = make.customer(session, firm, "Meena *Rao* #panic() ₹")
    milk, ghee = make.product(session, firm), make.product(session, firm, "Ghee", tax="0.05")
    issued: list[dict[str, Any]] = []
    for month in (Month(2025, 12), Month(2026, 1)):
        delivered(session, firm, customer.id, milk, "2", on=month.first)
        if month.month == 1:
            delivered(session, firm, customer.id, ghee, "1", price="495.60", on=month.first, shift="evening")
        charges.charge_delivered(session, ctx)
        issued = invoices.run_month(session, ctx, firm.id, month, [customer.id])
    row = {"client_id": "u1", "customer": customer.code, "amount": "100", "currency": "INR", "method": "upi",
           "received_on": "2026-01-15", "reference": "UTR 88"}  # fmt: skip
    payments.receive(session, ctx.at(ctx.now + timedelta(hours=1)), [(1, "", row)])
    found: UUID = issued[0]["id"]
    return found


def test_the_text_says_what_is_owed_and_how_to_pay(session: Session, bill: UUID) -> None:
    said = documents.plain(documents.page(session, bill))
    for line in (
        "Sunrise Dairy Private Limited",
        "GSTIN: 29ABCDE1234F1Z5",
        "Invoice INV/2025-26/2",
        "CGST 2.5 % on ₹472.00: ₹11.80",
        "upi UTR 88",
        "upi://pay?pa=sunrise@example&pn=Sunrise%20Dairy&am=636.00&cu=INR&tn=INV%2F2025-26%2F2",
    ):
        assert line in said
    assert said.count("01 Jan 2026 ") >= 1
    assert [line.split("  ")[-1].strip() for line in said.splitlines() if line.strip().startswith("To pay")] == [
        "₹636.00"
    ]


def test_the_pdf_shows_names_as_they_are(session: Session, bill: UUID) -> None:
    made = documents.pdf(documents.page(session, bill))
    shown = "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(made)).pages)
    for word in ("Meena *Rao* #panic() ₹", "INV/2025-26/2", "₹636.00", "Scan to pay by UPI", "GSTIN: 29ABCDE1234F1Z5"):
        assert word in shown


def test_looking_changes_nothing(session: Session, bill: UUID) -> None:
    session.flush()
    session.execute(text("SET TRANSACTION READ ONLY"))
    assert documents.plain(documents.page(session, bill)) == documents.plain(documents.page(session, bill))
    assert queries.list_documents(session, queries.business(session, None).id, Month(2026, 1))[0]["id"] == bill
    assert queries.find_document(session, "INV/2025-26/2") == queries.find_document(session, str(bill)) == bill
    with pytest.raises(NoSuchDocument):
        queries.find_document(session, "INV/2025-26/99")


@pytest.mark.parametrize(
    ("price", "shown"), [("61.25", "61.25"), ("523.1", "523.10"), ("0.1250", "0.125"), ("60", "60.00")]
)
def test_a_price_keeps_its_digits(price: str, shown: str) -> None:
    assert words.price(Decimal(price), "INR") == shown


def test_amounts_are_written_as_the_country_writes_them() -> None:
    assert words.money(12345650, "INR") == "₹1,23,456.50"
    assert words.money(-34, "INR") == "-₹0.34"
    assert words.day(date(2026, 1, 5)) == "05 Jan 2026"
