"""Who may do what: the grants table as it is seeded, and what a scope means."""

from __future__ import annotations

import hashlib
import re
from enum import StrEnum
from typing import Any

from earlybird.identity.errors import BadEmail
from earlybird.identity.states import Role
from earlybird.kernel.ctx import Ctx

SIGN_IN_MINUTES = 15
"""How long a one-time link opens the door."""

SESSION_DAYS = 14
"""How long a browser stays signed in."""

KEY_MARK = "ebk_"
"""How a machine's key begins."""

COOKIE = "earlybird_session"
"""The cookie that carries a session's token."""


class Scope(StrEnum):
    """Whose rows a grant reaches."""

    all = "all"
    area = "area"
    round = "round"
    shop = "shop"
    warehouse = "warehouse"
    own = "own"
    link = "link"


R = Role
ALL, OWN, ROUND, SHOP, STORE = Scope.all, Scope.own, Scope.round, Scope.shop, Scope.warehouse
EVERYBODY = dict.fromkeys(Role, Scope.all)

GRANTS: tuple[tuple[str, dict[Role, Scope]], ...] = (
    ("me.read", dict.fromkeys(Role, OWN)),
    ("me.change", dict.fromkeys(Role, OWN)),
    ("reconcile.read", {R.admin: ALL}),
    ("reconcile.run", {R.admin: ALL}),
    ("findings.accept", {R.admin: ALL}),
    ("businesses.read", {R.admin: ALL, R.support: ALL}),
    ("businesses.change", {R.admin: ALL}),
    ("sites.read", EVERYBODY),
    ("sites.change", {R.admin: ALL}),
    ("areas.read", {R.admin: ALL, R.support: ALL, R.marketing: ALL, R.driver: Scope.area}),
    ("areas.change", {R.admin: ALL}),
    ("customers.read", {R.admin: ALL, R.support: ALL, R.marketing: OWN, R.customer: OWN}),
    ("customers.create", {R.admin: ALL, R.support: ALL, R.marketing: OWN}),
    ("customers.change", {R.admin: ALL, R.support: ALL, R.customer: OWN}),
    ("customers.move", {R.admin: ALL, R.support: ALL}),
    ("customers.merge", {R.admin: ALL}),
    ("subscriptions.read", {R.admin: ALL, R.support: ALL, R.customer: OWN}),
    ("subscriptions.change", {R.admin: ALL, R.support: ALL, R.customer: OWN}),
    ("orders.read", {R.admin: ALL, R.support: ALL, R.customer: OWN, R.merchant: SHOP}),
    ("orders.place", {R.admin: ALL, R.support: ALL, R.customer: OWN}),
    ("orders.change", {R.admin: ALL, R.support: ALL, R.customer: OWN}),
    ("orders.cancel", {R.admin: ALL, R.support: ALL, R.customer: OWN}),
    ("orders.withdraw", {R.admin: ALL}),
    ("orders.plan", {R.admin: ALL}),
    ("deliveries.read", {R.admin: ALL, R.support: ALL, R.driver: ROUND, R.customer: OWN, R.warehouse: STORE}),
    ("deliveries.list", {R.admin: ALL, R.support: ALL, R.driver: ROUND, R.warehouse: STORE}),
    ("deliveries.confirm", {R.admin: ALL, R.driver: ROUND}),
    ("deliveries.plan", {R.admin: ALL, R.support: ALL}),
    ("deliveries.correct", {R.admin: ALL, R.support: ALL}),
    ("billing.list", {R.admin: ALL, R.support: ALL}),
    ("billing.read", {R.admin: ALL, R.support: ALL, R.customer: OWN}),
    ("billing.run", {R.admin: ALL}),
    ("billing.waive", {R.admin: ALL}),
    ("billing.adjust", {R.admin: ALL}),
    ("payments.record", {R.admin: ALL, R.support: ALL}),
    ("payments.reverse", {R.admin: ALL}),
    ("products.change", {R.admin: ALL}),
    ("prices.read", {R.admin: ALL, R.support: ALL, R.marketing: ALL}),
    ("prices.change", {R.admin: ALL}),
    ("packages.read", {R.admin: ALL, R.support: ALL, R.merchant: SHOP, R.warehouse: STORE, R.driver: ROUND}),
    ("packages.move", {R.admin: ALL, R.merchant: SHOP, R.warehouse: STORE, R.driver: ROUND}),
    ("users.read", {R.admin: ALL}),
    ("users.change", {R.admin: ALL}),
    ("keys.read", {R.admin: ALL}),
    ("keys.change", {R.admin: ALL}),
    ("audit.read", {R.admin: ALL}),
    ("webhooks.read", {R.admin: ALL}),
    ("webhooks.change", {R.admin: ALL}),
    ("steps.run", {R.admin: ALL}),
    ("imports.run", {R.admin: ALL}),
    ("exports.run", {R.admin: ALL}),
)
"""The table: action → role → scope. What is not written here is refused. The catalogue of products is public."""

UNREPENTANT = frozenset({"me.change"})
"""What a login that must first change its password may do."""


def within(ctx: Ctx, **conditions: str) -> str:
    """Return the SQL condition for the rows an actor reaches; its values come from `reach`.

    `conditions` say, per scope, which rows it reaches, with `:me`, `:my_customers` and `:my_sites`. The scope `all`
    reaches every row; a scope without a condition, and an actor without a reach, reach none.
    """
    scopes = ctx.actor.scopes
    if Scope.all in scopes:
        return "true"
    return "(" + " OR ".join([f"({sql})" for scope, sql in conditions.items() if scope in scopes] or ["false"]) + ")"


def reach(ctx: Ctx) -> dict[str, Any]:
    """Return the values `within` names: who acts, the customers who are theirs, the sites they work at."""
    reaches = ctx.actor.reaches
    return {
        "me": ctx.actor.id,
        "my_customers": sorted({str(r.customer_id) for r in reaches if r.customer_id}),
        "my_sites": sorted({str(r.site_id) for r in reaches if r.site_id}),
    }


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
