"""What the old system let each role do, in the words of our table: its documented matrix, and no more.

Paths of the matrix beside the actions they became; an operation the old system did not have is its admin's. Who is
not written here is refused: the old system asked most routes for nothing but some valid token, which is no right.
"""

from __future__ import annotations

from collections.abc import Mapping

from earlybird.identity import rules
from earlybird.identity.rules import Scope
from earlybird.identity.states import Role

OWN = ("me.read", "me.change", "me.renew", "me.secure", "me.leave")
"""Signing in and out, and one's own password: whoever had an account."""

OF_ROLES: Mapping[Role, Mapping[str, Scope]] = {
    Role.customer: {
        "orders.read": Scope.own,
        "orders.place": Scope.own,
        "orders.change": Scope.own,
        "subscriptions.read": Scope.own,
        "subscriptions.change": Scope.own,
        "deliveries.read": Scope.own,
        "billing.read": Scope.own,
        "customers.read": Scope.own,
        "customers.change": Scope.own,
    },
    Role.driver: {
        "deliveries.list": Scope.round,
        "rounds.read": Scope.round,
        "deliveries.confirm": Scope.round,
        "deliveries.read": Scope.all,
    },
    Role.support: {"customers.read": Scope.all, "orders.read": Scope.all},
    Role.marketing: {
        "customers.read": Scope.own,
        "subscriptions.read": Scope.own,
        "billing.read": Scope.own,
        "requests.read": Scope.own,
        "requests.decide": Scope.own,
    },
    Role.supplier: {},
}
"""The columns of the matrix and its expected extra rows; cancelling an order was the admin's (DELETE orders)."""


def cells() -> list[dict[str, str]]:
    """Return the table as the old system had it: role, action, scope."""
    found = [
        {"role": str(Role.admin), "action": action, "scope": str(by_role[Role.admin])}
        for action, by_role in rules.GRANTS
        if Role.admin in by_role
    ]
    for role, by_action in OF_ROLES.items():
        may = dict.fromkeys(OWN, Scope.own) | dict(by_action)
        found += [{"role": str(role), "action": action, "scope": str(scope)} for action, scope in may.items()]
    return found
