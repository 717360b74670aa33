"""What may wait on the work list, and what a person may choose."""

from enum import StrEnum


class Kind(StrEnum):
    """What an item is about."""

    delivery = "delivery"
    """A delivery of the old system that may be of several orders, or names an order of somebody else."""
    login = "login"
    """A login of the old system that may be of several customers."""
    document = "document"
    """A document of the old system that could not be taken over."""
    row = "row"
    """A row of a table that did not come in."""
    confirmation = "confirmation"
    """A confirmation that was refused."""
    amount = "amount"
    """An amount that was proposed: a recovery, a credit, a fee."""


class Choice(StrEnum):
    """What a person decided."""

    link = "link"
    """It belongs to the order, or the customer, that is named."""
    approve = "approve"
    """The amount goes on the customer's next bill."""
    reject = "reject"
    """It belongs to none of them, stays out, or is not asked for."""
    keep = "keep"
    """It stays as it is, for a reason."""


OPEN = {
    Kind.delivery: frozenset({Choice.link, Choice.reject, Choice.keep}),
    Kind.login: frozenset({Choice.link, Choice.reject, Choice.keep}),
    Kind.document: frozenset({Choice.reject, Choice.keep}),
    Kind.row: frozenset({Choice.reject, Choice.keep}),
    Kind.confirmation: frozenset({Choice.reject, Choice.keep}),
    Kind.amount: frozenset({Choice.approve, Choice.reject, Choice.keep}),
}
"""What may be chosen for each kind."""


class Decided(StrEnum):
    """Which items a list holds."""

    waiting = "waiting"
    decided = "decided"
