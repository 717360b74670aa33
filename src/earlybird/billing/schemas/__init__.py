"""The shapes of money: what is taken in and what is answered. Amounts are whole minor units beside their currency."""

from earlybird.billing.schemas.adjustments import (
    AdjustmentIn,
    AdjustmentOut,
    Because,
    ChargeOut,
    WaiverOut,
)
from earlybird.billing.schemas.cash import DriverCashOut, SettlementIn, SettlementOut
from earlybird.billing.schemas.evidence import ExplanationOut
from earlybird.billing.schemas.incoming import (
    LegacyKey,
    PaymentIn,
    PaymentsIn,
    ReversalIn,
)
from earlybird.billing.schemas.invoices import (
    BillRunIn,
    BillRunOut,
    InvoiceDetailOut,
    InvoiceOut,
    MonthText,
    StatementOut,
)
from earlybird.billing.schemas.payments import (
    PaymentBatchOut,
    PaymentDetailOut,
    PaymentOut,
    PaymentRejectionOut,
)

__all__ = [
    "AdjustmentIn",
    "AdjustmentOut",
    "Because",
    "BillRunIn",
    "BillRunOut",
    "ChargeOut",
    "DriverCashOut",
    "ExplanationOut",
    "InvoiceDetailOut",
    "InvoiceOut",
    "LegacyKey",
    "MonthText",
    "PaymentBatchOut",
    "PaymentDetailOut",
    "PaymentIn",
    "PaymentOut",
    "PaymentRejectionOut",
    "PaymentsIn",
    "ReversalIn",
    "SettlementIn",
    "SettlementOut",
    "StatementOut",
    "WaiverOut",
]
