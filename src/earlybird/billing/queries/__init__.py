"""Every question about money: who is to be billed, what is open, what a document says. Nothing here writes."""

from earlybird.billing.queries.amounts import page_adjustments, page_charges, page_unbilled, show_adjustment
from earlybird.billing.queries.bills import (
    bill_facts,
    business,
    business_by_id,
    charge,
    find_document,
    fitting_cutover,
    list_documents,
    lock_payers,
    payers_to_bill,
    proposals,
)
from earlybird.billing.queries.cash import driver_cash, firms_of_driver, show_settlement
from earlybird.billing.queries.documents import (
    get_document,
    get_payer,
    page_documents,
    show_document,
    show_statement,
)
from earlybird.billing.queries.evidence import evidence, explain
from earlybird.billing.queries.open import open_documents, statement
from earlybird.billing.queries.payments import page_payments, page_rejections, payments_by_client_id, show_payment
from earlybird.billing.queries.scope import visible

__all__ = [
    "bill_facts",
    "business",
    "business_by_id",
    "charge",
    "driver_cash",
    "evidence",
    "explain",
    "find_document",
    "firms_of_driver",
    "fitting_cutover",
    "get_document",
    "get_payer",
    "list_documents",
    "lock_payers",
    "open_documents",
    "page_adjustments",
    "page_charges",
    "page_documents",
    "page_payments",
    "page_rejections",
    "page_unbilled",
    "payers_to_bill",
    "payments_by_client_id",
    "proposals",
    "show_adjustment",
    "show_document",
    "show_payment",
    "show_settlement",
    "show_statement",
    "statement",
    "visible",
]
