"""Patterns of a standing order and its lifecycle."""

from enum import StrEnum

from earlybird.kernel.states import Machine


class Pattern(StrEnum):
    """How often a standing order is due."""

    daily = "daily"
    weekly = "weekly"
    every_nth = "every_nth"
    one_time = "one_time"
    irregular = "irregular"


class StandingShift(StrEnum):
    """The shifts a standing order is for; both means the full quantity in each."""

    morning = "morning"
    evening = "evening"
    both = "both"


class OverrideKind(StrEnum):
    """An irregular entry beats an override; both beat the pattern, neither beats a pause."""

    irregular = "irregular"
    override = "override"


class Rule(StrEnum):
    """Which rule decided the quantity of a date: the first that hits. On a day the site is closed nothing is due."""

    not_active = "not_active"
    outside = "outside"
    customer = "customer"
    paused = "paused"
    irregular = "irregular"
    override = "override"
    weekly = "weekly"
    one_time = "one_time"
    every_nth = "every_nth"
    daily = "daily"
    nothing = "nothing"
    closed = "closed"


class SubscriptionState(StrEnum):
    """Where a standing order stands."""

    draft = "draft"
    active = "active"
    stopped = "stopped"


MACHINE = Machine(
    name="subscription",
    start=SubscriptionState.draft,
    moves={
        "activate": (
            frozenset({SubscriptionState.draft, SubscriptionState.stopped}),
            SubscriptionState.active,
        ),
        "stop": (frozenset({SubscriptionState.draft, SubscriptionState.active}), SubscriptionState.stopped),
    },
)
