"""The lifecycle of a message, its kinds, the channels it goes through, and the facts people are told of."""

from enum import StrEnum

from earlybird.kernel.states import Machine


class Channel(StrEnum):
    """How a message reaches a person."""

    email = "email"
    sms = "sms"
    whatsapp = "whatsapp"


class MessageKind(StrEnum):
    """What a message is about."""

    one_time_code = "one_time_code"
    invitation = "invitation"
    sign_in_link = "sign_in_link"
    password_reset = "password_reset"  # noqa: S105
    password_changed = "password_changed"  # noqa: S105
    order_confirmed = "order_confirmed"
    out_for_delivery = "out_for_delivery"
    delivered = "delivered"
    partially_delivered = "partially_delivered"
    not_delivered = "not_delivered"
    pause_set = "pause_set"
    pause_open = "pause_open"
    pause_ended = "pause_ended"
    bill_issued = "bill_issued"
    payment_received = "payment_received"
    payment_reminder = "payment_reminder"


class FactKind(StrEnum):
    """What happened that customers may be told of: noted in the commit of the fact itself, pulled by the minute."""

    order = "order"
    round = "round"
    delivery = "delivery"
    pause = "pause"
    pause_changed = "pause_changed"
    customer = "customer"
    invoice = "invoice"
    payment = "payment"


class MessageState(StrEnum):
    """Where a message stands; suppressed ones are for addresses nobody reads."""

    queued = "queued"
    sent = "sent"
    failed = "failed"
    suppressed = "suppressed"


K = MessageKind

ACCOUNT = frozenset({K.one_time_code, K.invitation, K.sign_in_link, K.password_reset, K.password_changed})
"""About a login: told at once, whatever the customer prefers; what they say is never kept, so never sent again."""

S = MessageState

MACHINE = Machine(
    name="message",
    start=S.queued,
    moves={
        "send": (frozenset({S.queued}), S.sent),
        "fail": (frozenset({S.queued}), S.failed),
        "resend": (frozenset({S.sent, S.failed, S.suppressed}), S.queued),
    },
)
