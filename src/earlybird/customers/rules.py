"""Who is taken on, which facts customers change themselves, and how a language is written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from earlybird.customers.errors import LanguageUnknown
from earlybird.customers.states import MACHINE, CustomerKind, CustomerState

OWN_FACTS = frozenset({"name", "phone", "email", "language", "delivery_instructions"})
"""What customers change themselves; the rest is the office's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Where somebody lives."""

    line1: str
    label: str | None = None
    line2: str | None = None
    city: str | None = None
    region: str | None = None
    postal_code: str | None = None
    latitude: Decimal | None = None
    longitude: Decimal | None = None
    map_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Newcomer:
    """Who is taken on. Without a site the only depot serves them; a phone is written as in its country.

    `keys` are what other systems call the customer: (source, kind, key).
    """

    name: str
    site_id: UUID | None = None
    kind: CustomerKind = CustomerKind.household
    phone: str | None = None
    email: str | None = None
    language: str = "en"
    area_id: UUID | None = None
    driver_id: UUID | None = None
    marketer_id: UUID | None = None
    bill_to_id: UUID | None = None
    billing_cycle: str = "monthly"
    state: CustomerState = MACHINE.start
    state_from: date | None = None
    trial_from: date | None = None
    notes: str | None = None
    delivery_instructions: str | None = None
    address: Door | None = None
    keys: Sequence[tuple[str, str, str]] = ()


def language(text: str) -> str:
    """Return a language tag (BCP 47) in its usual spelling: te, zh-Hant."""
    if not re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", text):
        raise LanguageUnknown(field="language")
    head, *rest = text.split("-")
    return "-".join([head.lower(), *rest])
