"""The lifecycle of a customer."""

from enum import StrEnum

from earlybird.kernel.states import Machine


class CustomerKind(StrEnum):
    """A home or a firm."""

    household = "household"
    business = "business"


class CustomerState(StrEnum):
    """Where a customer stands; paused and stopped receive nothing from `state_from` on."""

    trial = "trial"
    active = "active"
    paused = "paused"
    stopped = "stopped"


MACHINE = Machine(
    name="customer",
    start=CustomerState.trial,
    moves={
        "activate": (
            frozenset({CustomerState.trial, CustomerState.paused, CustomerState.stopped}),
            CustomerState.active,
        ),
        "pause": (frozenset({CustomerState.trial, CustomerState.active}), CustomerState.paused),
        "stop": (
            frozenset({CustomerState.trial, CustomerState.active, CustomerState.paused}),
            CustomerState.stopped,
        ),
    },
)
