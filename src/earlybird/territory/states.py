"""Kinds of place and of shift."""

from enum import StrEnum


class SiteKind(StrEnum):
    """What a site is for."""

    depot = "depot"
    shop = "shop"
    warehouse = "warehouse"


class Shift(StrEnum):
    """When a stop is made. A standing order for both shifts is due in full in each."""

    morning = "morning"
    evening = "evening"
