"""The lifecycle of a planned stop, the kinds of door event and who wins when they disagree."""

from enum import IntEnum, StrEnum

from earlybird.kernel.states import Machine


class DeliveryState(StrEnum):
    """Where a stop stands."""

    planned = "planned"
    out = "out"
    delivered = "delivered"
    partially_delivered = "partially_delivered"
    not_delivered = "not_delivered"
    cancelled = "cancelled"


class RoundState(StrEnum):
    """Where a round stands."""

    planned = "planned"
    out = "out"
    done = "done"
    cancelled = "cancelled"


class EventKind(StrEnum):
    """What was said at the door, or later about it."""

    confirm = "confirm"
    correct = "correct"
    return_ = "return"


class Via(StrEnum):
    """Through which entrance a confirmation came."""

    driver_app = "driver_app"
    link = "link"
    console = "console"
    api = "api"
    file = "file"
    import_ = "import"


class LinkAction(StrEnum):
    """What a shared link may do."""

    see = "see"
    confirm = "confirm"
    ask = "ask"


class LinkState(StrEnum):
    """What a shared link is good for now: derived, never stored."""

    good = "good"
    used_up = "used_up"
    expired = "expired"
    revoked = "revoked"


class Authority(IntEnum):
    """Whose word counts more when confirmations disagree: the higher."""

    link = 1
    substitute = 2
    driver = 3
    staff = 4


class Reason(StrEnum):
    """Why less than all was delivered, or something came back; what fits none is `other`, with words of its own."""

    customer_absent = "customer_absent"
    refused = "refused"
    damaged = "damaged"
    wrong_address = "wrong_address"
    no_access = "no_access"
    not_needed = "not_needed"
    short_stock = "short_stock"
    other = "other"


S = DeliveryState

MACHINE = Machine(
    name="delivery",
    start=S.planned,
    moves={
        "send_out": (frozenset({S.planned}), S.out),
        "deliver": (
            frozenset({S.planned, S.out, S.not_delivered, S.partially_delivered}),
            S.delivered,
        ),
        "deliver_partly": (
            frozenset({S.planned, S.out, S.not_delivered, S.delivered}),
            S.partially_delivered,
        ),
        "fail": (frozenset({S.planned, S.out, S.delivered, S.partially_delivered}), S.not_delivered),
        "cancel": (frozenset({S.planned}), S.cancelled),
        "revive": (frozenset({S.cancelled}), S.planned),
    },
)

R = RoundState

ROUND_MACHINE = Machine(
    name="round",
    start=R.planned,
    moves={
        "send_out": (frozenset({R.planned}), R.out),
        "finish": (frozenset({R.planned, R.out}), R.done),
        "reopen": (frozenset({R.done}), R.out),
        "cancel": (frozenset({R.planned}), R.cancelled),
        "revive": (frozenset({R.cancelled}), R.planned),
    },
)
