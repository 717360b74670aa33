"""Lifecycles and kinds on the money side."""

from enum import StrEnum

from earlybird.kernel.states import Machine


class InvoiceKind(StrEnum):
    """An invoice asks, a credit note gives back; legacy and opening documents carry over the past."""

    invoice = "invoice"
    credit_note = "credit_note"
    legacy = "legacy"
    opening = "opening"


class InvoiceState(StrEnum):
    """Where a document stands; paid is derived, never stored."""

    draft = "draft"
    issued = "issued"
    void = "void"


class AdjustmentKind(StrEnum):
    """Why an amount that is not a delivered line is on a bill."""

    fee = "fee"
    discount = "discount"
    deposit = "deposit"
    goodwill = "goodwill"
    recovery = "recovery"
    legacy_difference = "legacy_difference"
    opening_balance = "opening_balance"
    credit = "credit"


class AdjustmentState(StrEnum):
    """A proposal waits for a person; only approved ones go on a bill."""

    proposed = "proposed"
    approved = "approved"
    waived = "waived"


class PaymentState(StrEnum):
    """A payment is never deleted; a bounced one is reversed."""

    recorded = "recorded"
    reversed = "reversed"


INVOICE = Machine(
    name="invoice",
    start=InvoiceState.draft,
    moves={
        "issue": (frozenset({InvoiceState.draft}), InvoiceState.issued),
        "void": (frozenset({InvoiceState.issued}), InvoiceState.void),
    },
)

ADJUSTMENT = Machine(
    name="adjustment",
    start=AdjustmentState.proposed,
    moves={
        "approve": (frozenset({AdjustmentState.proposed}), AdjustmentState.approved),
        "waive": (frozenset({AdjustmentState.proposed}), AdjustmentState.waived),
        "reopen": (frozenset({AdjustmentState.approved, AdjustmentState.waived}), AdjustmentState.proposed),
    },
)

PAYMENT = Machine(
    name="payment",
    start=PaymentState.recorded,
    moves={"reverse": (frozenset({PaymentState.recorded}), PaymentState.reversed)},
)
