"""The shapes of money: what is taken in and what is answered. Amounts are whole minor units beside their currency."""

from earlybird.billing.schemas.adjustments import (
    AdjustmentIn,
    AdjustmentOut,
    ChargeOut,
    ReasonIn,
    WaiverOut,
)
from earlybird.billing.schemas.evidence import ExplanationOut
from earlybird.billing.schemas.incoming import (
    Day,
    LegacyKey,
    PaymentIn,
    PaymentsIn,
    ReversalIn,
)
from earlybird.billing.schemas.invoices import (
    InvoiceDetailOut,
    InvoiceOut,
    MonthText,
    RunIn,
    RunOut,
    StatementOut,
)
from earlybird.billing.schemas.payments import (
    BatchOut,
    PaymentDetailOut,
    PaymentOut,
    RejectionOut,
)

__all__ = [
    "AdjustmentIn",
    "AdjustmentOut",
    "BatchOut",
    "ChargeOut",
    "Day",
    "ExplanationOut",
    "InvoiceDetailOut",
    "InvoiceOut",
    "LegacyKey",
    "MonthText",
    "PaymentDetailOut",
    "PaymentIn",
    "PaymentOut",
    "PaymentsIn",
    "ReasonIn",
    "RejectionOut",
    "ReversalIn",
    "RunIn",
    "RunOut",
    "StatementOut",
    "WaiverOut",
]
