"""The lifecycle of a finding and how grave one is."""

from enum import StrEnum

from earlybird.kernel.states import Machine


class Severity(StrEnum):
    """How grave: an error fails `reconcile`, a warning is work, info is to be known."""

    info = "info"
    warning = "warning"
    error = "error"


class FindingState(StrEnum):
    """Where a finding stands."""

    open = "open"
    accepted = "accepted"
    resolved = "resolved"


MACHINE = Machine(
    name="finding",
    start=FindingState.open,
    moves={
        "accept": (frozenset({FindingState.open}), FindingState.accepted),
        "resolve": (frozenset({FindingState.open, FindingState.accepted}), FindingState.resolved),
        "reopen": (frozenset({FindingState.resolved, FindingState.accepted}), FindingState.open),
    },
)
