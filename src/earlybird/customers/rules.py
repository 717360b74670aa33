"""Which facts customers change themselves, and how a language is written."""

from __future__ import annotations

import re

from earlybird.customers.errors import LanguageUnknown

OWN_FACTS = frozenset({"name", "phone", "email", "language", "delivery_instructions"})
"""What customers change themselves; the rest is the office's."""


def language(text: str) -> str:
    """Return a language tag (BCP 47) in its usual spelling: te, zh-Hant."""
    if not re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", text):
        raise LanguageUnknown(field="language")
    head, *rest = text.split("-")
    return "-".join([head.lower(), *rest])
