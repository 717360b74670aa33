"""Charges, adjustments, invoices, payments: the money side of what was delivered."""
