"""The lifecycle of a message, its kinds and the channels it goes through."""

from enum import StrEnum

from earlybird.kernel.states import Machine


class Channel(StrEnum):
    """How a message reaches a person."""

    email = "email"
    sms = "sms"


class MessageKind(StrEnum):
    """What a message is about."""

    one_time_code = "one_time_code"
    invitation = "invitation"
    sign_in_link = "sign_in_link"
    password_reset = "password_reset"  # noqa: S105
    password_changed = "password_changed"  # noqa: S105


class MessageState(StrEnum):
    """Where a message stands; suppressed ones are for addresses nobody reads."""

    queued = "queued"
    sent = "sent"
    failed = "failed"
    suppressed = "suppressed"


S = MessageState

MACHINE = Machine(
    name="message",
    start=S.queued,
    moves={
        "send": (frozenset({S.queued}), S.sent),
        "fail": (frozenset({S.queued}), S.failed),
    },
)
