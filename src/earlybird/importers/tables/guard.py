"""Text that a spreadsheet would run as a formula is written with an apostrophe before it, and read without."""

from __future__ import annotations

import re

_RISKY = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
"""Where a spreadsheet may start a formula; the apostrophes in front keep `unguarded` the exact inverse."""


def guarded(text: str) -> str:
    """Return the cell as it is safe to open in a spreadsheet."""
    return "'" + text if _RISKY.match(text) else text


def unguarded(text: str) -> str:
    """Return what `guarded` was given."""
    return text[1:] if text.startswith("'") and _RISKY.match(text) else text
