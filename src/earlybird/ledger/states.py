"""The chart: which accounts every business has."""

from enum import StrEnum


class Account(StrEnum):
    """The accounts postings go to. Debits are positive, credits negative."""

    receivable = "receivable"
    customer_advance = "customer_advance"
    sales = "sales"
    tax_payable = "tax_payable"
    driver_cash = "driver_cash"
    depot_cash = "depot_cash"
    bank = "bank"
    rounding = "rounding"
    opening_equity = "opening_equity"
    driver_payable = "driver_payable"
    merchant_payable = "merchant_payable"
    deposits = "deposits"
    adjustments = "adjustments"
