"""Documents, the run that issues them, and what a customer stands at."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, WithJsonSchema

from earlybird.billing.schemas.adjustments import Signed
from earlybird.billing.schemas.payments import PaymentOut
from earlybird.billing.states import InvoiceKind, InvoiceState
from earlybird.infra.shapes import Currency, Minor

MonthText = Annotated[str, StringConstraints(pattern=r"^2[01][0-9]{2}-(0[1-9]|1[0-2])$"), Field(examples=["2026-01"])]
"""A calendar month."""

Exact = Annotated[
    Decimal, WithJsonSchema({"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$", "examples": ["60.0000"]})
]
"""A rate or price; text in JSON."""


class BillRunIn(BaseModel):
    """Which month is to be billed."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"month": "2026-01", "dry_run": True}]})

    month: MonthText = Field(description="Everything new up to this month's end goes on the bills.")
    business_id: UUID | None = Field(None, description="Which business; may be left out where there is one.")
    dry_run: bool = Field(default=False, strict=True, description="Do it all, say what came of it, keep nothing.")


class BillRunTotalOut(BaseModel):
    """What was issued of one kind."""

    kind: InvoiceKind
    count: int = Field(examples=[812])
    subtotal_minor: Minor = Field(description="Minor units, without tax.", examples=[64190000])
    tax_minor: Minor = Field(description="Minor units.", examples=[1210000])
    total_minor: Minor = Field(description="Minor units, tax and rounding included.", examples=[65400000])
    currency: Currency


class BillRunOut(BaseModel):
    """What a run issued, or in a dry run would have."""

    business_id: UUID
    month: str = Field(examples=["2026-01"])
    dry_run: bool
    count: int = Field(description="Documents; 0 where nothing was new.", examples=[812])
    totals: list[BillRunTotalOut] = Field(description="One per kind of document.")


class InvoiceOut(BaseModel):
    """A document's head. What is paid and open is counted when asked, never stored."""

    id: UUID
    number: str | None = Field(description="Gapless within its series.", examples=["INV/2025-26/17"])
    kind: InvoiceKind
    state: InvoiceState = Field(description="Void only by a full credit note.")
    business_id: UUID
    customer_id: UUID = Field(description="Who is to pay.")
    customer_code: str = Field(examples=["C-7Q4K2M9P"])
    customer_name: str = Field(examples=["Meena Rao"])
    period_from: date = Field(examples=["2026-01-01"])
    period_to: date = Field(examples=["2026-01-31"])
    issued_on: date | None = Field(examples=["2026-02-01"])
    issued_at: datetime | None
    due_on: date | None = Field(examples=["2026-02-08"])
    subtotal_minor: Minor = Field(description="Minor units, without tax.", examples=[60000])
    tax_minor: Minor = Field(description="Minor units.", examples=[3000])
    rounding_minor: Minor = Field(description="Minor units added to reach whole major units.", examples=[0])
    total_minor: Minor = Field(description="Minor units; negative on a credit note.", examples=[63000])
    carried_minor: Minor = Field(description="What was owed before it, printed beside it.", examples=[0])
    paid_minor: Minor = Field(description="What payments have settled of it.", examples=[50000])
    open_minor: Minor = Field(description="What it still asks, after payments and credit notes.", examples=[13000])
    currency: Currency
    corrects_id: UUID | None = Field(description="The document a credit note corrects.")
    reason: str | None = Field(description="Why a credit note was given.", examples=["wrong household"])


class InvoiceLineOut(BaseModel):
    """One charge or one adjustment on a document, and the facts it stands on."""

    id: UUID = Field(description="Ask for its evidence with this id.")
    service_on: date = Field(examples=["2026-01-05"])
    description: str = Field(examples=["Toned Milk"])
    quantity: Signed | None = Field(description="Null for an adjustment.")
    unit: str | None = Field(examples=["L"])
    unit_price: Exact | None = Field(description="Major units per unit.")
    amount_minor: Minor = Field(description="Minor units.", examples=[6000])
    tax_minor: Minor = Field(description="Minor units; inside or beside the amount as the business writes prices.")
    charge_id: UUID | None
    adjustment_id: UUID | None
    household_id: UUID | None = Field(description="Whose door it was, where somebody else pays.")
    order_id: UUID | None
    order_line_id: UUID | None
    delivery_id: UUID | None
    delivery_line_id: UUID | None
    event_line_id: UUID | None = Field(description="The event at the door.")


class InvoiceTaxOut(BaseModel):
    """The tax of one component and rate on one document."""

    component: str = Field(examples=["CGST"])
    rate: Exact = Field(description="As a fraction.", examples=["0.0250"])
    base_minor: Minor = Field(description="What is taxed, in minor units.", examples=[60000])
    tax_minor: Minor = Field(description="Minor units.", examples=[1500])


class AllocationOut(BaseModel):
    """How much of which payment settles the document."""

    payment_id: UUID
    received_on: date = Field(examples=["2026-02-03"])
    method: str = Field(examples=["upi"])
    reference: str | None = Field(examples=["UTR 402911"])
    amount_minor: Minor = Field(description="Minor units.", examples=[50000])


class InvoiceDetailOut(InvoiceOut):
    """A document with its lines, taxes and payments."""

    lines: list[InvoiceLineOut] = Field(description="By day.")
    taxes: list[InvoiceTaxOut]
    allocations: list[AllocationOut] = Field(description="The payments that settle it, oldest first.")


class OpenDocumentOut(BaseModel):
    """A document that still asks for something."""

    id: UUID
    number: str = Field(examples=["INV/2025-26/17"])
    kind: InvoiceKind
    issued_on: date | None = Field(examples=["2026-02-01"])
    due_on: date | None = Field(examples=["2026-02-08"])
    total_minor: Minor = Field(description="Minor units.", examples=[63000])
    open_minor: Minor = Field(description="Minor units.", examples=[13000])


class StatementEntryOut(BaseModel):
    """One movement of what a customer owes, as the books have it."""

    journal_id: UUID
    posted_on: date = Field(examples=["2026-02-01"])
    kind: str = Field(
        description="What moved it: invoice, payment, credit_note, payment_reversal …", examples=["invoice"]
    )
    amount_minor: Minor = Field(description="Minor units; positive is owed to the business.", examples=[63000])
    balance_minor: Minor = Field(description="What was owed after it.", examples=[63000])
    invoice_id: UUID | None = Field(description="The document, where it is one.")
    number: str | None = Field(description="The document's number.", examples=["INV/2025-26/17"])
    payment_id: UUID | None = Field(description="The payment, where it is one.")


class StatementOut(BaseModel):
    """What a customer stands at: today's balance, and the movements of some days between two balances."""

    customer_id: UUID
    customer_code: str = Field(examples=["C-7Q4K2M9P"])
    customer_name: str = Field(examples=["Meena Rao"])
    currency: Currency
    receivable_minor: Minor = Field(description="What is owed today.", examples=[13000])
    advance_minor: Minor = Field(description="What was paid in advance and is not spent: the wallet.", examples=[0])
    to_pay_minor: Minor = Field(description="Owed less advance; negative is the customer's money.", examples=[13000])
    open_documents: list[OpenDocumentOut] = Field(description="What is still asked today, oldest first.")
    since: date = Field(description="The first day of the movements.", examples=["2025-02-01"])
    through: date = Field(description="The last day of the movements.", examples=["2026-02-03"])
    opening_minor: Minor = Field(description="What was to pay before the first day.", examples=[0])
    entries: list[StatementEntryOut] = Field(description="The movements, oldest first.")
    closing_minor: Minor = Field(description="What was to pay after the last day.", examples=[13000])
    payments: list[PaymentOut] = Field(description="The payments received on these days, oldest first.")
