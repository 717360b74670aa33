"""The lifecycle of a reversible step."""

from enum import StrEnum

from earlybird.kernel.states import Machine


class StepState(StrEnum):
    """Where a step stands."""

    pending = "pending"
    applying = "applying"
    applied = "applied"
    reverting = "reverting"
    reverted = "reverted"


class Wish(StrEnum):
    """What somebody asks of a running step."""

    pause = "pause"
    cancel = "cancel"


S = StepState

MACHINE = Machine(
    name="step",
    start=S.pending,
    moves={
        "begin": (frozenset({S.pending, S.reverted, S.applied, S.applying, S.reverting}), S.applying),
        "finish": (frozenset({S.applying}), S.applied),
        "begin_revert": (frozenset({S.applied, S.applying, S.reverting}), S.reverting),
        "finish_revert": (frozenset({S.reverting}), S.reverted),
    },
)
