"""Write the table of questions in docs/howto/prove-nothing-is-lost.md: python scripts/docs_checks.py"""

from pathlib import Path

from earlybird.reconcile.checks import CHECKS

PAGE = Path(__file__).parent.parent / "docs" / "howto" / "prove-nothing-is-lost.md"
START = "| # | question | name | a finding is | asked |\n|---|---|---|---|---|\n"
ASKED = {"live": "always", "takeover": "of a business taken over"}


def text() -> str:
    """Return the page with the table of today's questions."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(START)
    after = rest[rest.index("\n\n") :]
    rows = [f"| {c.number} | {c.title} | `{c.name}` | {c.severity} | {ASKED[c.kind]} |" for c in CHECKS]
    return before + START + "\n".join(rows) + after


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8")
