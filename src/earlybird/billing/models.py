"""Charges, adjustments, waivers, invoices and payments: one charge per fact, refused twice by the database."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, Integer, Numeric, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from earlybird.billing.states import (
    AdjustmentKind,
    AdjustmentState,
    InvoiceKind,
    InvoiceState,
    PaymentState,
)
from earlybird.infra.db import Instant, Key, Minor, Now, Quantity, Rate, Table, one_of, ref


class Charge(Table):
    """The money of one door event's line: signed, so a correction is a second, negative charge."""

    __tablename__ = "charges"
    __table_args__ = (Index(None, "customer_id", "service_on"),)

    id: Mapped[Key]
    event_line_id: Mapped[UUID] = ref("delivery_event_lines.id", index=False, unique=True)
    customer_id: Mapped[UUID]
    service_on: Mapped[date]
    quantity: Mapped[Quantity]
    amount_minor: Mapped[Minor]
    currency: Mapped[str]
    tax_class_id: Mapped[UUID | None]
    charged_at: Mapped[Instant]


class UnchargedLine(Table):
    """A door event's line that waits for its charge: put here by a trigger in the event's own commit.

    A work list, so that charging costs what is new and not what there is; `charges` stays the truth.
    """

    __tablename__ = "uncharged_lines"

    event_line_id: Mapped[UUID] = mapped_column(primary_key=True)


class UnbilledCharge(Table):
    """A charge that waits for its document: kept by triggers on charges, waivers and invoice lines.

    A work list, so that a bill run costs what is new, however old its service date may be.
    """

    __tablename__ = "unbilled_charges"

    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    service_on: Mapped[date] = mapped_column(primary_key=True)
    charge_id: Mapped[UUID] = mapped_column(primary_key=True)


class Waiver(Table):
    """A charge somebody decided not to ask for."""

    __tablename__ = "waivers"

    id: Mapped[Key]
    charge_id: Mapped[UUID] = ref("charges.id", index=False, unique=True)
    reason: Mapped[str]
    approver: Mapped[str]
    made_at: Mapped[Now]


class Adjustment(Table):
    """An amount that is not a delivered line: fee, discount, deposit, goodwill, recovery."""

    __tablename__ = "adjustments"
    __table_args__ = (
        one_of("kind", AdjustmentKind),
        one_of("state", AdjustmentState),
        Index(None, "kind", "id"),
        Index("adjustments_undecided_idx", "state", "id", postgresql_where="state <> 'approved'"),
        Index(
            "adjustments_opening_key",
            "customer_id",
            unique=True,
            postgresql_where="kind = 'opening_balance'",
        ),
    )

    id: Mapped[Key]
    business_id: Mapped[UUID] = ref("businesses.id")
    customer_id: Mapped[UUID] = ref("customers.id")
    kind: Mapped[str]
    amount_minor: Mapped[Minor]
    currency: Mapped[str]
    effective_on: Mapped[date]
    reason: Mapped[str]
    state: Mapped[str] = mapped_column(Text, server_default=AdjustmentState.proposed)
    state_at: Mapped[Now]
    approver: Mapped[str | None]
    made_at: Mapped[Now]


class InvoiceSeries(Table):
    """The next number of a series; taken under lock, so that numbers have no gaps."""

    __tablename__ = "invoice_series"

    business_id: Mapped[UUID] = ref("businesses.id", primary_key=True, index=False)
    series: Mapped[str] = mapped_column(Text, primary_key=True)
    next_number: Mapped[int] = mapped_column(Integer, server_default="1")


class Invoice(Table):
    """A document. Once issued it never changes; credit notes correct it."""

    __tablename__ = "invoices"
    __table_args__ = (
        UniqueConstraint("business_id", "series", "number"),
        Index(None, "customer_id", "issued_on"),
        Index(None, "period_to", "id"),
        Index("invoices_other_kinds_idx", "kind", "id", postgresql_where="kind <> 'invoice'"),
        Index("invoices_not_issued_idx", "state", "id", postgresql_where="state <> 'issued'"),
        Index(
            "invoices_opening_key",
            "customer_id",
            unique=True,
            postgresql_where="kind = 'opening'",
        ),
        CheckConstraint("(state = 'draft') = (number IS NULL)", name="number"),
        one_of("kind", InvoiceKind),
        one_of("state", InvoiceState),
    )

    id: Mapped[Key]
    business_id: Mapped[UUID] = ref("businesses.id", index=False)
    customer_id: Mapped[UUID] = ref("customers.id", index=False)
    kind: Mapped[str]
    series: Mapped[str]
    number: Mapped[int | None]
    state: Mapped[str] = mapped_column(Text, server_default=InvoiceState.draft)
    state_at: Mapped[Now]
    period_from: Mapped[date]
    period_to: Mapped[date]
    issued_on: Mapped[date | None]
    issued_at: Mapped[datetime | None]
    due_on: Mapped[date | None]
    subtotal_minor: Mapped[Minor]
    tax_minor: Mapped[Minor]
    rounding_minor: Mapped[Minor]
    total_minor: Mapped[Minor]
    carried_minor: Mapped[Minor]
    currency: Mapped[str]
    corrects_id: Mapped[UUID | None] = ref("invoices.id")
    journal_id: Mapped[UUID | None] = ref("journals.id")
    reason: Mapped[str | None]


class InvoiceLine(Table):
    """One charge or one adjustment on one document: the database refuses a second billing of either."""

    __tablename__ = "invoice_lines"
    __table_args__ = (
        CheckConstraint("num_nonnulls(charge_id, adjustment_id) = 1", name="source"),
        Index("invoice_lines_charge_id_key", "charge_id", unique=True, postgresql_where="charge_id IS NOT NULL"),
        Index(
            "invoice_lines_adjustment_id_key",
            "adjustment_id",
            unique=True,
            postgresql_where="adjustment_id IS NOT NULL",
        ),
    )

    id: Mapped[Key]
    invoice_id: Mapped[UUID] = ref("invoices.id")
    charge_id: Mapped[UUID | None] = ref("charges.id", index=False)
    adjustment_id: Mapped[UUID | None] = ref("adjustments.id", index=False)
    service_on: Mapped[date]
    description: Mapped[str]
    quantity: Mapped[Decimal | None] = mapped_column(Numeric(14, 3))
    unit: Mapped[str | None]
    unit_price: Mapped[Decimal | None] = mapped_column(Numeric(14, 4))
    amount_minor: Mapped[Minor]
    tax_minor: Mapped[Minor]


class InvoiceTax(Table):
    """The tax of one component and rate on one document."""

    __tablename__ = "invoice_taxes"
    __table_args__ = (UniqueConstraint("invoice_id", "component", "rate"),)

    id: Mapped[Key]
    invoice_id: Mapped[UUID] = ref("invoices.id", index=False)
    component: Mapped[str]
    rate: Mapped[Rate]
    base_minor: Mapped[Minor]
    tax_minor: Mapped[Minor]


class Payment(Table):
    """Money received, once per `client_id`; a wrong one is reversed, never deleted.

    Cash taken at the door names its delivery, of which one payment stands, and the user who holds it.
    """

    __tablename__ = "payments"
    __table_args__ = (
        one_of("state", PaymentState),
        Index(None, "customer_id", "received_on"),
        Index("payments_reversed_idx", "id", postgresql_where="state = 'reversed'"),
        Index(
            "payments_delivery_id_key",
            "delivery_id",
            unique=True,
            postgresql_where="state = 'recorded' AND delivery_id IS NOT NULL",
        ),
    )

    id: Mapped[Key]
    business_id: Mapped[UUID] = ref("businesses.id")
    customer_id: Mapped[UUID | None] = ref("customers.id", index=False)
    client_id: Mapped[str] = mapped_column(Text, unique=True)
    amount_minor: Mapped[Minor]
    currency: Mapped[str]
    method: Mapped[str]
    received_on: Mapped[date]
    reference: Mapped[str | None]
    note: Mapped[str | None]
    for_month: Mapped[str | None]
    state: Mapped[str] = mapped_column(Text, server_default=PaymentState.recorded)
    state_at: Mapped[Now]
    made_at: Mapped[Now]
    journal_id: Mapped[UUID | None] = ref("journals.id")
    source: Mapped[str | None]
    delivery_id: Mapped[UUID | None] = mapped_column()
    holder_id: Mapped[UUID | None] = mapped_column()


class UnbookedCash(Table):
    """A word about cash at a door that waits for the books: put here by a trigger in the word's own commit."""

    __tablename__ = "unbooked_cash"

    cash_id: Mapped[UUID] = mapped_column(primary_key=True)


class CashSettlement(Table):
    """Cash a driver laid on the depot's table: what was counted, and what the books said they held."""

    __tablename__ = "cash_settlements"
    __table_args__ = (CheckConstraint("counted_minor >= 0", name="counted_minor"),)

    id: Mapped[Key]
    business_id: Mapped[UUID] = ref("businesses.id")
    driver_id: Mapped[UUID] = ref("users.id")
    counted_minor: Mapped[Minor]
    expected_minor: Mapped[Minor]
    currency: Mapped[str]
    note: Mapped[str | None]
    settled_at: Mapped[Instant]
    settled_by: Mapped[str]
    journal_id: Mapped[UUID | None] = ref("journals.id")


class PaymentAllocation(Table):
    """How much of a payment settles which document; append-only, taken back by a negative row."""

    __tablename__ = "payment_allocations"
    __table_args__ = (CheckConstraint("amount_minor <> 0", name="amount_minor"),)

    id: Mapped[Key]
    payment_id: Mapped[UUID] = ref("payments.id")
    invoice_id: Mapped[UUID] = ref("invoices.id")
    amount_minor: Mapped[Minor]
    made_at: Mapped[Now]


class PaymentRejection(Table):
    """A payment row that could not be recorded, kept as it came, with the rule it broke."""

    __tablename__ = "payment_rejections"

    id: Mapped[Key]
    body: Mapped[str]
    field: Mapped[str | None]
    rule: Mapped[str]
    digest: Mapped[str] = mapped_column(Text, unique=True)
    received_at: Mapped[Instant]


class LegacyBill(Table):
    """What a legacy system asked a customer (or an account without household) for a month, and was owed.

    `party` is the customer's legacy key, or `user:` and the account's. Amounts in minor units;
    `first_view` is what the bill showed when first opened, `second_view` ever after.
    """

    __tablename__ = "legacy_bills"

    source: Mapped[str] = mapped_column(Text, primary_key=True)
    party: Mapped[str] = mapped_column(Text, primary_key=True)
    month: Mapped[str] = mapped_column(Text, primary_key=True)
    customer_id: Mapped[UUID | None] = ref("customers.id")
    delivered_minor: Mapped[Minor]
    one_time_minor: Mapped[Minor]
    first_view_minor: Mapped[Minor]
    second_view_minor: Mapped[Minor]
    paid_minor: Mapped[Minor]
    currency: Mapped[str]
