"""What a bill says, in words and formatted numbers, the same for text and PDF."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from urllib.parse import quote, urlencode
from uuid import UUID

from babel.numbers import format_currency
from sqlalchemy.orm import Session

from earlybird.billing import queries
from earlybird.kernel.money import scale

TITLES = {
    "invoice": "Invoice",
    "credit_note": "Credit note",
    "legacy": "Statement of the former system",
    "opening": "Opening balance",
}
LOCALES = {"INR": "en_IN", "CAD": "en_CA"}


@dataclass(frozen=True)
class Page:
    """One document ready to print; every amount is text already, but for what a program may need."""

    title: str
    number: str
    void: bool
    business: str
    business_lines: list[str]
    customer: str
    customer_lines: list[str]
    period: str
    issued_on: str
    due_on: str
    corrects: str | None
    reason: str | None
    lines: list[dict[str, str]]
    taxes: list[dict[str, str]]
    sums: list[tuple[str, str]]
    payments: list[dict[str, str]]
    to_pay: str
    to_pay_minor: int
    pay_link: str | None


def money(minor: int, currency: str) -> str:
    """Return an amount as its country writes it: `₹1,23,456.50`."""
    return format_currency(
        Decimal(minor) / scale(currency), currency, locale=LOCALES.get(currency, "en"), currency_digits=True
    ).replace("\xa0", " ")


def quantity(amount: Decimal | None, unit: str | None) -> str:
    """Return `1.5 L`; nothing for an amount without quantity."""
    return "" if amount is None else f"{amount.normalize():f} {unit or ''}".strip()


def price(unit_price: Decimal | None, currency: str) -> str:
    """Return `61.25` or `0.125`: all digits there are, and never fewer than the currency writes."""
    if unit_price is None:
        return ""
    least = Decimal(1) / scale(currency)
    shown = unit_price.normalize()
    return f"{shown.quantize(least) if shown == shown.quantize(least) else shown:f}"


def day(on: date | None) -> str:
    """Return `05 Jan 2026`."""
    return "" if on is None else f"{on:%d %b %Y}"


def upi(payee: str, name: str, minor: int, currency: str, note: str) -> str:
    """Return the UPI link that a payment app reads (NPCI, UPI Linking Specification 1.6)."""
    amount = f"{Decimal(minor) / scale(currency):.2f}"
    return "upi://pay?" + urlencode(
        {"pa": payee, "pn": name, "am": amount, "cu": currency, "tn": note}, quote_via=quote, safe="@"
    )


def page(session: Session, invoice_id: UUID) -> Page:
    """Return what the document says, with what was paid since and what is left to pay now."""
    facts = queries.bill_facts(session, invoice_id)
    currency = facts["currency"]
    number = f"{facts['series']}/{facts['number']}" if facts["number"] else "draft"
    included = facts["prices_include_tax"]
    paid = sum(row["amount_minor"] for row in facts["payments"])
    left = facts["carried_minor"] + facts["total_minor"] - paid
    beside = facts["tax_minor"] and not included
    goods = facts["subtotal_minor"] + (0 if beside else facts["tax_minor"])
    sums = [("Sum of the lines", money(goods, currency))]
    if beside:
        sums.append(("Tax", money(facts["tax_minor"], currency)))
    if facts["rounding_minor"]:
        sums.append(("Rounding", money(facts["rounding_minor"], currency)))
    sums.append((f"Total of this {TITLES[facts['kind']].lower()}", money(facts["total_minor"], currency)))
    if facts["carried_minor"]:
        sums.append(("Carried balance before it", money(facts["carried_minor"], currency)))
    if paid:
        sums.append(("Paid since", money(-paid, currency)))
    return Page(
        title=TITLES[facts["kind"]],
        number=number,
        void=facts["state"] == "void",
        business=facts["legal_name"],
        business_lines=_present(
            facts["business_address"], facts["business_phone"], *(f"{k}: {v}" for k, v in facts["tax_ids"].items())
        ),
        customer=facts["customer"],
        customer_lines=_present(facts["customer_code"], facts["customer_address"], facts["customer_phone"]),
        period=f"{day(facts['period_from'])} – {day(facts['period_to'])}",
        issued_on=day(facts["issued_on"]),
        due_on=day(facts["due_on"]),
        corrects=f"{facts['corrects_series']}/{facts['corrects_number']}" if facts["corrects_id"] else None,
        reason=facts["reason"],
        lines=[
            {
                "day": day(row["service_on"]),
                "what": " · ".join(_present(row["household"], row["description"])),
                "quantity": quantity(row["quantity"], row["unit"]),
                "price": price(row["unit_price"], currency),
                "amount": money(row["amount_minor"], currency),
            }
            for row in facts["lines"]
        ],
        taxes=[
            {
                "component": row["component"],
                "rate": f"{(row['rate'] * 100).normalize():f} %",
                "base": money(row["base_minor"], currency),
                "tax": money(row["tax_minor"], currency),
            }
            for row in facts["taxes"]
        ],
        sums=sums,
        payments=[
            {
                "day": day(row["received_on"]),
                "how": " ".join(_present(row["method"], row["reference"])),
                "amount": money(row["amount_minor"], row["currency"]),
            }
            for row in facts["payments"]
        ],
        to_pay=money(left, currency),
        to_pay_minor=left,
        pay_link=upi(facts["upi_id"], facts["business"], left, currency, number)
        if facts["upi_id"] and currency == "INR" and left > 0 and facts["state"] == "issued"
        else None,
    )


def _present(*words: str | None) -> list[str]:
    return [word for word in words if word]
