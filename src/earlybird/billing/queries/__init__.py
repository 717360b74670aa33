"""Every question about money: who is to be billed, what is open, what a document says. Nothing here writes."""

from earlybird.billing.queries.bills import (
    bill_facts,
    business,
    charge,
    find_document,
    fitting_cutover,
    list_documents,
    lock_payers,
    payers_to_bill,
    proposals,
)
from earlybird.billing.queries.open import open_documents, statement

__all__ = [
    "bill_facts",
    "business",
    "charge",
    "find_document",
    "fitting_cutover",
    "list_documents",
    "lock_payers",
    "open_documents",
    "payers_to_bill",
    "proposals",
    "statement",
]
