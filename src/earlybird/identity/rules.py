"""Who may do what: the grants table as it is seeded, and what a scope means."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from earlybird.identity.errors import BadEmail, BadPhone, RoleUnknown
from earlybird.identity.states import Role, ThrottleKind
from earlybird.kernel.ctx import Ctx

SIGN_IN_MINUTES = 15
"""How long a one-time link opens the door."""

SESSION_DAYS = 14
"""How long a browser stays signed in."""

INVITATION_DAYS = 7
"""How long an invitation can be taken up."""

RESET_MINUTES = 30
"""How long a link to a new password is good."""

CODE_MINUTES, CODE_TRIES, CODE_DIGITS = 5, 5, 6
"""How long a one-time code is good, how often it may be tried, how long it is."""

REFRESH_DAYS = 30
"""How long a refresh token waits to be used."""

APP_DAYS = 90
"""How long an app stays signed in at most, however often it refreshes."""

RECENT_MINUTES = 15
"""How long a sign-in by link or code is proof enough to set a password without the old one."""

SHORTEST_LIFE, LONGEST_LIFE = timedelta(minutes=1), timedelta(days=1)
"""How long a script's access token may live."""

ROLE_ALIASES = {"delivery_boy": Role.driver, "marketing_staff": Role.marketing}
"""What legacy clients call a role."""

AT_A_SITE = frozenset({Role.driver, Role.merchant, Role.warehouse})
"""The roles that are held at a site; customers belong to a customer, all others to the whole business."""

KEY_MARK = "ebk_"
"""How a machine's key begins."""

COOKIE = "earlybird_session"
"""The cookie that carries a session's token."""

DEVICE_COOKIE = "earlybird_device"
"""The cookie by which a browser is known that somebody signed in with before."""


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
    ("me.renew", dict.fromkeys(Role, OWN)),
    ("me.secure", dict.fromkeys(Role, OWN)),
    ("me.leave", dict.fromkeys(Role, OWN)),
    ("reconcile.read", {R.admin: ALL}),
    ("reconcile.run", {R.admin: ALL}),
    ("findings.accept", {R.admin: ALL}),
    ("worklist.read", {R.admin: ALL, R.support: ALL}),
    ("worklist.resolve", {R.admin: ALL}),
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
    ("subscriptions.read", {R.admin: ALL, R.support: ALL, R.customer: OWN, R.marketing: OWN}),
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
    ("deliveries.photograph", {R.admin: ALL, R.support: ALL, R.driver: ROUND}),
    ("deliveries.plan", {R.admin: ALL, R.support: ALL}),
    ("deliveries.correct", {R.admin: ALL, R.support: ALL}),
    ("rounds.read", {R.admin: ALL, R.support: ALL, R.driver: ROUND}),
    ("rounds.drive", {R.admin: ALL, R.driver: ROUND}),
    ("rounds.change", {R.admin: ALL}),
    ("routes.read", {R.admin: ALL, R.support: ALL}),
    ("routes.change", {R.admin: ALL}),
    ("billing.list", {R.admin: ALL, R.support: ALL}),
    ("billing.read", {R.admin: ALL, R.support: ALL, R.customer: OWN, R.marketing: OWN}),
    ("billing.run", {R.admin: ALL}),
    ("billing.waive", {R.admin: ALL}),
    ("billing.adjust", {R.admin: ALL}),
    ("payments.record", {R.admin: ALL, R.support: ALL}),
    ("payments.reverse", {R.admin: ALL}),
    ("cash.read", {R.admin: ALL, R.support: ALL, R.driver: ROUND}),
    ("cash.settle", {R.admin: ALL, R.support: ALL}),
    ("links.read", {R.admin: ALL, R.support: ALL}),
    ("links.change", {R.admin: ALL, R.support: ALL}),
    ("link.see", {}),
    ("requests.read", {R.admin: ALL, R.support: ALL, R.customer: OWN, R.driver: ROUND}),
    ("requests.ask", {R.admin: ALL, R.support: ALL, R.customer: OWN, R.driver: ROUND}),
    ("requests.withdraw", {R.admin: ALL, R.support: ALL, R.customer: OWN, R.driver: ROUND}),
    ("requests.decide", {R.admin: ALL, R.support: ALL}),
    ("products.change", {R.admin: ALL}),
    ("prices.read", {R.admin: ALL, R.support: ALL, R.marketing: ALL}),
    ("prices.change", {R.admin: ALL}),
    ("packages.read", {R.admin: ALL, R.support: ALL, R.merchant: SHOP, R.warehouse: STORE, R.driver: ROUND}),
    ("packages.move", {R.admin: ALL, R.merchant: SHOP, R.warehouse: STORE, R.driver: ROUND}),
    ("files.archive", {R.admin: ALL}),
    ("users.read", {R.admin: ALL}),
    ("users.change", {R.admin: ALL}),
    ("keys.read", {R.admin: ALL}),
    ("keys.change", {R.admin: ALL}),
    ("audit.read", {R.admin: ALL}),
    ("jobs.read", {R.admin: ALL}),
    ("messages.read", {R.admin: ALL, R.support: ALL}),
    ("messages.resend", {R.admin: ALL, R.support: ALL}),
    ("webhooks.read", {R.admin: ALL}),
    ("webhooks.change", {R.admin: ALL}),
    ("steps.run", {R.admin: ALL}),
    ("imports.run", {R.admin: ALL}),
    ("exports.run", {R.admin: ALL}),
)
"""The table: action → role → scope. What is not written here is refused. The catalogue of products is public."""

UNREPENTANT = frozenset({"me.renew", "me.leave"})
"""What a session that must first change its password may do."""

UNPROVEN = UNREPENTANT | {"me.secure"}
"""What the session of an admin may do who must first set up a second factor."""


def within(ctx: Ctx, **conditions: str) -> str:
    """Return the SQL condition for the rows an actor reaches; its values come from `reach`.

    `conditions` say, per scope, which rows it reaches, with `:me`, `:my_customers`, `:my_sites`, and
    for links `:my_rounds` and `:my_orders`. The scope `all`
    reaches every row; a scope without a condition, and an actor without a reach, reach none.
    """
    scopes = ctx.actor.scopes
    if Scope.all in scopes:
        return "true"
    return "(" + " OR ".join([f"({sql})" for scope, sql in conditions.items() if scope in scopes] or ["false"]) + ")"


def among(condition: str, table: str) -> str:
    """Return a condition of `within` for many actors at once: its values are columns of `table`."""
    return re.sub(r":(me|my_customers|my_sites|my_rounds|my_orders)\b", rf"{table}.\1", condition)


def reach(ctx: Ctx) -> dict[str, Any]:
    """Return the values `within` names: who acts, their customers, their sites, and what a link opens."""
    reaches = ctx.actor.reaches
    return {
        "me": ctx.actor.id,
        "my_customers": sorted({str(r.customer_id) for r in reaches if r.customer_id}),
        "my_sites": sorted({str(r.site_id) for r in reaches if r.site_id}),
        "my_rounds": sorted({str(r.round_id) for r in reaches if r.round_id}),
        "my_orders": sorted({str(r.order_id) for r in reaches if r.order_id}),
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


def number(text: str, region: str) -> str:
    """Return a phone number in full (E.164, +919876543210); without a country code it is one of `region`."""
    import phonenumbers

    try:
        found = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException as failure:
        raise BadPhone(field="phone") from failure
    if not phonenumbers.is_possible_number(found):
        raise BadPhone(field="phone")
    return phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.E164)


def digits(text: str) -> str:
    """Return the last ten digits of a phone number: what the index on users finds it by."""
    return "".join(sign for sign in text if sign in "0123456789")[-10:]


def role(text: str) -> Role:
    """Return a role by its name, or by the name legacy clients know it by; refuse what is none."""
    found = text.strip().lower()
    try:
        return ROLE_ALIASES.get(found) or Role(found)
    except ValueError as failure:
        raise RoleUnknown(field="role") from failure


def network(address: str | None) -> str:
    """Return what counts as one place on the net: an IPv4 address, the /64 of an IPv6 one."""
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return address or "nowhere"
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many tries are free, how many seconds the longest and the first wait take, when counting begins anew."""

    free: int
    longest: int
    window: timedelta = timedelta(days=1)
    shortest: int = 1

    def wait(self, failures: int) -> timedelta | None:
        """Return how long after the n-th refusal the next try comes: None, then twice as long each time."""
        over = failures - self.free
        if over < 0:
            return None
        return timedelta(seconds=min(self.shortest * 2 ** min(over, 20), self.longest))


ALLOWANCES = {
    ThrottleKind.known: Allowance(10, 300, timedelta(hours=1)),
    ThrottleKind.place: Allowance(5, 900),
    ThrottleKind.account: Allowance(20, 900),
    ThrottleKind.address: Allowance(50, 900, timedelta(hours=1)),
    ThrottleKind.sending: Allowance(1, 1800, shortest=30),
    ThrottleKind.link: Allowance(3, 900),
}
"""Known places have an allowance of their own, so that strangers cannot keep the owner of a login out."""

FORGOTTEN = timedelta(days=1)
"""After so long a counter or a spent code is dropped."""

STORM, STORM_WINDOW = 100, timedelta(hours=1)
"""So many refused sign-ins within an hour are told as a finding."""


def blocked(waits: Sequence[datetime | None], now: datetime) -> int:
    """Return how many seconds are left of the longest wait, 0 where none is."""
    ends = [end for end in waits if end is not None and end > now]
    return max((-(-int((end - now) / timedelta(microseconds=1)) // 1_000_000) for end in ends), default=0)


def table() -> str:
    """Return the grants as a Markdown table, one row per action."""
    head = "| action | " + " | ".join(Role) + " |"
    lines = [head, "|---" * (len(Role) + 1) + "|"]
    for action, by_role in GRANTS:
        lines.append(f"| `{action}` | " + " | ".join(str(by_role.get(role, "–")) for role in Role) + " |")
    return "\n".join(lines)
