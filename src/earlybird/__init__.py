"""Earlybird: a delivery business from the standing order to the money in the bank, proven."""

__version__ = "0.1.0"
