"""Write docs/access.md from the grants table: python scripts/docs_access.py"""

from pathlib import Path

from earlybird.identity import rules

PAGE = Path(__file__).parent.parent / "docs" / "access.md"


def text() -> str:
    """Return the page."""
    return f"""# Who may do what

Written from `identity/rules.py` by `scripts/docs_access.py`; a test holds it current.
What is not in the table is refused.

Scopes: `all` rows; those of one's `area`, `round`, `shop` or `warehouse`; one's `own`; those of a `link`.

{rules.table()}
"""


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8")
