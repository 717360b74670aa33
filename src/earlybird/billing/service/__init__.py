"""Every change on the money side: charges, invoices, credits, adjustments, payments, allocation."""
