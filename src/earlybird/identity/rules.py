"""Who may do what: the grants table as it is seeded, and what a scope means."""

from __future__ import annotations

import hashlib
import re
from enum import StrEnum

from earlybird.identity.errors import BadEmail
from earlybird.identity.states import Role

SIGN_IN_MINUTES = 15
"""How long a one-time link opens the door."""

SESSION_DAYS = 14
"""How long a browser stays signed in."""

COOKIE = "earlybird_session"
"""The cookie that carries a session's token."""


class Scope(StrEnum):
    """Whose rows a grant reaches."""

    all = "all"
    site = "site"
    own = "own"


R, A, S, O = Role, Scope.all, Scope.site, Scope.own  # noqa: E741

GRANTS: tuple[tuple[str, dict[Role, Scope]], ...] = (
    ("reconcile.read", {R.admin: A}),
    ("reconcile.run", {R.admin: A}),
    ("findings.accept", {R.admin: A}),
    ("customers.read", {R.admin: A, R.support: A, R.marketing: O, R.customer: O}),
    ("customers.change", {R.admin: A, R.support: A, R.customer: O}),
    ("subscriptions.read", {R.admin: A, R.support: A, R.customer: O}),
    ("subscriptions.change", {R.admin: A, R.support: A, R.customer: O}),
    ("orders.read", {R.admin: A, R.support: A, R.customer: O, R.merchant: S}),
    ("orders.place", {R.admin: A, R.support: A, R.customer: O}),
    ("orders.cancel", {R.admin: A, R.support: A, R.customer: O}),
    ("orders.plan", {R.admin: A}),
    ("deliveries.read", {R.admin: A, R.support: A, R.driver: O, R.customer: O, R.warehouse: S}),
    ("deliveries.confirm", {R.admin: A, R.driver: O}),
    ("deliveries.correct", {R.admin: A, R.support: A}),
    ("billing.read", {R.admin: A, R.support: A, R.customer: O}),
    ("billing.run", {R.admin: A}),
    ("billing.waive", {R.admin: A}),
    ("billing.adjust", {R.admin: A}),
    ("payments.record", {R.admin: A, R.support: A}),
    ("payments.reverse", {R.admin: A}),
    ("products.read", {R.admin: A, R.support: A, R.customer: A, R.driver: A, R.merchant: A}),
    ("products.change", {R.admin: A}),
    ("packages.read", {R.admin: A, R.support: A, R.merchant: S, R.warehouse: S, R.driver: O}),
    ("packages.move", {R.admin: A, R.merchant: S, R.warehouse: S, R.driver: O}),
    ("users.read", {R.admin: A}),
    ("users.change", {R.admin: A}),
    ("steps.run", {R.admin: A}),
    ("imports.run", {R.admin: A}),
)
"""The table: action → role → scope. What is not written here is refused."""


def cells() -> list[dict[str, str]]:
    """Return the table as rows: role, action, scope."""
    return [
        {"role": str(role), "action": action, "scope": str(scope)}
        for action, by_role in GRANTS
        for role, scope in by_role.items()
    ]


def fingerprint(token: str) -> str:
    """Return what is kept of a secret token: its SHA-256, in hex."""
    return hashlib.sha256(token.encode()).hexdigest()


def email(text: str) -> str:
    """Return an e-mail address in lower case; what cannot be one is refused."""
    found = text.strip().lower()
    if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", found):
        raise BadEmail(field="email", value=text)
    return found


def table() -> str:
    """Return the grants as a Markdown table, one row per action."""
    head = "| action | " + " | ".join(Role) + " |"
    lines = [head, "|---" * (len(Role) + 1) + "|"]
    for action, by_role in GRANTS:
        lines.append(f"| `{action}` | " + " | ".join(str(by_role.get(role, "–")) for role in Role) + " |")
    return "\n".join(lines)
