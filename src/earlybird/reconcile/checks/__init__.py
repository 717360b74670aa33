"""The questions, one file each, in the order they are asked."""

from earlybird.reconcile.checks import (
    allocation_too_much,
    charge_not_billed,
    charge_without_fact,
    customer_without_login,
    delivered_more_than_ordered,
    delivered_not_events,
    delivery_without_order,
    due_without_order,
    fact_not_charged,
    invoice_not_journal,
    invoice_not_lines,
    invoice_number_gap,
    journal_not_zero,
    ledger_out_of_balance,
    legacy_not_attributable,
    line_not_its_charge,
    line_without_standing_order,
    login_without_customer,
    order_state_differs,
    order_without_delivery,
    payment_lost,
    receivable_unexplained,
    stop_state_differs,
    wrong_amount,
)

CHECKS = tuple(
    module.CHECK
    for module in (
        fact_not_charged,
        charge_without_fact,
        wrong_amount,
        charge_not_billed,
        delivered_not_events,
        invoice_not_lines,
        invoice_not_journal,
        journal_not_zero,
        ledger_out_of_balance,
        receivable_unexplained,
        payment_lost,
        allocation_too_much,
        order_without_delivery,
        delivery_without_order,
        due_without_order,
        customer_without_login,
        login_without_customer,
        delivered_more_than_ordered,
        legacy_not_attributable,
        invoice_number_gap,
        order_state_differs,
        line_without_standing_order,
        stop_state_differs,
        line_not_its_charge,
    )
)
"""Every question; their numbers are 1, 2, 3 …"""
