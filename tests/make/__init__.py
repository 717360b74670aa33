"""Factories, one small module per slice: make.order(session, **over)."""

from make import dump
from make.business import business, customer, driver, product, subscription

__all__ = ["business", "customer", "driver", "dump", "product", "subscription"]
