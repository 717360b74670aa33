"""Households and businesses, and where they live."""
