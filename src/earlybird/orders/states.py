"""The lifecycle of an order and where its lines come from."""

from enum import StrEnum

from earlybird.kernel.states import Machine


class OrderSource(StrEnum):
    """By hand, or from a standing order."""

    one_time = "one_time"
    subscription = "subscription"


class CancelledBy(StrEnum):
    """Who cancelled a line: the plan, as it was no longer due, or a person, whose word is final."""

    plan = "plan"
    person = "person"


class OrderState(StrEnum):
    """Where an order stands; billed is not a state but a fact."""

    placed = "placed"
    planned = "planned"
    out = "out"
    delivered = "delivered"
    partially_delivered = "partially_delivered"
    not_delivered = "not_delivered"
    cancelled = "cancelled"


S = OrderState

MACHINE = Machine(
    name="order",
    start=S.placed,
    moves={
        "plan": (frozenset({S.placed, S.not_delivered}), S.planned),
        "send_out": (frozenset({S.planned}), S.out),
        "deliver": (
            frozenset({S.placed, S.planned, S.out, S.not_delivered, S.partially_delivered}),
            S.delivered,
        ),
        "deliver_partly": (
            frozenset({S.placed, S.planned, S.out, S.not_delivered, S.delivered}),
            S.partially_delivered,
        ),
        "fail": (
            frozenset({S.placed, S.planned, S.out, S.delivered, S.partially_delivered}),
            S.not_delivered,
        ),
        "cancel": (frozenset({S.placed, S.planned}), S.cancelled),
        "withdraw": (frozenset({S.placed, S.planned}), S.cancelled),
        "revive": (frozenset({S.cancelled}), S.planned),
    },
)
