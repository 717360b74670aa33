"""The kinds of events, and the lifecycles of an endpoint and of one event on its way to it."""

from enum import StrEnum

from earlybird.kernel.states import Machine


class EventKind(StrEnum):
    """What happened. Legacy and opening documents, imported history and data steps are not told."""

    order_placed = "order.placed"
    order_changed = "order.changed"
    order_cancelled = "order.cancelled"
    delivery_confirmed = "delivery.confirmed"
    delivery_corrected = "delivery.corrected"
    delivery_returned = "delivery.returned"
    invoice_issued = "invoice.issued"
    invoice_voided = "invoice.voided"
    credit_note_issued = "credit_note.issued"
    payment_recorded = "payment.recorded"
    payment_reversed = "payment.reversed"


TEST = "webhook.test"
"""The kind of the event that only tries an endpoint out."""


class EndpointState(StrEnum):
    """Whether an endpoint is told anything."""

    active = "active"
    disabled = "disabled"


class HookState(StrEnum):
    """Where one event stands on its way to one endpoint."""

    waiting = "waiting"
    delivered = "delivered"
    failed = "failed"


ENDPOINT = Machine(
    name="webhook_endpoint",
    start=EndpointState.active,
    moves={
        "disable": (frozenset({EndpointState.active}), EndpointState.disabled),
        "enable": (frozenset({EndpointState.disabled}), EndpointState.active),
    },
)

HOOK = Machine(
    name="webhook_delivery",
    start=HookState.waiting,
    moves={
        "deliver": (frozenset({HookState.waiting}), HookState.delivered),
        "fail": (frozenset({HookState.waiting}), HookState.failed),
        "replay": (frozenset({HookState.delivered, HookState.failed}), HookState.waiting),
    },
)
