"""Factories, one small module per slice: make.order(session, **over)."""

from make import dump
from make.business import Firm, business, customer, driver, product, subscription
from make.planned import planned

__all__ = ["Firm", "business", "customer", "driver", "dump", "planned", "product", "subscription"]
