"""The packages' lifecycle; the four workflows are rows of data that restrict it."""

from enum import StrEnum

from earlybird.kernel.states import Machine


class PackageState(StrEnum):
    """Where a package stands."""

    pending = "pending"
    prepared = "prepared"
    sent = "sent"
    claimed = "claimed"
    collected = "collected"
    at_warehouse = "at_warehouse"
    out = "out"
    delivered = "delivered"
    returned = "returned"
    cancelled = "cancelled"


class DeliveryType(StrEnum):
    """Who takes the package from the merchant."""

    merchant = "merchant"
    driver = "driver"
    warehouse = "warehouse"


class ShippingType(StrEnum):
    """Where it goes first."""

    warehouse = "warehouse"
    user = "user"


S = PackageState

MACHINE = Machine(
    name="package",
    start=S.pending,
    moves={
        "prepare": (frozenset({S.pending}), S.prepared),
        "send": (frozenset({S.prepared}), S.sent),
        "claim": (frozenset({S.prepared}), S.claimed),
        "unclaim": (frozenset({S.claimed}), S.prepared),
        "collect": (frozenset({S.claimed}), S.collected),
        "receive": (frozenset({S.sent, S.collected}), S.at_warehouse),
        "send_out": (frozenset({S.prepared, S.at_warehouse}), S.out),
        "deliver": (frozenset({S.out, S.collected}), S.delivered),
        "return": (frozenset({S.collected, S.out}), S.returned),
        "cancel": (frozenset({S.pending, S.prepared, S.sent, S.claimed, S.at_warehouse}), S.cancelled),
    },
)
