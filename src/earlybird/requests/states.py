"""What may be asked for, the lifecycle of asking, and what an approver may say after the cut-off."""

from enum import StrEnum

from earlybird.kernel.states import Machine


class Kind(StrEnum):
    """What is asked for."""

    pause = "pause"
    stop = "stop"
    extra_product = "extra_product"
    quantity = "quantity"
    shift = "shift"
    driver = "driver"


class RequestState(StrEnum):
    """Where a request stands."""

    waiting = "waiting"
    approved = "approved"
    rejected = "rejected"
    withdrawn = "withdrawn"
    expired = "expired"


class Late(StrEnum):
    """What becomes of a request that is approved after the cut-off of its day."""

    next_open_day = "next_open_day"
    that_day = "that_day"


WAITING = frozenset({RequestState.waiting})

MACHINE = Machine(
    name="request",
    start=RequestState.waiting,
    moves={
        "approve": (WAITING, RequestState.approved),
        "reject": (WAITING, RequestState.rejected),
        "withdraw": (WAITING, RequestState.withdrawn),
        "expire": (WAITING, RequestState.expired),
    },
)
