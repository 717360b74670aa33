"""What a phone, an e-mail and a language look like, and which facts a customer may change alone."""

from __future__ import annotations

import re
import unicodedata

import phonenumbers

from earlybird.customers.errors import BadPhone, LanguageUnknown

OWN_FACTS = frozenset({"name", "phone", "email", "language", "delivery_instructions"})
"""What customers change themselves; the rest is the office's."""

LAST_DIGITS = 10
"""How many digits of two numbers are compared: the old system kept no country."""

PLACEHOLDER = "customer-{id}@earlybird.local"
"""The e-mail of a login that has none of its own; no message is ever sent there."""


def phone(text: str, country: str) -> str:
    """Return a telephone number as `+919876543210` (E.164), read as dialled in `country` (ISO 3166)."""
    try:
        found = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException as failure:
        raise BadPhone(field="phone") from failure
    if not phonenumbers.is_possible_number(found):
        raise BadPhone(field="phone")
    return phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.E164)


def language(text: str) -> str:
    """Return a language tag in its usual spelling."""
    if not re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", text):
        raise LanguageUnknown(field="language")
    head, *rest = text.split("-")
    return "-".join([head.lower(), *rest])


def folded(text: str) -> str:
    """Return a name or a street as it is compared: no accents, capitals, signs or double spaces."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    return " ".join("".join(sign if sign.isalnum() else " " for sign in plain if not unicodedata.combining(sign)).split())
